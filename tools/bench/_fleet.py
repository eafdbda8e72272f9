"""As a program, some devices of `tools.bench fleet`: they tell facts from `go` to `stop`, and then report.

The input's end ends them.
"""

from __future__ import annotations

import json
import logging
import select
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.adapters.broker import BrokerSettings
from agent.adapters.broker.packets import of_message, packet_size
from agent.core.settings import Secret
from agent.core.wire import IndexStatus, Wire
from tools.bench._delivery import Device, resident_mb, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

FLEET = "spotter-bench"
"""First part of every topic: what a broker has of real devices stays apart."""

CAMERA = "cam0"
SHOP = 20
"""Devices of one site."""

_LOOK_S = 0.05
_LIMIT_S = 300.0


def wire_of(number: int) -> Wire:
    """Topics of one device."""
    return Wire(FLEET, f"site-{number // SHOP:04}", f"device-{number:05}")


def settings_of(way: dict[str, str]) -> BrokerSettings:
    """How the broker is reached."""
    return BrokerSettings(
        url=way["url"],
        username=way["username"],
        password=Secret(way["password"]) if way["password"] else None,
        ca=way["ca"],
    )


class _Worker:
    def __init__(self, plan: dict[str, Any]) -> None:
        self._before_mb = resident_mb()
        self._every_s = 1 / (plan["rate"] * len(plan["devices"]))
        self._devices = [_device(number, Path(plan["folder"]), plan["broker"]) for number in plan["devices"]]
        self._online_at: dict[int, float] = {}
        self._was: list[bool] = [False] * len(self._devices)
        self._ids: list[str] = []
        self._next = 0
        self._due = 0.0
        self._looked_at = 0.0
        self._sizes = (0, 0)  # payload and packet

    def run(self) -> None:
        """Until the input ends."""
        _say({"devices": len(self._devices)})
        telling, cpu_s = False, 0.0
        while True:
            if telling:
                self._put(time.monotonic())
            self._look()
            pause_s = max(0.0, min(_LOOK_S, self._due - time.monotonic())) if telling else _LOOK_S
            if not select.select([sys.stdin], [], [], pause_s)[0]:
                continue
            word = sys.stdin.readline().strip()
            if word == "connect":
                for device in self._devices:
                    device.start()
                self._wait()
                _say({"online_at": self._online_at})
            elif word == "go":
                telling, self._due, cpu_s = True, time.monotonic(), time.process_time()
                self._online_at.clear()
            elif word == "stop":
                telling = False
                self._wait()
                _say(self._report(time.process_time() - cpu_s))
            else:
                break
        for device in self._devices:
            device.end()

    def _put(self, now: float) -> None:
        while self._due <= now:
            self._due += self._every_s
            number, place = divmod(self._next, len(self._devices))
            self._next += 1
            device = self._devices[place]
            message = device.wire.recognition(seen(number, CAMERA, time.time()))
            device.outbox.put([message])
            self._ids.append(message.id)
            self._sizes = (len(message.payload), packet_size(message, of_message(message, 0)))

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        for place, device in enumerate(self._devices):
            online = device.publisher.status.online
            if online and not self._was[place]:
                self._online_at[place] = time.time()
            self._was[place] = online

    def _wait(self) -> None:
        """Until all are online and have told everything."""
        end = time.monotonic() + _LIMIT_S
        while not (all(self._was) and all(_idle(device) for device in self._devices)):
            if time.monotonic() > end:
                raise TimeoutError(f"{self._was.count(False)} of {len(self._was)} devices are not online")
            time.sleep(_LOOK_S)
            self._look()

    def _report(self, cpu_s: float) -> dict[str, Any]:
        ids, self._ids = self._ids, []
        return {
            "devices": len(self._devices),
            "ids": ids,
            "online_at": self._online_at,
            "cpu_s": cpu_s,
            "grown_mb": resident_mb() - self._before_mb,
            "dropped": sum(device.outbox.dropped for device in self._devices),
            "payload_bytes": self._sizes[0],
            "packet_bytes": self._sizes[1],
        }


def _device(number: int, folder: Path, way: dict[str, str]) -> Device:
    """One with the states that each has, so that a new connection costs what it costs."""
    wire, now = wire_of(number), time.time()
    mine = folder / f"{number}"
    mine.mkdir()
    device = Device(mine, settings_of(way), wire=wire)
    versions = {"spotter": "0", "python": "3", "runtime": "none"}
    capabilities = ["recognition"]
    release = "2026-01-01-0123456789abcdef"
    for message in (
        wire.info(utc=now, versions=versions, model="base", release=release, capabilities=capabilities),
        wire.health("ok", {}, now),
        wire.index(IndexStatus(release=release, model="base", products=1000, references=5000), now),
        wire.camera_status(CAMERA, "online", "", now),
    ):
        device.publisher.set_state(message)
    return device


def _idle(device: Device) -> bool:
    return not device.outbox.depth()[0] and not device.publisher.status.flying


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main(argv: Sequence[str]) -> None:
    """The plan is in the first argument."""
    logging.getLogger("agent").setLevel(logging.ERROR)  # 500 devices say 500 times that the broker is away
    _Worker(json.loads(argv[1])).run()


if __name__ == "__main__":
    main(sys.argv)
