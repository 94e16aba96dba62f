# SPDX-License-Identifier: Apache-2.0
# The `weft` executable: bin/*.c linked against the static library. The target `product` is what
# ./dev build makes: both libraries and, once bin/ has sources, the executable.

add_custom_target(product)
add_dependencies(product weft_static weft_shared)

file(GLOB weft_bin_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bin/*.c")
if(weft_bin_sources)
    add_executable(weft ${weft_bin_sources})
    target_include_directories(weft PRIVATE
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/bin")
    target_link_libraries(weft PRIVATE weft_static weft_flags ${WEFT_LIBRARIES})
    add_dependencies(product weft)
endif()
