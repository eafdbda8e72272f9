"""How long a device takes from the start of its process to recognising, and which part takes how much.

The catalogue is drawn: random unit vectors. It lies in the state directory as a synced release does, and the
server of the configuration does not answer, nor does the broker. Every figure is the median of several starts
of real processes with a warm page cache; on a board that has just got its power the card comes on top.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.generations import write_pointer
from agent.adapters.images import encode_png
from agent.adapters.library import Library
from agent.benching import drawn_catalogue, drawn_picture
from agent.core.syncing import Generation
from agent.publishing.keys import Passphrases, create_keys

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = 3
_LIMIT_S = 60.0
_PARTS = """
import json, sys, time
began = last = time.perf_counter()
parts = {}
def mark(name):
    global last
    now = time.perf_counter()
    parts[name] = round(1000 * (now - last), 1)
    last = now
import agent.daemon
from agent.adapters.embedder import load_embedder
from agent.parts import load_config, make_sync, open_sight
mark("imports_ms")
settings = load_config(sys.argv[1])
mark("configuration_ms")
load_embedder(settings.model)
mark("model_ms")
open_sight(settings)
mark("model_and_catalogue_ms")
from agent.adapters.system import SystemClock
make_sync(settings, SystemClock())
mark("sync_ms")
print(json.dumps(parts))
"""
"""What `Daemon.__init__` does, in its order; the start of Python itself is what is missing to the whole."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Draw the catalogue, then start from it again and again."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench startup", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a .tflite file with its description")
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--starts", type=int, default=9)
    parser.add_argument("--work", type=Path, help="a folder that keeps the drawn catalogue for next time")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        work = (args.work or Path(scratch)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        config = _prepare(work, args.model.absolute(), args.references)
        parts = [_parts(config) for _ in range(args.starts)]
        whole = [_start(config) for _ in range(args.starts)]
        folder = work / "state" / "generations" / "1"
        size = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "references": args.references,
        "catalogue_bytes": size,
        "parts": {name: median(run[name] for run in parts) for name in parts[0]},
        "ready_s": _spread([ready for ready, _ in whole]),
        "first_recognition_s": _spread([first for _, first in whole]),
    }


def _prepare(work: Path, model: Path, references: int) -> Path:
    """A device that holds release 1; the path of its configuration."""
    state, keys, photos = work / "state", work / "keys", work / "photos"
    folder = state / "generations" / "1"
    if not folder.exists():
        eyes = load_embedder(EmbedderSettings(file=str(model)))
        folder.parent.mkdir(parents=True)
        catalogue = drawn_catalogue(folder, eyes, references)
        catalogue.close()
        create_keys(keys, Passphrases(), now_utc=time.time())
        photos.mkdir()
        for number in range(PICTURES):
            (photos / f"{number}.png").write_bytes(encode_png(drawn_picture(number)))
        generation = Generation("1", "default", 1, catalogue.release, "0" * 64)
        write_pointer(state / "current", generation, None)
    if Library(state).current() is None:
        raise SystemExit(f"{work}: expected a folder that this measurement made")
    settings = {
        "site": "bench",
        "device": "bench",
        "state_dir": str(state),
        "model": {"file": str(model)},
        "mqtt": {"url": "mqtt://127.0.0.1:1"},
        "sync": {"url": "http://127.0.0.1:1", "root": str(keys / "root.json"), "interval_s": 3600},
        "decision": {"looks": 1, "window": 1},
        "cameras": [
            {"id": "cam", "source": f"folder:{photos}", "independent": True, "loop": True, "fps": 20}
        ],
    }
    config = work / "spotter.yaml"
    config.write_text(json.dumps(settings))
    return config


def _parts(config: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _PARTS, str(config)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _start(config: Path) -> tuple[float, float]:
    """Seconds from the start of `spotter run` to READY, and to the first recognition in the outbox."""
    outbox = config.parent / "state" / "outbox.db"
    for file in outbox.parent.glob("outbox.db*"):
        file.unlink()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        address = f"{folder}/notify"
        notify.bind(address)
        notify.settimeout(_LIMIT_S)
        began = time.monotonic()
        daemon = subprocess.Popen(
            [sys.executable, "-m", "agent", "run", "-c", str(config)],
            cwd=ROOT,
            env={**os.environ, "NOTIFY_SOCKET": address},
            stderr=subprocess.DEVNULL,
        )
        try:
            while not notify.recv(4096).startswith(b"READY=1"):
                pass
            ready = time.monotonic() - began
            with sqlite3.connect(outbox) as database:
                asked = "SELECT 1 FROM messages WHERE topic LIKE '%/recognition' LIMIT 1"
                while not database.execute(asked).fetchone():
                    if time.monotonic() - began > _LIMIT_S:
                        raise SystemExit(f"startup: expected a recognition within {_LIMIT_S:g} s, found none")
                    time.sleep(0.005)
            first = time.monotonic() - began
            database.close()
        finally:
            daemon.kill()
            daemon.wait()
    return ready, first


def _spread(seconds: list[float]) -> dict[str, float]:
    return {"median": round(median(seconds), 3), "longest": round(max(seconds), 3)}
