"""A day without a broker, and how the backlog drains beside what happens meanwhile.

Time is passed in while the broker is away, so a day takes minutes; each second's facts are stored and flushed
as a device does it. Then the broker is there, and facts go on at the same rate on two topics: one that has a
backlog, and one that has none. A topic keeps its order, so on the first of them the backlog comes first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

from agent.adapters.outbox import Outbox, OutboxSettings
from agent.storing import Storer
from tools.bench._delivery import Device, Ear, fact, resident_mb, spread
from tools.shop_demo.processes import start_broker

BUSY, IDLE = "busy", "idle"
"""The camera whose facts wait, and one that begins when the broker is back."""

LIVE_S = 5.0
"""For so long live facts go on after the backlog is gone."""


class _Passing:
    """A clock that is moved by hand."""

    def __init__(self, utc: float) -> None:
        self.at, self._utc = 0.0, utc

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self.at

    def utc(self) -> float:
        """Unix seconds."""
        return self._utc + self.at

    def wait(self, _seconds: float) -> bool:
        """Nobody sleeps."""
        return False


def measure(argv: list[str]) -> dict[str, Any]:
    """Memory and disk over the outage, messages a second after it, ages of live facts in seconds."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench outage", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--rate", type=int, default=5, help="facts a second")
    parser.add_argument("--max-bytes", type=int, default=OutboxSettings().max_bytes)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as name:
        folder = Path(name)
        outbox = Outbox(folder / "outbox.db", OutboxSettings(max_bytes=args.max_bytes))
        away = _away(outbox, int(args.hours * 3600), args.rate)
        return {"away": away} | _back(folder, outbox, args.rate, away["facts"])


def _away(outbox: Outbox, seconds: int, rate: int) -> dict[str, Any]:
    clock = _Passing(time.time() - seconds)
    storer = Storer(outbox, lambda: None, lambda _reason: None, clock)
    memory_mb, began, cpu = [], time.monotonic(), time.process_time()
    for second in range(seconds):
        clock.at = float(second)
        outbox.put([fact(second * rate + n, BUSY, clock.utc()) for n in range(rate)])
        storer.round()
        if second % (1 + seconds // 20) == 0:
            memory_mb.append(round(resident_mb(), 1))
    waiting, size = outbox.depth()
    return {
        "facts": seconds * rate,
        "took_s": round(time.monotonic() - began, 1),
        "cpu_us_per_fact": round((time.process_time() - cpu) / (seconds * rate) * 1e6, 1),
        "waiting": waiting,
        "bytes": size,
        "dropped": outbox.dropped,
        "file_mb": round(outbox.path.stat().st_size / 1e6, 1),
        "memory_mb_in_twentieths": memory_mb,
    }


def _back(folder: Path, outbox: Outbox, rate: int, facts: int) -> dict[str, Any]:
    broker, port = start_broker(folder)
    try:
        ear = Ear(port)
        began, memory_mb = time.monotonic(), 0.0
        backlog = outbox.depth()[0]
        live = count(facts)
        with Device(folder, f"mqtt://127.0.0.1:{port}", outbox=outbox) as device:
            drained_s, told = 0.0, 0
            while not drained_s or time.monotonic() < began + drained_s + LIVE_S:
                number = next(live)
                device.outbox.put([fact(number, camera, time.time()) for camera in (BUSY, IDLE)])
                told += 1
                time.sleep(1 / rate)
                memory_mb = max(memory_mb, resident_mb())
                if not drained_s and device.outbox.depth()[0] < 10 * rate:
                    drained_s = time.monotonic() - began
            device.until(lambda: not device.outbox.depth()[0] and not device.outbox.losses())
        heard = ear.end()
    finally:
        broker.stop()
    busy, idle = (heard["topics"][f"{camera}/recognition"] for camera in (BUSY, IDLE))
    return {
        "drain": {
            "facts_per_s": round(backlog / drained_s),
            "seconds": round(drained_s, 1),
            "cpu_us_per_fact": round(sum(device.cpu_s.values()) / backlog * 1e6, 1),
            "memory_mb": round(memory_mb, 1),
        },
        "live_age_s": {
            "topic_without_backlog": spread(idle["ages_s"], 1.0, 2),
            "topic_with_backlog": spread(busy["ages_s"][-told:], 1.0, 2),
        },
        "in_order": busy["in_order"] and idle["in_order"],
        "repeated": busy["messages"] - busy["different"],
        "arrived": busy["different"] - told,
        "told_as_lost": heard["lost"],
        "arrived_and_lost_are_all": busy["different"] - told + heard["lost"] == facts,
    }
