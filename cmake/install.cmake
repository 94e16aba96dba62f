# SPDX-License-Identifier: Apache-2.0
# Installed: headers, both libraries, find_package(weft), weft.pc and the executable.

include(CMakePackageConfigHelpers)
set(weft_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weft")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/weft" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")
install(TARGETS weft_static weft_shared EXPORT weft-targets
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT weft-targets NAMESPACE weft:: DESTINATION "${weft_config_dir}")
if(TARGET weft)
    install(TARGETS weft RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

configure_package_config_file(cmake/weft-config.cmake.in
    "${PROJECT_BINARY_DIR}/generated/weft-config.cmake" INSTALL_DESTINATION "${weft_config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/generated/weft-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/generated/weft-config.cmake"
    "${PROJECT_BINARY_DIR}/generated/weft-config-version.cmake"
    DESTINATION "${weft_config_dir}")

# weft.pc finds its prefix from where it lies, so that an installed tree may be moved.
file(RELATIVE_PATH WEFT_PC_UP
    "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
list(JOIN WEFT_PKG_MODULES ", " WEFT_PC_REQUIRES)
configure_file(cmake/weft.pc.in "${PROJECT_BINARY_DIR}/generated/weft.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/generated/weft.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
