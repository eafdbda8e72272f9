"""A device from its facts to the broker, built as the daemon builds it, and an ear in another process."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.outbox import Outbox, OutboxSettings
from agent.adapters.system import SystemClock
from agent.core.types import NamedOption, Phase, Product, Recognition, Region, Track, Verdict
from agent.core.wire import Wire
from agent.publisher import Publisher
from agent.storing import Storer

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.types import Message

ROOT = Path(__file__).resolve().parent.parent.parent
WIRE = Wire("spotter", "bench", "device")
_LIMIT_S = 600.0
_OPTIONS = tuple(
    NamedOption(
        f"4006381{n:06}", f"Oat drink {n}", 0.9 - n / 10, 0.9 - n / 4, f"images/4006381{n:06}/front.jpg"
    )
    for n in range(3)
)
_SEEN = Recognition(
    track=Track("0", "cam0", Region((10, 20, 110, 220), name="a1"), 5.0, 0.0, 7.0, 2.0, 9, ()),
    phase=Phase.NEW,
    revision=0,
    verdict=Verdict.KNOWN,
    product=Product(no=3, sku=_OPTIONS[0].sku, gtin="04006381333931", name=_OPTIONS[0].name),
    probability=0.987654321,
    similarity=0.91234567,
    margin=0.1,
    reason="",
    options=_OPTIONS,
    release="2026-01-01-0123456789abcdef",
    at=7.0,
    utc=1_767_225_602.0,
)  # fmt: skip


def seen(number: int, camera: str, utc: float) -> Recognition:
    """What recognising gives; `number` stands as its track."""
    track = replace(_SEEN.track, id=f"{number:08x}", camera=camera)
    return replace(_SEEN, track=track, utc=utc)


def fact(number: int, camera: str, utc: float) -> Message:
    """The same as devices tell it: some 900 bytes."""
    return WIRE.recognition(seen(number, camera, utc))


class Device:
    """`with Device(folder, url) as device:` stores and publishes what is put into `device.outbox`."""

    def __init__(
        self,
        folder: Path,
        broker: str | BrokerSettings,
        settings: OutboxSettings | None = None,
        outbox: Outbox | None = None,
        wire: Wire = WIRE,
    ) -> None:
        """`broker`: its address, or how else it is reached."""
        self.clock = SystemClock()
        self.wire = wire
        self.outbox = outbox or Outbox(folder / "outbox.db", settings)
        way = BrokerSettings(url=broker) if isinstance(broker, str) else broker
        network = Broker(way, wire.root, wire.availability("offline"), self.clock)
        self.publisher = Publisher(self.outbox, network, wire, self.clock)
        self._storer = Storer(self.outbox, self.publisher.wake, lambda _reason: None, self.clock)
        self.cpu_s = {"store": 0.0, "publish": 0.0}
        self._threads = [
            threading.Thread(target=self._timed, args=("store", self._storer.run)),
            threading.Thread(target=self._timed, args=("publish", self._publish)),
        ]

    def start(self) -> None:
        """Begin, and do not wait for the broker."""
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Device:
        self.start()
        self.until(lambda: self.publisher.status.online)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Say farewell, and close the files."""
        self.clock.stop()
        self.outbox.put([])  # wakes who stores
        self.publisher.wake()
        for thread in self._threads:
            thread.join()
        self.publisher.close()
        self.outbox.close()

    def until(self, done: Callable[[], Any]) -> None:
        """Wait for it.

        Raises:
            TimeoutError: it takes longer than ten minutes.
        """
        end = time.monotonic() + _LIMIT_S
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.publisher.status}, {self.outbox.depth()}")
            time.sleep(0.02)

    def _publish(self) -> None:
        while not self.clock.wait(0.0):
            self.publisher.step(1.0)

    def _timed(self, name: str, work: Callable[[], None]) -> None:
        began = time.thread_time()
        work()
        self.cpu_s[name] = time.thread_time() - began


class Ear:
    """Hears everything, at QoS 0 so that the broker has little to do; `end()` is what it heard."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.bench._ear", str(port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it has subscribed

    def end(self) -> dict[str, Any]:
        """By topic: messages, different ones, whether each first came in its place, how old they were."""
        output, _ = self._process.communicate(b"end", timeout=60)
        return dict(json.loads(output))


def resident_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def spread(values: list[float], unit: float, digits: int = 1) -> dict[str, float]:
    """Of a list that is not empty, in that unit."""
    ordered = sorted(values)
    at = {"p50": len(ordered) // 2, "p99": int(len(ordered) * 0.99), "max": len(ordered) - 1}
    return {name: round(ordered[place] / unit, digits) for name, place in at.items()}
