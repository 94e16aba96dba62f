# SPDX-License-Identifier: Apache-2.0
# How every object is compiled: the target `weft_flags` carries language, warnings and sanitizers.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# WEFT_ASSERT does not look at NDEBUG; symbols stay in release builds so that a core file can be read.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG -D_FORTIFY_SOURCE=2" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_SANITIZE "-O1 -g -fno-omit-frame-pointer" CACHE STRING "" FORCE)

add_library(weft_flags INTERFACE)
target_compile_definitions(weft_flags INTERFACE _GNU_SOURCE
    WEFT_VERSION_STRING="${PROJECT_VERSION}")
target_compile_options(weft_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wvla
    -fstack-protector-strong)
# gcc clears structures with `rep stos`, which takes longer to begin than to clear the few hundred bytes
# that a frame or a call has: a twentieth of what a short call costs. Other compilers know no such flag.
include(CheckCCompilerFlag)
set(WEFT_CLEARING -mmemset-strategy=unrolled_loop:192:noalign,libcall:-1:noalign)
check_c_compiler_flag(${WEFT_CLEARING} WEFT_HAS_CLEARING)
if(WEFT_HAS_CLEARING)
    target_compile_options(weft_flags INTERFACE $<$<CONFIG:Release>:${WEFT_CLEARING}>)
endif()
if(WEFT_WERROR)
    target_compile_options(weft_flags INTERFACE -Werror)
endif()
if(WEFT_DEBUG)
    target_compile_definitions(weft_flags INTERFACE WEFT_DEBUG=1)
endif()
if(WEFT_SANITIZE)
    target_compile_options(weft_flags INTERFACE
        -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(weft_flags INTERFACE
        -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all)
endif()
