# Sourced by the other scripts: a virtual environment in .venv with routerd (and, for "dev", its tools) in it.
# Needs Python 3.11 or newer with its venv module, and nothing else. Set PYTHON to choose an interpreter.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "routerd needs Python 3.11 or newer with its venv module (on Debian: apt install python3-venv); none was found" >&2
    return 1
}

# set_up [dev]: installs what pyproject.toml asks for, once for each version of that file.
set_up() {
    local extra="${1:-}" python wanted stamp=".venv/.set-up-for${1:+-$1}"
    wanted=$(cksum < pyproject.toml)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    python=$(find_python) || exit 1
    echo "setting up .venv with $("$python" --version)${extra:+ and the $extra tools} (once) ..." >&2
    [ -x .venv/bin/python ] || "$python" -m venv .venv || exit 1
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${extra:+[$extra]}" || exit 1
    echo "$wanted" > "$stamp"
}
