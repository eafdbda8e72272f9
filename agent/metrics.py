"""Counters and times of one process, passed to whoever counts; never global."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from agent.core.durations import BUCKETS_S, Durations, bucket
from agent.core.settings import check_range, setting

KEPT_TIMES = 512
"""Latest measurements kept per name: enough for a 95th percentile, 4 KB each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Numbers of the running daemon."""

    interval_s: int = setting("seconds from one message on /metrics to the next; 0: none", 60)

    def __post_init__(self) -> None:
        check_range("interval_s", self.interval_s, 0, 86_400)


@dataclass(slots=True)
class Metrics:
    """Thread-safe. Names are dotted, with the camera last: `frames.taken.shelf-1`."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: dict[str, int] = field(default_factory=dict)
    _values: dict[str, float] = field(default_factory=dict)
    _times: dict[str, deque[float]] = field(default_factory=dict)
    _buckets: dict[str, list[int]] = field(default_factory=dict)
    _sums_s: dict[str, float] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + by

    def set(self, name: str, value: float) -> None:
        """What something is now."""
        with self._lock:
            self._values[name] = value

    def time(self, name: str, seconds: float) -> None:
        """Keep one duration."""
        with self._lock:
            if name not in self._times:
                self._times[name] = deque(maxlen=KEPT_TIMES)
                self._buckets[name] = [0] * (len(BUCKETS_S) + 1)
                self._sums_s[name] = 0.0
            self._times[name].append(seconds)
            self._buckets[name][bucket(seconds)] += 1
            self._sums_s[name] += seconds

    def snapshot(self) -> dict[str, float]:
        """Counters and values as they are; durations as `<name>.p50_ms` and `<name>.p95_ms`."""
        with self._lock:
            counts = {**self._counts, **self._values}
            times = {name: sorted(kept) for name, kept in self._times.items()}
        result: dict[str, float] = dict(counts)
        for name, kept in times.items():
            result[f"{name}.p50_ms"] = round(percentile(kept, 50) * 1e3, 3)
            result[f"{name}.p95_ms"] = round(percentile(kept, 95) * 1e3, 3)
        return result

    def durations(self) -> dict[str, Durations]:
        """All that was ever given to `time`, by name."""
        with self._lock:
            return {
                name: Durations(tuple(counts), self._sums_s[name]) for name, counts in self._buckets.items()
            }


def percentile(ordered: list[float], share: float) -> float:
    """Nearest-rank percentile of an ascending, non-empty list."""
    return ordered[min(len(ordered) - 1, round(share / 100 * (len(ordered) - 1)))]
