"""A whole device for tests: model, catalogue, configuration, and the daemon as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from tests.support.forked import Forked, forked
from tests.support.patience import PATIENCE
from tests.support.tiny_models import write_tiny_model

ROOT = Path(__file__).resolve().parent.parent.parent
COLOURS = 12


def picture(product: int, view: int, size: int = 96) -> np.ndarray:
    """A drawn package of `product`: four coloured quarters that differ from product to product."""
    rng = np.random.default_rng(1000 + product)
    quarters = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = cv2.resize(quarters, (size, size), interpolation=cv2.INTER_NEAREST)
    noise = np.random.default_rng(product * 100 + view).normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def spotter(*args: str, errors: str = "strict", timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end, in a process of its own; what it printed is decoded with this handling of errors."""
    return forked(args, timeout_s, errors)


def told(*args: str) -> dict[str, Any]:
    """What one verb says with `--json`."""
    done = spotter(*args, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@dataclass
class Road:
    """A folder with everything one device has."""

    folder: Path
    broker_port: int = 1883
    model: Path = field(init=False)
    catalogue: Path = field(init=False)
    state: Path = field(init=False)
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "model").mkdir(parents=True, exist_ok=True)
        self.model = write_tiny_model(self.folder / "model")
        self.catalogue = self.folder / "catalogue"
        self.state = self.folder / "state"
        self.config = self.folder / "spotter.yaml"

    def build(self, products: int = COLOURS, views: int = 3) -> None:
        """Draw the products and build the catalogue with the real command."""
        for product in range(products):
            images = self.folder / "products" / f"sku-{product:02d}"
            images.mkdir(parents=True)
            for view in range(views):
                cv2.imwrite(str(images / f"{view}.png"), picture(product, view))
        done = spotter(
            "catalog", "build", str(self.folder / "products"),
            "--model", str(self.model), "-o", str(self.catalogue), "--jobs", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def draw_photos(self, name: str = "photos", count: int = COLOURS, start: int = 0) -> Path:
        """A folder of new views, one product each, named so that their order is known."""
        photos = self.folder / name
        photos.mkdir(exist_ok=True)
        for number in range(start, start + count):
            cv2.imwrite(
                str(photos / f"{number:04d}-sku-{number % COLOURS:02d}.png"),
                picture(number % COLOURS, 50 + number),
            )
        return photos

    def settings(self, *cameras: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The configuration as plain data."""
        return {
            "site": "test",
            "device": "dev-1",
            "state_dir": str(self.state),
            "model": {"file": str(self.model)},
            "catalogue": {"path": str(self.catalogue)},
            "mqtt": {"url": f"mqtt://127.0.0.1:{self.broker_port}"},
            "cameras": list(cameras),
            **more,
        }

    def configure(self, *cameras: dict[str, Any], **more: Any) -> Path:
        """Write the configuration."""
        self.config.write_text(yaml.safe_dump(self.settings(*cameras, **more), sort_keys=False))
        return self.config

    def start(self, log: str = "daemon.log") -> Daemon:
        """Start `spotter run`."""
        return Daemon(self.config, self.folder / log)


class Daemon:
    """`spotter run` as a process; what it says goes to a file, which survives kill -9."""

    def __init__(self, config: Path, log: Path, command: list[str] | None = None) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = (
                subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=file)
                if command
                else Forked(("run", "-c", str(config)), file.fileno(), file.fileno())
            )

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, words: str, timeout_s: float = 30.0) -> None:
        """Until the log holds `words`."""
        until(lambda: words in self.text() or self.process.poll() is not None, timeout_s, self.text)
        assert words in self.text(), self.text()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s * PATIENCE)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


def until(done: Any, timeout_s: float, say: Any = lambda: "") -> None:
    """Poll until `done()`; fail with `say()` after `timeout_s` of a quiet machine."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"not within {timeout_s * PATIENCE:g} s: {say()}"
        time.sleep(0.02)


def photos_camera(photos: Path, **more: Any) -> dict[str, Any]:
    """Single pictures, each a scene of its own, answered at the first look."""
    return {"id": "cam", "source": f"folder:{photos}", "independent": True, **more}


ONE_LOOK = {"looks": 1, "window": 1}
"""`decision` for single pictures."""


def recognitions(messages: list[Any], phase: str = "new") -> list[dict[str, Any]]:
    """Payloads of the recognitions among received messages."""
    found = [json.loads(m.payload) for m in messages if m.topic.endswith("/recognition")]
    return [payload for payload in found if payload["phase"] == phase]
