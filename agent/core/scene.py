"""What an application is given of one camera: a frame that was looked at, or that no more come for now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent.core.codes import Read
    from agent.core.types import Frame, Recognition, Track

TROUBLE: Final = "trouble"
"""Kind of an event that is for whoever looks after the device: it goes to `/health`, not to a topic of its
own. Its body says which `part` is concerned and for which `reason`, empty when it is well again."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of one camera. Scenes of a camera come in their order, one for each frame looked at."""

    camera: str
    at: float  # s, monotonic
    utc: float  # s, Unix
    recognitions: tuple[Recognition, ...] = ()  # worth telling since the scene before, in their order
    tracks: tuple[Track, ...] = ()  # what is followed now, in order of birth
    frame: Frame | None = None  # None: the camera is lost, paused or stops; every track of it has ended
    codes: tuple[Read, ...] = ()  # barcodes that were read in this frame, where the camera wants them
