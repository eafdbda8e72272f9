"""The power goes at any moment: the disk keeps what was flushed, and of the rest whatever it likes.

`SPOTTER_CUTS=300 python -m pytest -s tests/faults/test_power_cut.py` is the long way round.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from agent.adapters.outbox import Outbox
from agent.core.types import Message
from agent.sync import Result
from tests.support.device import Device
from tests.support.head_office import HeadOffice, draw_catalogue
from tests.support.recorded_disk import RecordedDisk, why_not
from tests.support.static_host import StaticHost

CUTS = int(os.environ.get("SPOTTER_CUTS", "24"))
ROUNDS = 12
FACTS = 5  # between two rounds


@dataclass(frozen=True)
class Promise:
    """What a device relied on from some moment on."""

    moment: int  # of the disk
    number: int  # of the release in use
    facts: frozenset[str]  # ids that were flushed and not delivered


def fact(number: int) -> Message:
    return Message(f"spotter/test/{number}", b"{}", f"{number:032x}", utc=float(number))


def work(disk: RecordedDisk, office: HeadOffice, device: Device, catalogues: list[Path]) -> list[Promise]:
    """Take a release, decide some facts, deliver some: again and again."""
    promises = [Promise(0, 0, frozenset())]
    outbox = Outbox(device.state / "outbox.db")
    held: list[str] = []
    for number in range(1, ROUNDS + 1):
        before = catalogues[(number - 2) % len(catalogues)] if number > 1 else None
        office.publish(catalogues[(number - 1) % len(catalogues)], number, patches_from=before)
        assert device.round().result == Result.TAKEN
        promises.append(Promise(disk.moment(), number, frozenset(held)))
        for _ in range(FACTS):
            message = fact(FACTS * number + len(held))
            outbox.put([message])
            held.append(message.id)
        outbox.sync()
        promises.append(Promise(disk.moment(), number, frozenset(held)))
        delivered = outbox.pending(limit=FACTS + 2)
        held = held[len(delivered) :]
        promises.append(Promise(disk.moment(), number, frozenset(held)))
        outbox.delivered([stored.seq for stored in delivered])
        if number % 4 == 0:
            office.rotate("root" if number % 8 else "timestamp")  # so that the cache has more than one root
            device.restart()
    outbox.close()
    return promises


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * CUTS)
@pytest.mark.parametrize("system", ["ext4", "xfs"])
def test_the_power_is_cut(system: str, tmp_path: Path) -> None:
    """What was in use is, whole; no fact is lost; no older release can come back; and syncing goes on."""
    if reason := why_not(system):
        pytest.skip(reason)
    rng = Random(f"{system} {CUTS}")
    catalogues = [draw_catalogue(tmp_path / f"catalogue-{seed}", seed, products=100) for seed in range(4)]
    (tmp_path / "www").mkdir()
    (tmp_path / "disk").mkdir()
    found: Counter[str] = Counter()
    with StaticHost(tmp_path / "www") as host:
        office, root = HeadOffice(host.folder), tmp_path / "root.json"
        root.write_bytes(office.root_bytes)
        disk = RecordedDisk(tmp_path / "disk", system)
        with disk:
            (disk.mounted / "state").mkdir()
            promises = work(disk, office, Device(disk.mounted / "state", host, root), catalogues)
        for moment, image in disk.cuts(disk.moments(CUTS, rng), rng):
            promise = [promise for promise in promises if promise.moment <= moment][-1]
            with disk.remounted(image) as mounted:
                (mounted / "state").mkdir(exist_ok=True)
                device = Device(mounted / "state", host, root)
                found["old" if device.number == promise.number else "new"] += 1
                check(device, promise)
    print(f"{system}: {CUTS} cuts, {dict(found)}")
    assert found["old"] > CUTS / 4


def check(device: Device, promise: Promise) -> None:
    number, notes = device.number, device.library.notes()
    assert promise.number <= number <= promise.number + 1
    assert notes.highest.get("default", 0) >= number
    outbox = Outbox(device.state / "outbox.db")
    assert outbox.moved_aside is None
    kept = {stored.message.id for stored in outbox.pending(limit=1000)}
    outbox.close()
    assert promise.facts <= kept
    assert device.round().result == (Result.UNCHANGED if number == ROUNDS else Result.TAKEN)
    assert device.number == ROUNDS
    incoming = device.state / "incoming"
    assert not incoming.exists() or not list(incoming.iterdir())
