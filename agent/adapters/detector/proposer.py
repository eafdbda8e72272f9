"""Regions of a camera from a detector, which looks only at those tiles that changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from agent.core.boxes import spans
from agent.core.changes import changed, signature
from agent.core.proposals import merged, tiles
from agent.core.types import Region

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent.adapters.detector.model import Detector
    from agent.core.changes import ChangeSettings
    from agent.core.proposals import Boxes, DetectorSettings
    from agent.core.types import Box, Frame
    from agent.core.zone import Zone

    Signatures = list[NDArray[np.uint8]]

PARTS = 4
"""Across and down a tile, each compared for itself: what is a sixtieth of the tile's side then fills a cell
of a signature. 0.2 ms, where the detector takes 14."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """The last look at a tile."""

    at: float
    signatures: Signatures
    found: Boxes


class DetectorRegions:
    """The proposer of one camera. The detector may serve several cameras of one thread."""

    def __init__(
        self, detector: Detector, settings: DetectorSettings, zone: Zone, changes: ChangeSettings
    ) -> None:
        self._detector = detector
        self._settings = settings
        self._zone = zone
        self._changes = changes
        self._looked: dict[Box, _Looked] = {}

    def regions(self, frame: Frame) -> tuple[Region, ...]:
        """What the detector finds, the best score first.

        Raises:
            InputError: the zone is not within the picture.
            DeviceError: the inference failed.
        """
        zone = self._zone.box(frame.width, frame.height)
        parts = tiles(self._settings.tiles, zone)
        self._looked = {tile.box: self._look(frame, tile) for tile in parts}
        found = [(tile, self._looked[tile.box].found) for tile in parts]
        return self._zone.worth(merged(found, zone, self._settings.overlap))

    def _look(self, frame: Frame, tile: Region) -> _Looked:
        signatures = [signature(frame.image, part) for part in _parts(tile.box)]
        before = self._looked.get(tile.box)
        if before is not None and not frame.cut and frame.at - before.at < self._changes.refresh_s:
            pairs = zip(before.signatures, signatures, strict=True)
            if not any(changed(one, other, self._changes.tolerance) for one, other in pairs):
                return before
        return _Looked(frame.at, signatures, self._detector.detect(frame.image, tile))


def _parts(box: Box) -> list[Region]:
    x1, y1, x2, y2 = box
    across = spans(x2 - x1, min(PARTS, x2 - x1), 0.0)
    down = spans(y2 - y1, min(PARTS, y2 - y1), 0.0)
    return [
        Region((x1 + left, y1 + top, x1 + right, y1 + bottom))
        for (top, bottom), (left, right) in product(down, across)
    ]
