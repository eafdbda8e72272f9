"""What an application is given of one camera: a frame that was looked at, or that no more come for now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.codes import Read
    from agent.core.types import Frame, Recognition, Track


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
