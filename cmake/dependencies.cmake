# SPDX-License-Identifier: Apache-2.0
# What libweft is linked with. Each is found through pkg-config; cmake/weft-config.cmake.in and
# weft.pc.in name the same modules for those who link the static library.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

set(WEFT_PKG_MODULES "liburing >= 2.3" "libssl >= 3.0" "libcrypto >= 3.0" "libisal >= 2.30" zlib)
pkg_check_modules(WEFT_URING REQUIRED IMPORTED_TARGET "liburing>=2.3")
pkg_check_modules(WEFT_CRYPTO REQUIRED IMPORTED_TARGET "libcrypto>=3.0")
pkg_check_modules(WEFT_SSL REQUIRED IMPORTED_TARGET "libssl>=3.0")
pkg_check_modules(WEFT_ISAL REQUIRED IMPORTED_TARGET "libisal>=2.30")
pkg_check_modules(WEFT_ZLIB REQUIRED IMPORTED_TARGET zlib)
set(WEFT_LIBRARIES Threads::Threads PkgConfig::WEFT_URING PkgConfig::WEFT_SSL PkgConfig::WEFT_CRYPTO
    PkgConfig::WEFT_ISAL PkgConfig::WEFT_ZLIB)
if(WEFT_SQLITE)
    pkg_check_modules(WEFT_SQLITE3 REQUIRED IMPORTED_TARGET "sqlite3>=3.35")
    list(APPEND WEFT_LIBRARIES PkgConfig::WEFT_SQLITE3)
    list(APPEND WEFT_PKG_MODULES "sqlite3 >= 3.35")
endif()
