#!/bin/sh
# Makes .venv from the checked-in locks: `setup.sh runtime` for the daemon, `setup.sh dev` for the tests and the gate.
# uv when it is on PATH and works, else pip (uv reads none of pip's settings, so behind a mirror only pip may get through).
# Only a finished install leaves its stamp; anything half-made is made again by the next call.
set -eu
cd "$(dirname "$0")/.."
what=${1:?runtime or dev}
venv=.venv
ok='import sys; sys.exit(sys.version_info < (3, 11))'

say() { printf '%s\n' "nightclaw: $*" >&2; }

is_debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    limit=$(command -v timeout >/dev/null 2>&1 && echo "timeout 300" || true)
    options="-o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 -o DPkg::Lock::Timeout=60"
    # shellcheck disable=SC2086
    if DEBIAN_FRONTEND=noninteractive $limit apt-get $options -qq update >/dev/null 2>&1 &&
        DEBIAN_FRONTEND=noninteractive $limit apt-get $options -qq install -y --no-install-recommends "$@" </dev/null >/dev/null 2>&1
    then say "installed $*"
    else return 1
    fi
}

how_to_install() {
    if [ "$(uname)" = Darwin ]; then echo "brew install $*"
    elif command -v apt-get >/dev/null 2>&1; then echo "sudo apt-get install $*"
    elif command -v dnf >/dev/null 2>&1; then echo "sudo dnf install $*"
    elif command -v pacman >/dev/null 2>&1; then echo "sudo pacman -S $*"
    elif command -v apk >/dev/null 2>&1; then echo "sudo apk add $*"
    else echo "install with your package manager: $*"
    fi
}

# Wanted, never required: the daemon runs without them and says what it then refuses.
system_packages() {
    missing=
    command -v git >/dev/null 2>&1 || missing="$missing git"
    command -v rg >/dev/null 2>&1 || missing="$missing ripgrep"
    [ "$(uname)" = Linux ] && { command -v bwrap >/dev/null 2>&1 || missing="$missing bubblewrap"; }
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086
    if is_debian_root; then apt_install $missing && return 0; fi
    # shellcheck disable=SC2086
    say "missing system packages:$missing (going on without; to add them: $(how_to_install $missing))"
}

uv_works() { command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c "$ok" >/dev/null 2>&1; then echo "$candidate"; return; fi
    done
    return 1
}

make_venv_with_uv() {
    python=$(find_python || echo '>=3.11')
    uv venv --quiet --clear --python "$python" "$venv"
}

make_venv_with_python() {
    python=$(find_python) || { say "Python 3.11 or newer is needed: $(how_to_install python3)"; exit 1; }
    "$python" -m venv --clear "$venv" >/dev/null 2>&1 && return
    # Debian splits venv off from Python
    if is_debian_root && apt_install python3-venv && "$python" -m venv --clear "$venv"; then return; fi
    say "$python cannot make a virtual environment: $(how_to_install python3-venv)"
    exit 1
}

venv_is_sound() { "$venv/bin/python" -c "$ok" >/dev/null 2>&1; }

install_with_uv() {
    uv_works || return 1
    venv_is_sound || make_venv_with_uv || return 1
    uv pip install --quiet --python "$venv/bin/python" --require-hashes --no-deps -r "$1" || return 1
    [ "$what" = dev ] || uv pip install --quiet --python "$venv/bin/python" --no-deps -e .
}

install_with_pip() {
    venv_is_sound && "$venv/bin/python" -m pip --version >/dev/null 2>&1 || make_venv_with_python
    pip="$venv/bin/python -m pip --disable-pip-version-check -qq --no-input"
    $pip install --require-hashes --no-deps -r "$1"
    [ "$what" = dev ] || $pip install --no-deps -e .
}

case $what in
    runtime) lock=requirements.lock; rm -f "$venv/.runtime" "$venv/.dev"; system_packages ;;
    dev) lock=requirements-dev.lock; rm -f "$venv/.dev" ;;
    *) say "runtime or dev, not $what"; exit 2 ;;
esac
say "installing the $what dependencies into $venv"
install_with_uv "$lock" || {
    if uv_works; then say "uv could not install them, trying pip"; fi
    # a venv made by uv has no pip; then pip starts over, and needs both locks again
    if [ "$what" = dev ] && venv_is_sound && ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$venv/bin/python" -m ensurepip >/dev/null 2>&1 || { what=runtime; install_with_pip requirements.lock; what=dev; }
    fi
    install_with_pip "$lock"
}
touch "$venv/.$what"
