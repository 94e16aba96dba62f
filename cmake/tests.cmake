# SPDX-License-Identifier: Apache-2.0
# One executable a test file, linked with the static library (tests may reach internals) and
# tests/lib. Sources and executables have the same places: tests/unit/ws/frame_test.c becomes
# <build>/tests/unit/ws/frame_test. The target `tests` builds them all.

pkg_check_modules(WEFT_CMOCKA IMPORTED_TARGET cmocka)
if(NOT WEFT_CMOCKA_FOUND)
    message(STATUS "No tests in this build: cmocka is not installed (./dev test installs it)")
    return()
endif()

file(GLOB weft_testlib_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/lib/*.c")
add_library(weft_testlib STATIC EXCLUDE_FROM_ALL ${weft_testlib_sources})
target_include_directories(weft_testlib PUBLIC
    "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(weft_testlib PUBLIC WEFT_TEST_DIR="${PROJECT_SOURCE_DIR}/tests")
if(TARGET weft)
    target_compile_definitions(weft_testlib PUBLIC WEFT_TEST_BINARY="$<TARGET_FILE:weft>")
endif()
# gcc does not know that cmocka's assertions leave a test, so it guesses wrong about what follows.
target_compile_options(weft_testlib PUBLIC
    $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
target_link_libraries(weft_testlib PUBLIC
    weft_bin weft_static weft_flags PkgConfig::WEFT_CMOCKA ${WEFT_LIBRARIES})

# Tells the runner whether io_uring can be tested; it links nothing of weft.
add_executable(uring_probe EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/tests/lib/probe/uring_probe.c")
set_target_properties(uring_probe PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
target_link_libraries(uring_probe PRIVATE weft_flags PkgConfig::WEFT_URING)

# Runs a program where io_uring is refused.
add_executable(no_uring EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/tests/lib/probe/no_uring.c")
set_target_properties(no_uring PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
target_link_libraries(no_uring PRIVATE weft_flags)

add_custom_target(tests)
add_dependencies(tests uring_probe no_uring examples)
if(TARGET weft)
    add_dependencies(tests weft)
endif()

file(GLOB weft_test_sources CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}"
    "${PROJECT_SOURCE_DIR}/tests/unit/*/*_test.c"
    "${PROJECT_SOURCE_DIR}/tests/unit/*/*/*_test.c"
    "${PROJECT_SOURCE_DIR}/tests/integration/*.c")
foreach(source IN LISTS weft_test_sources)
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(GET source STEM name)
    string(REGEX REPLACE "^tests/" "" target "${folder}/${name}")
    string(REPLACE "/" "-" target "${target}")
    add_executable(${target} EXCLUDE_FROM_ALL ${source})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
    target_link_libraries(${target} PRIVATE weft_testlib)
    add_dependencies(tests ${target})
    add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY "${PROJECT_BINARY_DIR}")
    set_tests_properties(${target} PROPERTIES TIMEOUT 120)
endforeach()
