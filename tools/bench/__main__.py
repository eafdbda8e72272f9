"""The command: finds the measurement by its name, runs it, and prints what it found."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import platform
import sys

from tools import bench

NAMES = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name[0] != "_")
"""Every module here has `measure(argv) -> dict`: the figures, JSON throughout, units in the keys."""


def main() -> int:
    """Exit code 2 where there is no such measurement."""
    name, *rest = sys.argv[1:] or [""]
    if name not in NAMES:
        for known in NAMES:
            rule = (importlib.import_module(f"tools.bench.{known}").__doc__ or "").partition("\n")[0]
            print(f"{known:12} {rule}", file=sys.stderr)
        return 2
    figures = importlib.import_module(f"tools.bench.{name}").measure(rest)
    machine = {"cpu": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps({"bench": name, **figures, "machine": machine}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
