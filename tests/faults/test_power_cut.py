"""The power goes at any moment: the disk keeps what was flushed, and of the rest whatever it likes.

`SPOTTER_CUTS=300 python -m pytest -s tests/faults/test_power_cut.py` is the long way round.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from agent.adapters.embedder import EmbedderSettings, read_spec
from agent.adapters.outbox import Outbox
from agent.adapters.overlay import Overlay
from agent.core.syncing import Result
from agent.core.types import Message
from tests.support.device import Device
from tests.support.head_office import HeadOffice, draw_catalogue
from tests.support.pictures import coded, scene
from tests.support.recorded_disk import RecordedDisk, why_not
from tests.support.static_host import StaticHost
from tests.support.tiny_models import write_tiny_model

CUTS = int(os.environ.get("SPOTTER_CUTS", "24"))
ROUNDS = 12
FACTS = 5  # between two rounds
ROW = np.float32([0.6, 0.8])


@dataclass(frozen=True)
class Promise:
    """What a device relied on from some moment on."""

    moment: int  # of the disk
    number: int  # of the release in use
    facts: frozenset[str]  # ids that were flushed and not delivered
    learned: frozenset[str] = frozenset()  # SKUs that were enrolled here and not forgotten
    forgotten: frozenset[str] = frozenset()


def fact(number: int) -> Message:
    return Message(f"spotter/test/{number}", b"{}", f"{number:032x}", utc=float(number))


def work(disk: RecordedDisk, office: HeadOffice, device: Device, catalogues: list[Path]) -> list[Promise]:
    """Take a release, decide some facts, deliver some, learn something, forget something: again and again."""
    promises = [Promise(0, 0, frozenset())]
    outbox, overlay = Outbox(device.state / "outbox.db"), Overlay(device.state / "overlay")
    held: list[str] = []
    learned: list[str] = []
    forgotten: list[str] = []

    def promise() -> None:
        seen = (frozenset(held), frozenset(learned), frozenset(forgotten))
        promises.append(Promise(disk.moment(), number, *seen))

    for number in range(1, ROUNDS + 1):
        before = catalogues[(number - 2) % len(catalogues)] if number > 1 else None
        office.publish(catalogues[(number - 1) % len(catalogues)], number, patches_from=before)
        assert device.round().result == Result.TAKEN
        promise()
        for _ in range(FACTS):
            message = fact(FACTS * number + len(held))
            outbox.put([message])
            held.append(message.id)
        outbox.sync()
        promise()
        delivered = outbox.pending(limit=FACTS + 2)
        held = held[len(delivered) :]
        promise()
        outbox.delivered([stored.seq for stored in delivered])
        overlay.enrol(f"sku-new-{number}", {}, [(coded(scene(number)), ROW)], "eyes", float(number))
        learned.append(f"sku-new-{number}")
        promise()
        if number % 3 == 0:
            sku = learned.pop(0)
            promise()  # from here on it may be gone
            overlay.forget(sku, held=True, utc=float(number))
            forgotten.append(sku)
            promise()
        if number % 4 == 0:
            office.rotate("root" if number % 8 else "timestamp")  # so that the cache has more than one root
            device.restart()
    outbox.close()
    overlay.close()
    return promises


@pytest.mark.slow
@pytest.mark.timeout(240 + 10 * CUTS)
@pytest.mark.parametrize("system", ["ext4", "xfs"])
def test_the_power_is_cut(system: str, tmp_path: Path) -> None:
    """What was in use is, whole; no fact and nothing learned is lost; no older release comes back; syncing goes on."""
    if reason := why_not(system):
        pytest.skip(reason)
    rng = Random(f"{system} {CUTS}")
    model = EmbedderSettings(file=str(write_tiny_model(tmp_path)))
    other = EmbedderSettings(file=str(write_tiny_model(tmp_path, cells=8, name="other")))
    own = read_spec(model)
    catalogues = [  # two bring a model of their own: the device goes over to it and back
        draw_catalogue(
            tmp_path / f"catalogue-{seed}",
            seed,
            100,
            own.fingerprint,
            own.dimension,
            (None, other)[seed // 2],
        )
        for seed in range(4)
    ]
    (tmp_path / "www").mkdir()
    (tmp_path / "disk").mkdir()
    found: Counter[str] = Counter()
    with StaticHost(tmp_path / "www") as host:
        office, root = HeadOffice(host.folder), tmp_path / "root.json"
        root.write_bytes(office.root_bytes)
        disk = RecordedDisk(tmp_path / "disk", system)
        with disk:
            (disk.mounted / "state").mkdir()
            promises = work(disk, office, Device(disk.mounted / "state", host, root, model), catalogues)
        for moment, image in disk.cuts(disk.moments(CUTS, rng), rng):
            promise = [promise for promise in promises if promise.moment <= moment][-1]
            with disk.remounted(image) as mounted:
                (mounted / "state").mkdir(exist_ok=True)
                device = Device(mounted / "state", host, root, model)
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
    overlay = Overlay(device.state / "overlay")
    assert overlay.moved_aside is None
    learned = overlay.learned()
    assert promise.learned <= {reference.sku for reference in learned.references}
    assert promise.forgotten <= {each.sku for each in learned.forgotten}
    for reference in learned.references:
        number_of = int(reference.sku.rpartition("-")[2])
        assert overlay.pictures.get(reference.picture) == coded(scene(number_of))
    overlay.close()
    assert device.round().result == (Result.UNCHANGED if number == ROUNDS else Result.TAKEN)
    assert device.number == ROUNDS
    incoming = device.state / "incoming"
    assert not incoming.exists() or not list(incoming.iterdir())
