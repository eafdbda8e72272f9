"""Sightings of things without a name come together, keep their number, and are bounded."""

from __future__ import annotations

import numpy as np
import pytest

from agent.core.sightings import (
    CAMERAS_LIMIT,
    PICTURES_LIMIT,
    Sighting,
    SightingSettings,
    Thing,
    begun,
    faded,
    listed,
    nearest,
    seen_again,
)

DAY = 86_400.0


def row(thing: int, view: int = 0) -> np.ndarray:
    own = np.random.default_rng(thing).normal(size=32)
    noise = np.random.default_rng([thing, view]).normal(0, 0.2, 32)
    return ((own + noise) / np.linalg.norm(own + noise)).astype(np.float32)


def sighting(
    thing: int, view: int = 0, camera: str = "bay-4", utc: float = 0.0, sight: str = "m 1"
) -> Sighting:
    return Sighting(camera, utc, sight, row(thing, view))


def thing(number: int, seen: int, last_utc: float) -> Thing:
    return Thing(number, "m 1", row(number), seen, 0.0, last_utc)


def test_the_same_thing_is_met_again_and_another_one_is_new() -> None:
    known = begun(sighting(1, 0, utc=5.0))
    again = sighting(1, 1, "bay-5", 9.0)
    assert nearest([known], again, 0.75) is known
    assert nearest([known], sighting(2), 0.75) is None
    assert nearest([], again, 0.75) is None
    both = seen_again(known, again)
    assert (both.seen, both.first_utc, both.last_utc) == (2, 5.0, 9.0)
    assert dict(both.cameras) == {"bay-4": 1, "bay-5": 1}
    assert float(both.centre @ row(1)) > 0.95
    assert np.linalg.norm(both.centre) == pytest.approx(1.0, abs=1e-6)


def test_what_another_model_saw_is_not_compared() -> None:
    known = begun(sighting(1, sight="other 1"))
    assert nearest([known], sighting(1), 0.1) is None


def test_the_nearest_of_several_is_taken() -> None:
    things = [thing(number, 1, 0.0) for number in (1, 2, 3)]
    found = nearest(things, sighting(2, 7), 0.75)
    assert found is things[1]


def test_an_embedding_of_zeros_is_nothing_again() -> None:
    zeros = Sighting("bay-4", 0.0, "m 1", np.zeros(32, np.float32))
    assert nearest([begun(zeros)], zeros, 0.1) is None


def test_cameras_and_pictures_are_bounded() -> None:
    known = begun(sighting(1), "00")
    for number in range(30):
        known = seen_again(known, sighting(1, camera=f"cam-{number}"), f"{number:02d}")
    assert len(known.cameras) == CAMERAS_LIMIT
    assert known.pictures == tuple(f"{number:02d}" for number in range(PICTURES_LIMIT))
    assert known.seen == 31


def test_what_is_old_goes_and_then_what_was_seen_least() -> None:
    settings = SightingSettings(things=2, days=30)
    things = [thing(1, 50, 0.0), thing(2, 1, 39 * DAY), thing(3, 7, 40 * DAY), thing(4, 1, 40 * DAY)]
    assert [each.id for each in faded(things, 40 * DAY, settings)] == [1, 2]
    assert faded(things[2:], 40 * DAY, settings) == []
    assert [each.id for each in listed(things)] == [1, 3, 4, 2]


@pytest.mark.parametrize("wrong", [{"things": -1}, {"days": 0.0}, {"similarity": 0.05}, {"similarity": 1.0}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected a number from"):
        SightingSettings(**wrong)
