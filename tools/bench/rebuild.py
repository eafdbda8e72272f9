"""What a build takes again after one picture in a hundred changed, as a share of the first one.

Real commands on a copy of a product folder, with a cache of its own: everything embedded, then nothing
changed, then some photos taken anew, then everything embedded again. CPU time holds where other work disturbs
the machine. The first build also fits the projection, which an update keeps.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.adapters.images import IMAGE_SUFFIXES, encode_jpeg, read_image

ROOT = Path(__file__).resolve().parent.parent.parent


def measure(argv: list[str]) -> dict[str, Any]:
    """Build, build again, and build after touching `--touched` photos."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench rebuild", description=__doc__)
    parser.add_argument("products", type=Path, help="a product folder, as for `spotter catalog build`")
    parser.add_argument("--model", type=Path, required=True, help="a .tflite file with its description")
    parser.add_argument("--touched", type=int, default=26)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = Path(shutil.copytree(args.products, scratch / "products"))
        pictures = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        runs = {"first": _run(scratch, folder, args.model), "unchanged": _run(scratch, folder, args.model)}
        for path in pictures[:: max(1, len(pictures) // args.touched)][: args.touched]:
            taken = np.asarray(cv2.convertScaleAbs(read_image(path), alpha=0.9, beta=4), np.uint8)
            path.unlink()
            path.with_suffix(".jpg").write_bytes(encode_jpeg(taken))
        runs["touched"] = _run(scratch, folder, args.model)
        runs["without_cache"] = _run(scratch, folder, args.model, "--no-cache")
    for kind in ("wall_s", "cpu_s"):
        for run in runs.values():
            run[f"share_of_{kind}"] = round(run[kind] / runs["first"][kind], 4)
    return {"pictures": len(pictures), "touched": args.touched, **runs}


def _run(scratch: Path, folder: Path, model: Path, *more: str) -> dict[str, Any]:
    """Seconds of the command, children included, and what it says."""
    command = ["catalog", "build", str(folder), "--model", str(model), "-o", str(scratch / "out"), "--json"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "agent", *command, *more],
        cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(scratch / "cache")},
        capture_output=True,
        check=True,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2), **json.loads(done.stdout)}
