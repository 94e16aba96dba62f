# SPDX-License-Identifier: Apache-2.0
# bench/NAME.c becomes <build>/bench/NAME, built when ./dev bench NAME asks for it.

file(GLOB weft_bench_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.c")
add_custom_target(benches)
foreach(source IN LISTS weft_bench_sources)
    cmake_path(GET source STEM name)
    add_executable(bench-${name} EXCLUDE_FROM_ALL ${source})
    set_target_properties(bench-${name} PROPERTIES
        OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
    target_include_directories(bench-${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(bench-${name} PRIVATE weft_static weft_flags ${WEFT_LIBRARIES})
    add_dependencies(benches bench-${name})
endforeach()

# libdeflate is compared with where it is installed; nothing else uses it.
pkg_check_modules(WEFT_LIBDEFLATE IMPORTED_TARGET libdeflate)
if(WEFT_LIBDEFLATE_FOUND AND TARGET bench-deflate)
    target_compile_definitions(bench-deflate PRIVATE BENCH_LIBDEFLATE=1)
    target_link_libraries(bench-deflate PRIVATE PkgConfig::WEFT_LIBDEFLATE)
endif()
