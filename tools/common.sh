# Shared by tools/*: sourced, never run. Needs only bash, apt and a Debian base.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8
[ -n "${HOME:-}" ] || export HOME=/root

say() { printf '== %s\n' "$*"; }
skip() { printf 'SKIPPED: %s: %s\n' "$1" "$2"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# packages GROUP... : the names in tools/packages.txt that belong to one of the groups
packages() {
    local group
    for group in "$@"; do
        awk -v g="$group" '!/^#/ && NF >= 2 && $2 == g { print $1 }' "$root/tools/packages.txt"
    done
}

# install_packages GROUP... : installs what is missing, naming each package; nothing if all are there
install_packages() {
    local name missing=()
    for name in $(packages "$@"); do
        dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "packages: all $(packages "$@" | wc -l) of groups '$*' are installed"
        return
    fi
    say "packages to install: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null && ! [ -t 0 ]; then
        die "not root and no sudo: have somebody run: apt-get install ${missing[*]}"
    fi
    if dpkg-query -W -f='${db:Status-Status}\n' libboost1.74-dev 2>/dev/null | grep -qx installed; then
        say "note: libboost1.81-dev replaces libboost1.74-dev, which is too old"
    fi
    as_root apt-get -qq update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
        --no-install-recommends "${missing[@]}" >/dev/null
}

# build PRESET TARGET... : configures if needed and builds; the compilers' output only if it fails
build() {
    local preset=$1
    shift
    local log="$root/build/$preset.log" targets=()
    mkdir -p "$root/build"
    [ $# -eq 0 ] || targets=(--target "$@")
    say "build: preset $preset, $(nproc) jobs (log: build/$preset.log)"
    if ! (cd "$root" && cmake --preset "$preset" && cmake --build --preset "$preset" "${targets[@]}") >"$log" 2>&1; then
        grep -E -A5 'error|Error|FAILED' "$log" | head -60 >&2 || true
        tail -5 "$log" >&2
        die "the build failed, the whole log is $log"
    fi
}

# hf_tokenizers : a Python with Hugging Face tokenizers in build/tokenizers, installed if it is not there
hf_tokenizers() {
    local venv=$root/build/tokenizers pin=tokenizers==0.23.3
    if [ "$(cat "$venv/pin" 2>/dev/null)" != $pin ]; then
        { python3 -m venv "$venv" && "$venv/bin/pip" --quiet install $pin; } >&2 || {
            skip "Hugging Face tokenizers" "$pin cannot be installed here" >&2
            return 1
        }
        printf '%s' $pin >"$venv/pin"
    fi
    printf '%s\n' "$venv/bin/python"
}
