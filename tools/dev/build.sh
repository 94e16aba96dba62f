# SPDX-License-Identifier: Apache-2.0
# Builds the C side by its CMake preset and the TypeScript side by npm. Nothing that is up to date
# is done again: npm's steps have stamps in build/stamps that hold a hash of what they read.

configure()
{
    local preset=$1
    [ -e "build/$preset/build.ninja" ] || say "configuring build/$preset"
    local log
    if ! log=$(cmake --preset "$preset" ${CI:+-DWEFT_WERROR=ON} 2>&1); then
        printf '%s\n' "$log" >&2
        die "cmake could not configure the preset $preset"
    fi
}

# build_target PRESET TARGET: ninja shows its progress on a terminal, and only problems elsewhere.
build_target()
{
    local quiet=()
    [ -t 1 ] || quiet=(--quiet)
    say "building $2 ($1)"
    cmake --build "build/$1" --target "$2" -- "${quiet[@]}" >&2 ||
        die "the build of $2 ($1) failed"
}

# The page, the C code and the executable in one go.
build_product()
{
    build_web
    configure "$1"
    build_target "$1" product
}

# hash_of FOLDER…: one hash of the names and contents of all sources below.
hash_of()
{
    find "$@" \( -name node_modules -o -name dist -o -name '.*' \) -prune -o \
        -type f ! -name '*.tsbuildinfo' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

install_npm_packages()
{
    local stamp=build/stamps/npm now
    now="$(sha256sum <clients/ts/package-lock.json) $(node --version)"
    if [ -d clients/ts/node_modules ] && [ "$(cat $stamp 2>/dev/null)" = "$now" ]; then
        return 0
    fi
    quietly "installing npm packages" npm --prefix clients/ts ci --no-audit --no-fund
    mkdir -p build/stamps
    printf '%s\n' "$now" >$stamp
}

build_web()
{
    local stamp=build/stamps/web now
    [ -e clients/ts/package.json ] || return 0
    install_npm_packages
    now="$(hash_of clients/ts web) $(node --version)"
    if [ -e web/dist/index.html ] && [ "$(cat $stamp 2>/dev/null)" = "$now" ]; then
        return 0
    fi
    quietly "building the page and the TypeScript client" npm --prefix clients/ts run build
    [ -e web/dist/index.html ] || die "npm run build made no web/dist/index.html"
    # Hashed again: the build may have written a generated source.
    printf '%s %s\n' "$(hash_of clients/ts web)" "$(node --version)" >$stamp
}

# Every C file of ours, each followed by a zero byte.
c_files()
{
    find include src bin tests examples bench -name node_modules -prune -o -name '*.[ch]' -print0 2>/dev/null
}
