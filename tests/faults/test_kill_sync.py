"""Kill -9 of the whole device while it syncs: every start comes up with a release that is whole.

`SPOTTER_KILLS=300 python -m pytest -s tests/faults/test_kill_sync.py` is the long way round, with figures.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from agent.adapters.embedder import EmbedderSettings, read_spec
from agent.adapters.library import Library
from agent.sight import open_folder
from tests.support.head_office import HeadOffice, draw_catalogue
from tests.support.road import ONE_LOOK, Daemon, Road, photos_camera, until
from tests.support.static_host import StaticHost
from tests.support.tiny_models import write_tiny_model

KILLS = int(os.environ.get("SPOTTER_KILLS", "12"))
PRODUCTS = 2000  # so that each stage takes a while


class Device:
    """A state directory that daemons begin from and are killed over."""

    def __init__(self, road: Road, host: StaticHost, root: Path) -> None:
        self.road, self.host = road, host
        self.model = EmbedderSettings(file=str(road.model))
        self.library = Library(road.state)
        self.ready_s: list[float] = []
        self.first_s: list[float] = []
        self.first_cpu_s: list[float] = []
        camera = photos_camera(road.draw_photos(count=3), loop=True, fps=20)
        sync = {"url": host.url, "root": str(root), "interval_s": 1}
        settings = road.settings(camera, decision=ONE_LOOK, sync=sync, log={"level": "debug"})
        del settings["catalogue"]
        road.config.write_text(json.dumps(settings))

    def number(self) -> int:
        """Of the generation in use, which is opened to see that it is whole; 0 for none."""
        current = self.library.current()
        if current is None:
            return 0
        _, opened = open_folder(self.library.folder(current), self.model)
        opened.close()
        assert opened.release == current.release
        return current.number

    def start(self) -> Daemon:
        """A daemon that recognises with what is current, and how long that took, all imports among it."""
        current = self.library.current()
        began = time.monotonic()
        command = [sys.executable, "-m", "agent", "run", "-c", str(self.road.config)]
        daemon = Daemon(self.road.config, self.road.folder / "daemon.log", command)
        daemon.wait_for("ready: 1 cameras")
        self.ready_s.append(time.monotonic() - began)
        daemon.wait_for("decided ")
        self.first_s.append(time.monotonic() - began)
        self.first_cpu_s.append(cpu_s(daemon.process.pid))
        assert current is None or f"ready: 1 cameras, catalogue {current.release}" in daemon.text()
        return daemon

    def asked(self, path: str) -> int:
        return sum(asked.startswith(path) for asked, _, _ in self.host.asked)

    def stage(self, number: int) -> str:
        """How far the round for release `number` had come."""
        current = self.library.current()
        if current is not None and current.number == number:
            return "in use"
        if (self.road.state / "generations" / str(number)).exists():
            return "named"
        if (self.road.state / "incoming" / "generation").exists():
            return "put together or tried"
        return "fetched in part" if self.asked("blobs/") else "asked"


def cpu_s(process: int) -> float:
    """What a process has used: unlike the time on the wall it says little of what else the machine does."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.timeout(240 + 10 * KILLS)
def test_kill_of_the_device_while_it_syncs(tmp_path: Path) -> None:
    """Old or new, never none and never half; the device says so, recognises with it, and syncs on.

    Of four releases two bring a model of their own, so that the device goes over from one to the other and back.
    """
    rng = random.Random(KILLS)
    road = Road(tmp_path)
    (tmp_path / "www").mkdir()
    stages: Counter[str] = Counter()
    with StaticHost(tmp_path / "www") as host:
        office, root = HeadOffice(host.folder), tmp_path / "root.json"
        root.write_bytes(office.root_bytes)
        device = Device(road, host, root)
        own = read_spec(device.model)
        other = EmbedderSettings(file=str(write_tiny_model(tmp_path, cells=8, name="other")))
        catalogues = [
            draw_catalogue(
                tmp_path / str(seed), seed, PRODUCTS, own.fingerprint, own.dimension, (None, other)[seed // 2]
            )
            for seed in range(4)
        ]
        office.publish(catalogues[0], 1)
        with device.start() as daemon:
            until(lambda: host.asked, 20)
            began = time.monotonic()
            daemon.wait_for("recognising with release 1")
            whole_s = time.monotonic() - began
        held = 1
        for number in range(2, KILLS + 2):
            before = catalogues[(number - 2) % len(catalogues)]
            office.publish(catalogues[(number - 1) % len(catalogues)], number, patches_from=before)
            host.asked.clear()
            with device.start() as daemon:
                sign = rng.choice(["metadata/", "blobs/"])
                until(
                    lambda s=sign, n=number: device.asked(s) or device.stage(n) == "in use", 20, daemon.text
                )
                time.sleep(rng.uniform(0, 1.2 * whole_s))
                daemon.kill()
            assert "Traceback" not in daemon.text()
            stages[device.stage(number)] += 1
            assert held <= device.number() <= number
            assert device.library.notes().highest["default"] >= device.number()
            held = device.number()
        with device.start() as daemon:
            until(lambda: device.number() == KILLS + 1, 30, daemon.text)
            daemon.wait_for("ready")
            assert daemon.stop() == 0
    assert len(list((road.state / "generations").iterdir())) == 2
    assert stages["in use"] < KILLS, "it was busy when it was killed"
    figures = {"kills": KILLS, "stages": dict(stages)}
    for name in ("ready_s", "first_s", "first_cpu_s"):
        seconds = getattr(device, name)
        figures[name] = {"median": round(median(seconds), 3), "longest": round(max(seconds), 3)}
    print(json.dumps(figures))
