"""What a build takes again after one picture in a hundred changed, as a share of the first one.

Real commands on a copy of a product folder, with a cache of its own: everything embedded, then nothing
changed, then some photos taken anew, then everything embedded again. CPU time holds where other work disturbs
the machine. The first build also fits the projection, which an update keeps.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.adapters.images import IMAGE_SUFFIXES, encode_jpeg, read_image
from tools.bench._all_of_it import spotter


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
    """Seconds of the command, all its processes, and what it says."""
    command = ["catalog", "build", str(folder), "--model", str(model), "-o", str(scratch / "out")]
    kept = os.environ | {"XDG_CACHE_HOME": str(scratch / "cache")}
    wall_s, cpu_s, said = spotter(*command, *more, env=kept)
    return {"wall_s": round(wall_s, 2), "cpu_s": round(cpu_s, 2), **said}
