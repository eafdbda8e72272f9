"""What it costs a device to tell a fact, from its making to the broker's answer, and whom it ever holds up.

CPU time is of the device's process alone; the broker and who listens are others. The yardstick is the MQTT
library by itself: the same bytes, nothing stored. Who puts facts is timed while all is well, while the broker
hangs, and while the disk does (as far as this can be told from outside: its writer is held up).
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.adapters.outbox import Outbox
from tools.bench._delivery import WIRE, Device, Ear, fact, seen, spread
from tools.shop_demo.processes import start_broker

if TYPE_CHECKING:
    from tools.shop_demo.processes import Program

BURST = 5
"""Facts of one frame."""

INFLIGHT = 50


class _Held(Outbox):
    """Whoever holds `disk` makes it hang."""

    def __init__(self, path: Path) -> None:
        self.disk = threading.Lock()
        super().__init__(path)

    def store(self) -> None:
        """As it is, when the disk lets it."""
        with self.disk:
            super().store()


def measure(argv: list[str]) -> dict[str, Any]:
    """Microseconds of CPU per fact, facts a second, and what `put` takes."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench publish", description=__doc__)
    parser.add_argument("--facts", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=1000.0, help="facts a second of the steady part")
    parser.add_argument("--hang", type=float, default=3.0, help="seconds that the broker and the disk hang")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as name:
        folder = Path(name)
        broker, port = start_broker(folder)
        try:
            ear = Ear(port)
            url = f"mqtt://127.0.0.1:{port}"
            figures = {
                "message_bytes": len(fact(0, "cam0", time.time()).payload),
                "library_alone_us": round(_library_alone(port, args.facts), 1),
                "steady": _sent(folder / "steady", url, args.facts, args.rate),
                "at_once": _sent(folder / "at-once", url, args.facts, 0.0),
                "put_us": _hanging(folder / "hanging", url, broker, args.hang),
            }
            ear.end()
            return figures
        finally:
            broker.stop()


def _sent(folder: Path, url: str, facts: int, rate: float) -> dict[str, Any]:
    """`rate` 0: all are put at once, and drain."""
    folder.mkdir()
    puts_s: list[float] = []
    made_s = 0.0
    with Device(folder, url) as device:
        recognised = [seen(number, "cam0", device.clock.utc()) for number in range(facts)]
        cpu, began = time.process_time(), time.monotonic()
        for number in range(0, facts, BURST):
            before = time.thread_time()
            messages = [WIRE.recognition(each) for each in recognised[number : number + BURST]]
            made_s += time.thread_time() - before
            puts_s.append(_timed_put(device, messages))
            if rate:
                time.sleep(max(0.0, began + (number + BURST) / rate - time.monotonic()))
        device.until(lambda: not device.outbox.depth()[0])
        took_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    parts_s = {"make": made_s, **device.cpu_s}
    parts_s["rest"] = cpu_s - sum(parts_s.values())  # this loop, and what collects the garbage in it
    return {
        "facts_per_s": round(facts / took_s),
        "cpu_us_per_fact": round(cpu_s / facts * 1e6, 1),
        "of_that": {name: round(spent_s / facts * 1e6, 1) for name, spent_s in parts_s.items()},
        "put_us": spread(puts_s, 1e-6),
    }


def _timed_put(device: Device, messages: list[Any]) -> float:
    began = time.perf_counter()
    device.outbox.put(messages)
    return time.perf_counter() - began


def _hanging(folder: Path, url: str, broker: Program, seconds: float) -> dict[str, Any]:
    folder.mkdir()
    outbox = _Held(folder / "outbox.db")
    with Device(folder, url, outbox=outbox) as device:
        found = {"all_well": _puts(device, seconds)}
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            found["broker_hangs"] = _puts(device, seconds)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        with outbox.disk:
            found["disk_hangs"] = _puts(device, seconds)
        device.until(lambda: not device.outbox.depth()[0])
    return found


def _puts(device: Device, seconds: float) -> dict[str, float]:
    """200 frames a second."""
    times_s = []
    for number in range(int(seconds * 200)):
        times_s.append(_timed_put(device, [fact(number, "cam0", device.clock.utc())]))
        time.sleep(0.005)
    return spread(times_s, 1e-6)


def _library_alone(port: int, facts: int) -> float:
    """CPU µs of a QoS 1 message without us."""
    payload = fact(0, "cam0", time.time()).payload
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages = 0
    flying = 0
    online = False

    def connected(*_: object) -> None:
        nonlocal online
        online = True

    def landed(*_: object) -> None:
        nonlocal flying
        flying -= 1

    client.on_connect, client.on_publish = connected, landed
    client.connect("127.0.0.1", port)
    while not online:
        client.loop(1.0)
    sent, began = 0, time.process_time()
    while sent < facts or flying:
        while flying < INFLIGHT and sent < facts:
            client.publish("spotter/bench/library/cam0/recognition", payload, 1)
            flying += 1
            sent += 1
        client.loop(1.0)
    cpu_s = time.process_time() - began
    client.disconnect()
    return cpu_s / facts * 1e6
