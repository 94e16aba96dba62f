# SPDX-License-Identifier: Apache-2.0
# Which Debian packages a command needs, and their installation. A package is wanted only where the
# command, module or file that it brings is missing, so a newer Node or cmake stays as it is.

has_command()
{
    command -v "$1" >/dev/null 2>&1
}

has_module()
{
    has_command pkg-config && pkg-config --exists "$1"
}

# clang_tool NAME: the command of version 14, whose formatting is law.
clang_tool()
{
    if has_command "$1-14"; then
        echo "$1-14"
    elif has_command "$1" && "$1" --version | grep -q 'version 14\.'; then
        echo "$1"
    else
        return 1
    fi
}

# The one of clang's runtime libraries that a fuzz target is linked with.
has_fuzzer_runtime()
{
    has_command clang || return 1
    compgen -G "$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer-*.a" >/dev/null
}

missing_packages()
{
    local group
    for group; do
        case $group in
        build)
            has_command cc || echo gcc
            [ -e /usr/include/stdio.h ] || echo libc6-dev
            has_command cmake || echo cmake
            has_command ninja || echo ninja-build
            has_command pkg-config || echo pkg-config
            has_module 'liburing >= 2.3' || echo liburing-dev
            has_module 'libssl >= 3.0' || echo libssl-dev
            has_module 'libisal >= 2.30' || echo libisal-dev
            has_module zlib || echo zlib1g-dev
            has_module 'sqlite3 >= 3.35' || echo libsqlite3-dev
            has_module 'yaml-0.1 >= 0.2' || echo libyaml-dev
            has_command node || echo nodejs
            has_command npm || echo npm
            [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
            ;;
        c-tests)
            has_module cmocka || echo libcmocka-dev
            has_command protoc || echo protobuf-compiler
            ;;
        browser)
            has_command chromium || echo chromium
            ;;
        valgrind)
            has_command valgrind || echo valgrind
            ;;
        fuzz)
            has_command clang || echo clang
            has_fuzzer_runtime || echo libclang-rt-14-dev
            ;;
        lint)
            has_command c++ || echo g++
            clang_tool clang-format >/dev/null || echo clang-format-14
            clang_tool clang-tidy >/dev/null || echo clang-tidy-14
            ;;
        bench)
            has_command c++ || echo g++
            has_command taskset || echo util-linux
            has_command openssl || echo openssl
            [ -e /usr/include/boost/beast.hpp ] || echo libboost-dev
            has_module 'libwebsockets >= 4.1' || echo libwebsockets-dev
            compgen -G '/usr/lib/*/libwebsockets-evlib_uv.so' >/dev/null || echo libwebsockets-evlib-uv
            ;;
        *) die "unknown package group: $group" ;;
        esac
    done
}

# need_packages GROUP…: returns when everything of the groups is there, or ends the script.
need_packages()
{
    local missing as_root=()
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    has_command apt-get || die "please install: ${missing[*]} (names of Debian 12)"
    if [ "$(id -u)" -ne 0 ]; then
        if ! has_command sudo; then
            printf 'These packages are missing. Please run this as root, then ./dev again:\n\n' >&2
            printf '  apt-get update && apt-get install -y --no-install-recommends %s\n\n' \
                "${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    # sudo may have to ask for a password before the output is kept back.
    [ ${#as_root[@]} -eq 0 ] || sudo true || die "sudo refused; install: ${missing[*]}"
    quietly "apt-get update" "${as_root[@]}" apt-get update
    quietly "apt-get install (this can take minutes)" "${as_root[@]}" \
        env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -eq 0 ] || die "still missing after the installation: ${missing[*]}"
}
