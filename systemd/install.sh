#!/usr/bin/env bash
# Installs Spotter as a service on this machine, or brings an installation up to date:
#
#   sudo systemd/install.sh              from this checkout
#   sudo systemd/install.sh WHEEL        a wheel instead of the checkout
#   systemd/install.sh --dry-run         only say what would be done
#
# The program goes to /opt/spotter (a virtual environment), the unit to /etc/systemd/system, an example
# configuration to /etc/spotter. A configuration that is there is left alone. Safe to run again.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tools/setup.sh
source "$here/../tools/setup.sh"

prefix=/opt/spotter
config=/etc/spotter
unit=/etc/systemd/system/spotter.service
dry_run=""
source_of_package="$root"

while [ "$#" -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=yes ;;
    -h | --help)
      sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    -*) fail "unknown option $1 (expected --dry-run or a wheel)" ;;
    *)
      [ -f "$1" ] || fail "$1: expected a wheel, found no such file"
      source_of_package=$(realpath -- "$1")
      ;;
  esac
  shift
done

# Does a thing, or says it.
run() {
  if [ -n "$dry_run" ]; then
    printf 'would run:'
    printf ' %q' "$@"
    printf '\n'
  else
    "$@"
  fi
}

[ -n "$dry_run" ] || [ "$(id -u)" -eq 0 ] || fail "installing needs root: sudo $0"
[ -n "$dry_run" ] || command -v systemctl > /dev/null || fail "systemctl is missing: this machine does not run systemd"

# The service runs as a user of its own, which must be able to read what root installs here.
umask 022
# For the same reason: no interpreter from somebody's home directory.
python=$(PATH=/usr/local/bin:/usr/bin:/bin PYTHON='' find_python) \
  || fail "Python 3.11 or newer is missing. Install it with: sudo apt-get install python3 python3-venv"
check_machine "$python"
if [ -z "$dry_run" ]; then
  need_venv_module "$python"
fi

[ -x "$prefix/bin/python" ] || run "$python" -m venv "$prefix"
# First whatever it depends on, then the package itself again even where its version has not changed.
pip=("$prefix/bin/python" -m pip install --quiet --disable-pip-version-check --no-input)
run "${pip[@]}" --upgrade "$source_of_package"
run "${pip[@]}" --force-reinstall --no-deps "$source_of_package"
if [ -n "$(find "$root/models" -maxdepth 1 -name '*.tflite' -print -quit 2> /dev/null)" ]; then
  run install -d -m 0755 "$prefix/models"
  run install -m 0644 -t "$prefix/models" "$root"/models/*.tflite "$root"/models/*.json
fi
run install -d -m 0755 "$config"
run install -m 0644 "$here/spotter.example.yaml" "$config/spotter.example.yaml"
run install -m 0644 "$here/spotter.service" "$unit"
run systemctl daemon-reload

if [ -e "$config/spotter.yaml" ]; then
  run "$prefix/bin/spotter" check -c "$config/spotter.yaml"
  run systemctl enable spotter.service
  run systemctl restart spotter.service
else
  say "Write $config/spotter.yaml ($config/spotter.example.yaml shows how), then:"
  say "  $prefix/bin/spotter check -c $config/spotter.yaml"
  say "  systemctl enable --now spotter"
fi
