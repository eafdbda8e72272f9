"""Whatever the disk and the connection do in between: every fact goes out once at least, each topic in order.

Random journeys of the real outbox and the real lanes: the disk is full and is not (the kernel refuses to let
files of this process grow), the connection breaks, the process starts anew, acknowledgements come late.
`SPOTTER_JOURNEYS=2000` is the long way round.
"""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.adapters.outbox import Outbox
from agent.core.delivery import Outcome
from agent.core.errors import DeviceError
from agent.core.lanes import ASIDE, Lanes
from agent.core.types import Message

JOURNEYS = int(os.environ.get("SPOTTER_JOURNEYS", "60"))
STEPS = 60
TOPICS = ("a", "b")


class Journey:
    """One device, driven by hand."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.path, self.rng = path, rng
        self.outbox = Outbox(path)
        self.lanes = Lanes()
        self.lanes.up(7)
        self.put_so_far = 0
        self.breaks = 0
        self.flying: list[int] = []
        self.arrived: dict[str, list[int]] = {topic: [] for topic in TOPICS}

    def put(self) -> None:
        facts = []
        for _ in range(self.rng.randint(1, 9)):
            number = self.put_so_far
            facts.append(Message(TOPICS[self.rng.random() < 0.3], b"%d" % number, "", 0.0))
            self.put_so_far += 1
        self.outbox.put(facts)

    def store(self) -> None:
        with suppress(DeviceError):
            self.outbox.store()

    def sync(self) -> None:
        with suppress(DeviceError):
            self.outbox.sync()

    def send(self) -> None:
        """As the publisher does it."""
        for topic, after, count in self.lanes.offers(self.outbox.topics(), 0.0):
            self._send(topic, after, count)

    def _send(self, topic: str, after: int, count: int) -> None:
        while stored := self.outbox.pending(after, count, topic):
            for item in stored:
                may = self.lanes.send(item)
                if may is None:
                    return
                if may:
                    self.flying.append(item.seq)
                    self.arrived[topic].append(int(item.message.payload))
                count -= may
            after = stored[-1].seq
            if count == 0:
                return

    def acknowledge(self) -> None:
        count = self.rng.randint(0, len(self.flying))
        done = [s for s in self.flying[:count] if self.lanes.acked(s, Outcome.ACCEPTED, 0.0, 0.0)]
        del self.flying[:count]
        self.outbox.delivered(done)

    def fill_disk(self) -> None:
        limit(self.path.with_name(f"{self.path.name}-wal").stat().st_size + self.rng.choice([0, 5000]))

    def empty_disk(self) -> None:
        limit(None)

    def lose_connection(self) -> None:
        if self.breaks < ASIDE - 2:  # more, and what was under way each time is set aside
            self.breaks += 1
            self.flying.clear()
            self.lanes.down(0.0)
            self.lanes.up(7)

    def start_anew(self) -> None:
        """In good order; what was under way is sent again."""
        self.empty_disk()
        self.outbox.close()
        self.outbox = Outbox(self.path)
        self.flying.clear()
        self.lanes = Lanes()
        self.lanes.up(7)

    def end(self) -> None:
        self.empty_disk()
        for _ in range(self.put_so_far + 10):
            self.outbox.sync()
            self.send()
            done = [s for s in self.flying if self.lanes.acked(s, Outcome.ACCEPTED, 0.0, 0.0)]
            self.flying.clear()
            self.outbox.delivered(done)
        self.outbox.close()


def limit(size: int | None) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@pytest.fixture(autouse=True)
def unlimited() -> Iterator[None]:
    yield
    limit(None)


@pytest.mark.timeout(240 + JOURNEYS)
def test_every_fact_goes_out_in_its_place(tmp_path: Path) -> None:
    for number in range(JOURNEYS):
        journey = Journey(tmp_path / f"{number}.db", random.Random(number))
        ways = [journey.put, journey.store, journey.sync, journey.send, journey.send, journey.acknowledge]
        ways += [journey.put, journey.sync, journey.acknowledge, journey.fill_disk, journey.empty_disk]
        ways += [journey.lose_connection, journey.start_anew]
        for _ in range(STEPS):
            journey.rng.choice(ways)()
        journey.end()
        first = {topic: list(dict.fromkeys(found)) for topic, found in journey.arrived.items()}
        assert sorted(n for found in first.values() for n in found) == [*range(journey.put_so_far)], number
        assert all(found == sorted(found) for found in first.values()), number
        assert journey.outbox.depth() == (0, 0), number
