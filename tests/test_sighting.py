"""What is not in the catalogue is noted, kept, told of, and can be made a product: with real eyes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.images import encode_jpeg
from agent.adapters.overlay import Overlay
from agent.adapters.sightings import Sightings
from agent.core.errors import InputError
from agent.core.sightings import SightingSettings
from agent.core.types import Frame, Look, Message, Phase, Recognition, Region, Track, Verdict
from agent.core.wire import Wire
from agent.learning import Teacher
from agent.memory import DeviceMemory
from agent.parts import load_eyes_from
from agent.sighting import FOLDER, TOLD_S, Unknowns, enrol, kept
from tests.support.clock import ManualClock
from tests.support.road import Road, picture

SEEN = ManualClock().utc()
STRANGE = 7  # a product that the catalogue has not


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("sighting"))
    made.build(products=3, views=2)
    return made


class Device:
    def __init__(self, road: Road, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.eyes, base = load_eyes_from(str(road.model), str(road.catalogue))
        self.overlay = Overlay(folder / "overlay")
        store = Overlay(folder / "overlay")  # what another connection changed is noticed
        self.memory = DeviceMemory(base, store, self.eyes.dimension, self.eyes.fingerprint)
        self.told: list[Message] = []
        self.problems: list[str] = []
        self.cleared = 0
        self.unknowns = Unknowns(
            SightingSettings(**settings),  # type: ignore[arg-type]
            folder,
            lambda: self.memory,
            Wire("spotter", "here", "one"),
            self.told.append,
            self.problems.append,
            self.clock,
            self.clear,
        )

    def clear(self, picture: bytes) -> bytes:
        self.cleared += 1
        return picture

    def show(self, product: int, view: int = 0, verdict: Verdict = Verdict.UNKNOWN) -> None:
        """A track of one look: it comes with a picture, and goes without one."""
        image = picture(product, view)
        region = Region((0, 0, image.shape[1], image.shape[0]))
        look = Look((), embedding=self.eyes.embed(image, [region])[0])
        track = Track(f"{product}-{view}", "bay-4", region, 0.0, SEEN - 1, 1.0, SEEN, 1, (look,))
        frame = Frame("bay-4", view, 0.0, SEEN, image)
        for phase in (Phase.NEW, Phase.END):
            told = Recognition(track, phase, 0, verdict, None, 0.0, -1.0, 0.0, "", (), "", 1.0, 6.0)
            self.unknowns.note([told], frame if phase is Phase.NEW else None)

    def tell(self) -> dict[str, object]:
        self.clock.at += TOLD_S
        self.unknowns.tend()
        assert self.problems[-1] == ""
        found: dict[str, object] = json.loads(self.told[-1].payload)
        return found


@pytest.fixture
def device(road: Road, tmp_path: Path) -> Device:
    return Device(road, tmp_path)


def test_sightings_of_one_thing_are_counted_and_told(device: Device) -> None:
    assert device.tell()["things"] == 0
    for view in range(3):
        device.show(STRANGE, view)
    said = device.tell()
    assert (said["things"], said["seen"]) == (1, 3)
    assert said["most_seen"] == [
        {
            "unknown": 1,
            "seen": 3,
            "first": "2026-01-01T00:00:00.000Z",
            "last": "2026-01-01T00:00:00.000Z",
            "cameras": {"bay-4": 3},
            "pictures": 0,
        }
    ]
    assert device.told[-1].topic == "spotter/here/one/unknown"
    assert device.told[-1].retain


def test_what_has_a_name_or_is_undecided_is_not_noted(device: Device) -> None:
    device.show(STRANGE, verdict=Verdict.AMBIGUOUS)
    assert device.tell()["things"] == 0


def test_it_is_told_now_and_then_and_kept_at_once(device: Device) -> None:
    device.tell()
    count = len(device.told)
    device.show(STRANGE)
    device.unknowns.tend()
    assert len(device.told) == count
    assert [each.seen for each in kept(device.folder)] == [1]
    device.tell()
    assert len(device.told) == count + 1


def test_what_was_noted_last_is_kept_when_the_process_stops(device: Device) -> None:
    device.show(STRANGE)
    device.unknowns.close()
    assert [each.seen for each in kept(device.folder)] == [1]


def test_nothing_is_made_where_nothing_is_wanted(road: Road, tmp_path: Path) -> None:
    device = Device(road, tmp_path, things=0)
    device.show(STRANGE)
    device.unknowns.tend()
    assert not (tmp_path / FOLDER).exists()
    assert kept(tmp_path) == []


def test_pictures_are_kept_only_where_somebody_wants_them_and_make_it_a_product(
    road: Road, tmp_path: Path
) -> None:
    device = Device(road, tmp_path, pictures=True)
    for view in range(3):
        device.show(STRANGE, view)
    said = device.tell()
    assert said["most_seen"][0]["pictures"] == 3  # type: ignore[index]
    assert device.cleared >= 3  # of people, by whoever keeps them
    teacher = Teacher(device.overlay, device.eyes, device.memory, device.clock)
    with closing(Sightings(tmp_path / FOLDER)) as store:
        taught = enrol(store, lambda: teacher, 1, "new-1", {"name": "New"})
    assert (taught.added, taught.sku) == (3, "new-1")
    assert device.tell()["things"] == 0
    image = picture(STRANGE, 9)
    row = device.eyes.embed(image, [Region((0, 0, image.shape[1], image.shape[0]))])
    assert device.memory.version
    assert device.memory.product(device.memory.nearest(row)[0][0].product).sku == "new-1"


def test_without_pictures_it_is_said_what_to_do(device: Device) -> None:
    device.show(STRANGE)
    device.unknowns.close()

    def no_teacher() -> Teacher:
        raise AssertionError("nobody is to be taught")

    with closing(Sightings(device.folder / FOLDER)) as store:
        with pytest.raises(
            InputError, match=r"set unknown\.pictures to keep them from now on, or photograph it"
        ):
            enrol(store, no_teacher, 1, "new-1", {})
        with pytest.raises(InputError, match="unknown 9: expected one of `spotter unknown list`"):
            enrol(store, no_teacher, 9, "new-1", {})


def test_what_is_known_by_now_goes(device: Device) -> None:
    """A release, or somebody, gave it a name."""
    for product in (STRANGE, 4):
        device.show(product)
    assert device.tell()["things"] == 2
    image = picture(STRANGE, 0)
    row = device.eyes.embed(image, [Region((0, 0, image.shape[1], image.shape[0]))])[0]
    device.overlay.enrol("new-1", {}, [(encode_jpeg(image), row)], device.memory.sight, 5.0)
    assert device.tell()["things"] == 1
    assert np.isfinite(kept(device.folder)[0].centre).all()


def test_a_disk_that_cannot_be_used_is_said_and_recognising_goes_on(road: Road, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    device = Device(road, tmp_path)
    device.show(STRANGE)
    device.unknowns.tend()
    assert "unknown" in device.problems[-1]
    (tmp_path / FOLDER).unlink()
    assert device.tell()["seen"] == 1


def test_what_could_not_be_written_is_tried_again(device: Device) -> None:
    device.tell()
    held = sqlite3.connect(device.folder / FOLDER / "unknown.db", isolation_level=None)
    device.unknowns._store._db.execute("PRAGMA busy_timeout = 1")  # type: ignore[union-attr]
    with closing(held):
        held.execute("BEGIN IMMEDIATE")
        device.show(STRANGE)
        device.unknowns.tend()
        assert "locked" in device.problems[-1]
        held.execute("ROLLBACK")
    assert device.tell()["seen"] == 1
