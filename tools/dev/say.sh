# SPDX-License-Identifier: Apache-2.0
# What ./dev prints: short lines on standard error, so that standard output stays the program's.

say()
{
    printf '» %s\n' "$*" >&2
}

die()
{
    printf '✗ %s\n' "$*" >&2
    exit 1
}

# quietly TEXT COMMAND…: says TEXT, runs COMMAND with its output kept back, shows it on failure.
quietly()
{
    local text=$1 log
    shift
    say "$text"
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        die "failed: $*"
    fi
    rm -f "$log"
}
