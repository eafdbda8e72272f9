"""How often one address may ask what: a bucket for each, of those that asked last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from agent.core.requests import Bucket

_HELD: Final = 2048
"""Buckets, some 200 bytes each. Who has more addresses than that is not held up by counting them."""


class Limits:
    """For the thread of the server."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def wait_s(self, peer: str, what: str, per_minute: float, burst: int, now: float) -> float:
        """Count one: 0. Where there were too many: seconds until it may come again."""
        key = (peer, what)
        bucket = self._buckets.pop(key, None) or Bucket(per_minute, burst)
        self._buckets[key] = bucket
        while len(self._buckets) > _HELD:
            self._buckets.popitem(last=False)
        return bucket.wait_s(now)
