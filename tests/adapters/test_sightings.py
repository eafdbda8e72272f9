"""Things without a name on a real disk: durable, bounded, for several processes, and never in the way."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.sightings import Sightings
from agent.core.errors import ConfigError
from agent.core.sightings import Sighting, SightingSettings
from tests.core.test_sightings import sighting
from tests.support.pictures import coded, scene

KEPT = SightingSettings()


def pictured(thing: int, view: int = 0) -> Sighting:
    return replace(sighting(thing, view), picture=coded(scene(thing)))


def pictures(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "pictures").iterdir())


def test_what_was_taken_is_there_after_a_restart(tmp_path: Path) -> None:
    with closing(Sightings(tmp_path)) as store:
        assert store.things() == []
        left = store.take(
            [sighting(1, 0, utc=3.0), sighting(1, 1, "bay-5", 4.0), sighting(2)], KEPT, 0.75, 9.0
        )
        assert [(each.id, each.seen) for each in left] == [(1, 2), (2, 1)]
    with closing(Sightings(tmp_path)) as store:
        first, second = store.things()
        assert (first.id, first.seen, first.first_utc, first.last_utc) == (1, 2, 3.0, 4.0)
        assert dict(first.cameras) == {"bay-4": 1, "bay-5": 1}
        store.take([sighting(2, 5)], KEPT, 0.75, 9.0)
        assert [each.seen for each in store.things()] == [2, 2]
        assert second.centre == pytest.approx(sighting(2).embedding, abs=1e-6)


def test_a_number_is_never_used_twice(tmp_path: Path) -> None:
    with closing(Sightings(tmp_path)) as store:
        store.take([sighting(1)], KEPT, 0.75, 0.0)
        assert store.drop([1, 77]) == 1
        (again,) = store.take([sighting(1)], KEPT, 0.75, 0.0)
        assert again.id == 2


def test_pictures_come_and_go_with_their_thing(tmp_path: Path) -> None:
    with closing(Sightings(tmp_path)) as store:
        store.take([pictured(1), pictured(1, 1), pictured(2)], KEPT, 0.75, 0.0)
        one, two = store.things()
        assert (len(one.pictures), len(two.pictures)) == (1, 1)  # the same picture twice is one
        assert store.pictures.get(two.pictures[0]) == coded(scene(2))
        (tmp_path / "pictures" / f"{'0' * 64}.jpg").write_bytes(b"of a process that was killed")
        store.drop([1])
        assert pictures(tmp_path) == list(two.pictures)


def test_what_is_too_much_is_dropped_with_its_pictures(tmp_path: Path) -> None:
    few = SightingSettings(things=3)
    with closing(Sightings(tmp_path)) as store:
        store.take([pictured(1), pictured(1, 1)], few, 0.75, 0.0)
        for number in range(2, 9):
            store.take([pictured(number)], few, 0.75, float(number))
        assert len(store.things()) == 3
        assert store.things()[0].id == 1  # seen twice
        assert len(pictures(tmp_path)) == 3


def test_another_process_is_noticed(tmp_path: Path) -> None:
    with closing(Sightings(tmp_path)) as daemon, closing(Sightings(tmp_path)) as command:
        daemon.take([sighting(1)], KEPT, 0.75, 0.0)
        before = daemon.changed()
        assert daemon.changed() == before
        command.drop([1])
        assert daemon.changed() != before
        assert daemon.things() == []


def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    Sightings(tmp_path).close()
    (tmp_path / "unknown.db").write_bytes(b"no database at all, but long enough to be read as one" * 100)
    with closing(Sightings(tmp_path)) as store:
        assert store.things() == []
    assert (tmp_path / "unknown.db.corrupt-1").exists()


def test_a_damaged_row_is_passed_over(tmp_path: Path) -> None:
    with closing(Sightings(tmp_path)) as store:
        store.take([sighting(1), sighting(2)], KEPT, 0.75, 0.0)
        store._db.execute("UPDATE things SET total = x'01' WHERE id = 1")
        assert [each.id for each in store.things()] == [2]


def test_a_file_of_a_newer_spotter_is_left_alone(tmp_path: Path) -> None:
    with closing(Sightings(tmp_path)) as store:
        store._db.execute("PRAGMA user_version = 9")
    with pytest.raises(ConfigError, match="newer Spotter"):
        Sightings(tmp_path)
