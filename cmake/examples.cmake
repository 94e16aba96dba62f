# SPDX-License-Identifier: Apache-2.0
# examples/NAME.c becomes <build>/examples/NAME, built with the tests that run it.

file(GLOB weft_example_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
add_custom_target(examples)
foreach(source IN LISTS weft_example_sources)
    cmake_path(GET source STEM name)
    add_executable(example-${name} EXCLUDE_FROM_ALL ${source})
    set_target_properties(example-${name} PROPERTIES
        OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
    target_link_libraries(example-${name} PRIVATE weft_static weft_flags ${WEFT_LIBRARIES})
    add_dependencies(examples example-${name})
endforeach()
