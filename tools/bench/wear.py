"""How much of an SD card's life the outbox takes: bytes that the kernel is given, per fact and per day.

Facts are flushed as they come, at most every quarter of a second; what the broker has is deleted with the
next that is stored. The file system and the card write more than this, in larger units.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from agent.adapters.outbox import Outbox
from tools.bench._delivery import fact

_DAY_S = 86_400
_RATES = {"0.1": 1, "1": 1, "4": 1, "20": 5, "200": 50, "1000": 250}
"""Facts a second → how many of them are flushed together."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Bytes for each rate of facts."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench wear", description=__doc__)
    parser.add_argument("--facts", type=int, default=5000)
    parser.add_argument(
        "--folder", type=Path, help="on the disk in question; default: that of temporary files"
    )
    args = parser.parse_args(argv)
    found = {}
    with tempfile.TemporaryDirectory(prefix="spotter-bench-", dir=args.folder) as name:
        for rate, together in _RATES.items():
            size = _bytes(Path(name) / f"{rate}.db", args.facts, together)
            found[rate] = {
                "bytes_per_fact": round(size),
                "mb_per_day": round(size * float(rate) * _DAY_S / 1e6, 1),
            }
    return {"message_bytes": len(fact(0, "cam0", 0.0).payload), "facts_per_s": found}


def _bytes(path: Path, facts: int, together: int) -> float:
    """Per fact that is put, flushed, sent and acknowledged. The copying of the log is in it."""
    outbox = Outbox(path)
    before = _written()
    for number in range(0, facts, together):
        outbox.put([fact(number + n, "cam0", 0.0) for n in range(together)])
        outbox.sync()
        outbox.delivered([stored.seq for stored in outbox.pending(limit=together)])
    outbox.sync()
    size = (_written() - before) / facts
    outbox.close()
    return size


def _written() -> int:
    """Bytes that this process gave to the kernel to write into files."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))
