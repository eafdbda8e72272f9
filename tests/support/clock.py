"""A clock that tests move by hand."""

from __future__ import annotations


class ManualClock:
    """Time stands still but for `wait`, which moves it at once and never sleeps."""

    def __init__(self, at: float = 1000.0, utc: float = 1_767_225_600.0) -> None:
        self.at = at
        self.offset = utc - at
        self.stopped = False
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.at

    def utc(self) -> float:
        return self.at + self.offset

    def wait(self, seconds: float) -> bool:
        if not self.stopped and seconds > 0:
            self.waits.append(seconds)
            self.at += seconds
        return self.stopped

    def stop(self) -> None:
        self.stopped = True
