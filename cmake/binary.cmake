# SPDX-License-Identifier: Apache-2.0
# The `weft` executable: bin/*.c linked against the static library. The target `product` is what
# ./dev build makes: both libraries and the executable.

add_custom_target(product)
add_dependencies(product weft_static weft_shared)

# All of bin/ but main, so that tests can use it too.
file(GLOB weft_bin_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bin/*.c")
list(FILTER weft_bin_sources EXCLUDE REGEX "/weft\\.c$")
pkg_check_modules(WEFT_YAML REQUIRED IMPORTED_TARGET "yaml-0.1>=0.2")
add_library(weft_bin STATIC ${weft_bin_sources})
target_include_directories(weft_bin PUBLIC
    "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/bin")
target_link_libraries(weft_bin PUBLIC weft_static ${WEFT_LIBRARIES}
    PRIVATE weft_flags PkgConfig::WEFT_YAML)

add_executable(weft "${PROJECT_SOURCE_DIR}/bin/weft.c")
target_link_libraries(weft PRIVATE weft_bin weft_flags)
add_dependencies(product weft)
