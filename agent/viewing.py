"""What is remembered of one camera from frame to frame: where to look, what was seen, what is followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent.core.changes import ChangeSettings
    from agent.core.regions import RegionSettings
    from agent.core.tracking import Tracker
    from agent.core.types import Look, Region
    from agent.telling import Memory, Teller


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """Where to look in the pictures of one camera, and when not to look again."""

    regions: RegionSettings
    changes: ChangeSettings


@dataclass(slots=True)
class Seen:
    """The last real look at a configured region."""

    signature: NDArray[np.uint8]
    at: float
    looks: int  # real ones since its pixels last changed
    look: Look


@dataclass(slots=True)
class View:
    """One camera, as the pipeline left it."""

    plan: CameraPlan
    tracker: Tracker
    teller: Teller
    size: tuple[int, int] = (0, 0)
    regions: tuple[Region, ...] = ()
    seen: dict[str, Seen] = field(default_factory=dict)
    memory: Memory | None = None
    version: int = 0  # of the memory
