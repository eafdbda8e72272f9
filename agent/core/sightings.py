"""Sightings of things that nobody knows, put together while they come: the same thing again, or another one.

Each thing is the mean of what was seen of it; a sighting belongs to the nearest one that is near enough, or
begins a new one (leader clustering: Hartigan, "Clustering Algorithms", 1975, chapter 3). Nothing is ever
split or put together again, so that a thing keeps its number. How many are kept, and how long, is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.core.settings import check_range, setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PICTURES_LIMIT: Final = 5
"""Of one thing, the first ones: as many as a product needs to be recognised."""

CAMERAS_LIMIT: Final = 16
"""Whose sightings are counted apart; those of others count in the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingSettings:
    """What is kept of things that are not in the catalogue."""

    things: int = setting("things that are kept, those seen seldom go first; 0: none", 200)
    days: float = setting("days after which a thing that was not seen again is dropped", 30.0)
    similarity: float = setting(
        "cosine from which two sightings are of one thing, 0.1 to 0.999; 0: that of the catalogue's photos of"
        " one product, in the middle",
        0.0,
    )
    pictures: bool = setting("keep up to 5 pictures of each thing, so that it can be enrolled", False)

    def __post_init__(self) -> None:
        check_range("things", self.things, 0, 1000)
        check_range("days", self.days, 0.01, 3650)
        if self.similarity:
            check_range("similarity", self.similarity, 0.1, 0.999)


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A track that ended without a name."""

    camera: str
    utc: float  # s, Unix: when it went away
    sight: str  # what made the embedding, see `core.learned.sight_of`
    embedding: NDArray[np.float32]  # (D,) mean of its looks
    picture: bytes = b""  # JPEG; empty where none is kept


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One thing that was seen, perhaps several times."""

    id: int  # from 1, never used twice; 0 before it has one
    sight: str
    total: NDArray[np.float32]  # (D,) sum of its sightings' unit rows
    seen: int
    first_utc: float  # s, Unix
    last_utc: float
    cameras: Mapping[str, int] = field(default_factory=dict)  # sightings of each
    pictures: tuple[str, ...] = ()  # sha256 of their JPEGs

    @property
    def centre(self) -> NDArray[np.float32]:
        """`(D,)` unit row."""
        return unit(self.total)


def unit(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """The row with length 1; one of zeros stays."""
    length = float(np.linalg.norm(row))
    return (row / length).astype(np.float32) if length > 0 else row.astype(np.float32)


def nearest(things: Sequence[Thing], sighting: Sighting, least: float) -> Thing | None:
    """The thing that this is again; None where it is another one."""
    same = [each for each in things if each.sight == sighting.sight]
    if not same:
        return None
    similarity = np.stack([each.centre for each in same]) @ unit(sighting.embedding)
    best = int(similarity.argmax())
    return same[best] if similarity[best] >= least else None


def seen_again(thing: Thing, sighting: Sighting, picture: str = "") -> Thing:
    """The thing after one sighting more; `picture` is the digest of its JPEG, where that is kept."""
    cameras = dict(thing.cameras)
    if sighting.camera in cameras or len(cameras) < CAMERAS_LIMIT:
        cameras[sighting.camera] = cameras.get(sighting.camera, 0) + 1
    wanted = picture and picture not in thing.pictures and len(thing.pictures) < PICTURES_LIMIT
    return replace(
        thing,
        total=(thing.total + unit(sighting.embedding)).astype(np.float32),
        seen=thing.seen + 1,
        first_utc=min(thing.first_utc, sighting.utc),
        last_utc=max(thing.last_utc, sighting.utc),
        cameras=cameras,
        pictures=(*thing.pictures, picture) if wanted else thing.pictures,
    )


def begun(sighting: Sighting, picture: str = "") -> Thing:
    """A thing that was never seen before, as of this sighting."""
    empty = Thing(0, sighting.sight, np.zeros_like(sighting.embedding), 0, sighting.utc, sighting.utc)
    return seen_again(empty, sighting, picture)


def faded(things: Sequence[Thing], now_utc: float, settings: SightingSettings) -> list[Thing]:
    """Those that are to be dropped: not seen for too long, and then the least seen of too many."""
    oldest = now_utc - settings.days * 86_400
    old = [each for each in things if each.last_utc < oldest]
    kept = sorted(
        (each for each in things if each.last_utc >= oldest), key=lambda each: (each.seen, each.last_utc)
    )
    return old + kept[: max(0, len(kept) - settings.things)]


def listed(things: Sequence[Thing]) -> list[Thing]:
    """The most seen first."""
    return sorted(things, key=lambda each: (-each.seen, -each.last_utc, each.id))
