"""`python -m tools.asyncapi`: check the document with `@asyncapi/parser`, which npm fetches the first time.

Exits 0 when the parser takes it, 1 when it does not, and 77 (skipped) where node or the parser is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PARSER = "@asyncapi/parser@3.6.6"
SKIPPED = 77
FETCH_S = 240
"""npm fetches 54 MB."""


def main() -> int:
    """Fetch the parser where it is missing, and ask it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("skipped: node and npm are not installed", file=sys.stderr)
        return SKIPPED
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spotter" / "asyncapi-parser"
    if not (cache / "node_modules" / "@asyncapi" / "parser").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        fetch = [npm, "install", "--prefix", str(cache), "--no-audit", "--no-fund", "--silent", PARSER]
        try:
            done = subprocess.run(fetch, capture_output=True, text=True, timeout=FETCH_S, check=False)
        except subprocess.TimeoutExpired:
            print(f"skipped: npm did not fetch {PARSER} within {FETCH_S} s", file=sys.stderr)
            return SKIPPED
        if done.returncode:
            print(f"skipped: npm cannot fetch {PARSER}: {done.stderr.strip()[:200]}", file=sys.stderr)
            return SKIPPED
    document = subprocess.run(
        [sys.executable, "-m", "agent", "asyncapi", *sys.argv[1:]], capture_output=True, check=True
    ).stdout
    script = Path(__file__).with_name("check.mjs")
    return subprocess.run([node, str(script), str(cache)], input=document, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
