"""What the pages cost a device: without them, with nobody looking, and with one who looks at the live page.

Three daemons see the same drawn shelf side by side for the same seconds, so that what else the machine does
hurts them alike. The viewer does what the page does: it hears the events and gets the pictures, 960 pixels
wide, as fast as the device encodes them.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import cv2
import yaml

from tools.shop_demo import props
from tools.shop_demo.processes import free_port
from tools.synth.scenes import Bay
from tools.synth.script import Filming, eventful

ROOT = Path(__file__).resolve().parent.parent.parent
FRAMES = 24
CAMERA = "shelf-1"
READY_S = 60.0
KINDS = ("without", "nobody", "viewer")


def measure(argv: list[str]) -> dict[str, Any]:
    """Draw a shelf, build its catalogue, and let three devices look at it."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench web", description=__doc__)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--fps", type=float, default=5.0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        work = Path(scratch)
        bay = Bay(seed=3)
        model, catalogue, frames = _prepare(work, bay)
        ports = {kind: free_port() for kind in KINDS[1:]}
        daemons = {}
        for kind in KINDS:
            config = _config(work / kind, bay, model, catalogue, frames, args.fps, ports.get(kind))
            daemons[kind] = stack.enter_context(_Daemon(config))
        for port in ports.values():
            _wait_for(port)
        viewer = stack.enter_context(_Viewer(ports["viewer"]))
        time.sleep(3.0)  # what is done once is done
        before = {kind: daemon.cpu_s() for kind, daemon in daemons.items()}
        pictures, began = viewer.pictures, time.monotonic()
        time.sleep(args.seconds)
        wall = time.monotonic() - began
        seen = viewer.pictures - pictures
        cores = {kind: (daemon.cpu_s() - before[kind]) / wall for kind, daemon in daemons.items()}
    return {
        "seconds": round(wall, 1),
        "cores": {kind: round(share, 4) for kind, share in cores.items()},
        "nobody_adds_percent_of_a_core": round(100 * (cores["nobody"] - cores["without"]), 2),
        "viewer_adds_percent_of_a_core": round(100 * (cores["viewer"] - cores["without"]), 2),
        "pictures_per_s": round(seen / wall, 2),
        "picture_kb": round(viewer.bytes / max(1, viewer.pictures) / 1000, 1),
    }


def _prepare(work: Path, bay: Bay) -> tuple[Path, Path, Path]:
    """The model, a catalogue of what stands on the shelf, and pictures of the shelf."""
    model = props.find_model(work)
    products, catalogue, frames = work / "products", work / "catalogue", work / "frames"
    products.mkdir()
    props.write_products(products, bay.seed, len(bay.slots))
    command = ["catalog", "build", str(products), "--model", str(model), "-o", str(catalogue)]
    subprocess.run([sys.executable, "-m", "agent", *command], cwd=ROOT, check=True, capture_output=True)
    frames.mkdir()
    filming = Filming(eventful(bay, len(bay.slots)))
    for number in range(FRAMES):
        cv2.imwrite(str(frames / f"{number:03d}.jpg"), filming.frame(number / 4))
    return model, catalogue, frames


def _config(
    folder: Path, bay: Bay, model: Path, catalogue: Path, frames: Path, fps: float, port: int | None
) -> Path:
    folder.mkdir()
    config = folder / "spotter.yaml"
    props.write_config(
        config,
        bay=bay,
        model=model,
        catalogue=catalogue,
        stream_url=f"folder:{frames}",
        broker_port=9,
        web_port=port,
    )
    settings = yaml.safe_load(config.read_text())
    settings["cameras"][0] |= {"fps": fps, "loop": True}
    config.write_text(yaml.safe_dump(settings))
    return config


def _wait_for(port: int) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        with suppress(OSError):
            if _get(port, f"/api/cameras/{CAMERA}/picture")[0] == 200:
                return
        time.sleep(0.2)
    raise SystemExit(f"bench web: nothing is served on port {port}")


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class _Daemon:
    """`spotter run`, and what it has taken of the processor."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "agent", "run", "-c", str(config)]
        with (config.parent / "log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> _Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


class _Viewer:
    """One who looks: a stream of events, and a picture for each scene, the next when the last has come."""

    def __init__(self, port: int) -> None:
        self.pictures = 0
        self.bytes = 0
        self._port = port
        self._stopping = False
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        keep = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with socket.create_connection(("127.0.0.1", self._port), 30) as sock:
            sock.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for line in sock.makefile("rb"):
                if self._stopping:
                    break
                if line.startswith(b"event: scene"):
                    keep.request("GET", f"/api/cameras/{CAMERA}/picture?side_px=960")
                    self.bytes += len(keep.getresponse().read())
                    self.pictures += 1
        keep.close()

    def __enter__(self) -> _Viewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join(5)
