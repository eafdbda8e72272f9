# shellcheck shell=bash
# What tools/test and tools/demo need before they run: a Python, the virtual environment, system packages.
#
# Source it, then:
#   need_packages COMMAND PACKAGE…   the command must be there; installs the packages where it may
#   want_packages PACKAGE…           installs what is missing where it may, else says so and goes on
#   need_environment EXTRA           .venv with the project and its extra ("" for none); sets $venv_python
#
# Packages are installed only as root or with a sudo that asks for no password. SPOTTER_NO_APT=1 forbids it.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv="$root/.venv"
venv_python="$venv/bin/python"
# Debian keeps daemons such as mosquitto where the PATH of an ordinary user does not look.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# The words before a command that may install packages: empty as root, sudo, or failure.
as_root() {
  [ -z "${SPOTTER_NO_APT:-}" ] || return 1
  command -v apt-get > /dev/null || return 1
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    command -v sudo > /dev/null && sudo -n true 2> /dev/null || return 1
    sudo -n "$@"
  fi
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed \
      || printf '%s\n' "$package"
  done
}

# apt_install PACKAGE…: installs those that are missing. Fails, with apt's own words, when it may not or cannot.
apt_install() {
  local log missing
  command -v dpkg-query > /dev/null || return 1
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  as_root true || return 1
  say "installing ${missing[*]}"
  log=$(mktemp)
  if as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" \
    > "$log" 2>&1 < /dev/null; then
    rm -f "$log"
    return 0
  fi
  # The package lists may be missing or old: a fresh container has none.
  if as_root apt-get update -qq > "$log" 2>&1 < /dev/null \
    && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" \
      >> "$log" 2>&1 < /dev/null; then
    rm -f "$log"
    return 0
  fi
  tail -n 5 "$log" >&2
  rm -f "$log"
  return 1
}

need_packages() {
  local command=$1
  shift
  command -v "$command" > /dev/null && return 0
  apt_install "$@" || true
  command -v "$command" > /dev/null || fail "$command is missing. Install it with: sudo apt-get install $*"
}

want_packages() {
  local missing
  apt_install "$@" && return 0
  if command -v dpkg-query > /dev/null; then
    mapfile -t missing < <(missing_packages "$@")
  else
    missing=("$@")
  fi
  say "going on without: ${missing[*]} (sudo apt-get install ${missing[*]})"
}

# Prints the path of the first interpreter that really runs and is new enough. Version managers leave
# commands on the PATH that only explain that they are not set up, so each candidate is tried.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.13 python3.14; do
    "$candidate" -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' \
      2> /dev/null && return 0
  done
  return 1
}

check_machine() {
  "$1" -c 'import struct, sys; sys.exit(struct.calcsize("P") != 8)' \
    || fail "$1 is a 32-bit Python; the TFLite runtime exists for 64-bit systems only. Install a 64-bit OS."
}

need_venv_module() {
  local package
  "$1" -c 'import ensurepip, venv' 2> /dev/null && return 0
  package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  apt_install "$package" || true
  "$1" -c 'import ensurepip, venv' 2> /dev/null \
    || fail "$1 cannot make virtual environments. Install the part that can: sudo apt-get install $package"
}

make_environment() {
  local python
  python=$(find_python) || fail "Python 3.11 or newer is missing (tried \$PYTHON, python3, python3.12, python3.11," \
    "python3.13, python3.14). Install it with: sudo apt-get install python3 python3-venv"
  check_machine "$python"
  need_venv_module "$python"
  say "making $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || fail "$venv could not be made with $python"
}

# What an installed environment depends on: where it is, its interpreter, and what the project asks for.
environment_key() {
  {
    printf '%s\n' "$root"
    "$venv_python" -c 'import sys; print(sys.version)'
    cat "$root/pyproject.toml"
  } | sha256sum | cut -d ' ' -f 1
}

need_environment() {
  local extra=$1 stamp stamps key log
  if ! "$venv_python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    make_environment
  fi
  key=$(environment_key)
  stamp="$venv/.spotter-${extra:-run}"
  stamps=("$stamp")
  [ -n "$extra" ] || stamps=("$venv"/.spotter-*) # every extra includes what the project itself needs
  grep --quiet --no-messages --line-regexp --fixed-strings "$key" "${stamps[@]}" && return 0
  say "installing the project's Python packages into $venv (a minute or two the first time)"
  log=$(mktemp)
  if ! (cd "$root" && "$venv_python" -m pip install --quiet --disable-pip-version-check --no-input \
    --editable ".${extra:+[$extra]}") > "$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "pip could not install the packages (its last words are above)." \
      "It needs https://pypi.org, or the index that pip.conf names."
  fi
  rm -f "$log"
  printf '%s\n' "$key" > "$stamp"
}
