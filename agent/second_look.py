"""A closer look at what the first one leaves undecided, while the time of the frame lasts.

It is taken only where it can change the answer: a barcode is read where the catalogue has any, and the
picture is compared with the references of the few products between which the first look leaves it open. What
comes of it are clues of the look.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from agent.core.evidence import ONE_LOOK, decide
from agent.core.second_look import BARCODE_LOG_ODDS, clues_of
from agent.core.tensors import visible
from agent.core.types import Clue
from agent.core.undecided import is_open, worth_a_second_look
from agent.core.verifying import compare, query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.calibration import Calibration
    from agent.core.second_look import Closer, SecondLookSettings
    from agent.core.types import Look, Region
    from agent.metrics import Metrics

    Read = Callable[[NDArray[np.uint8]], Sequence["Code"]]

LEAST_SIDE_PX: Final = 32
"""Of a region. What is smaller shows neither words nor bars."""


class Code(Protocol):
    """A barcode that was read: `adapters.barcodes.Barcode`."""

    @property
    def gtin(self) -> str:
        """14 digits; empty where it carries none."""


class Memory(Protocol):
    """What the first look was answered by."""

    @property
    def calibration(self) -> Calibration:
        """What was fitted on the catalogue."""

    @property
    def closer(self) -> Closer | None:
        """What closer looks compare with; None while there is no catalogue."""

    def is_left_out(self, no: int) -> bool:
        """Whether this device was told to forget a product."""


@dataclass(slots=True)
class Looks:
    """How many there were; the caller reads it."""

    taken: int = 0
    compared: int = 0  # of those, how many compared pictures; the others read barcodes alone
    skipped: int = 0  # because the time of the frame was up


class SecondLook:
    """One per thread."""

    def __init__(
        self,
        settings: SecondLookSettings,
        read: Read,
        monotonic: Callable[[], float] = lambda: 0.0,
        metrics: Metrics | None = None,
    ) -> None:
        """`read(picture)` gives the barcodes in it; `monotonic()` is in seconds.

        Where time stands still, as in a replay, the budget never ends.
        """
        self._settings = settings
        self._read = read
        self._monotonic = monotonic
        self._metrics = metrics
        self.tally = Looks()

    def improved(
        self,
        image: NDArray[np.uint8],
        regions: Sequence[Region],
        looks: Sequence[Look],
        memory: Memory,
        *,
        barcodes: bool = True,
    ) -> list[Look]:
        """The looks at the regions of one frame, in order, those that needed it with what a closer look says.

        Without `barcodes` none are read.

        Raises:
            CatalogueError: the catalogue could not be read.
        """
        if memory.closer is None or self._settings.budget_ms == 0:
            return list(looks)
        until = self._monotonic() + self._settings.budget_ms / 1e3
        better = []
        for region, look in zip(regions, looks, strict=True):
            decision = decide([look], memory.calibration, ONE_LOOK)
            rivals = self._portrayed(worth_a_second_look(decision), memory.closer)
            read = barcodes and self._settings.barcode and is_open(decision) and memory.closer.has_gtins()
            if not (rivals or read):
                better.append(look)
            elif self._monotonic() < until:
                began = self._monotonic()
                clues = self._verified(image, region, rivals, memory.closer, barcodes=read)
                self._taken(self._monotonic() - began)
                count = [clue for clue in clues if not memory.is_left_out(clue.product)]  # of a barcode
                better.append(replace(look, clues=(*look.clues, *count)))
            else:
                self._skipped()
                better.append(look)
        return better

    def _portrayed(self, rivals: Sequence[int], closer: Closer) -> list[int]:
        """Those that the picture can be compared with; none where fewer than two of them are portrayed.

        Nothing is read for it but keys, so that looks for which there is no time left are only counted.
        """
        if not self._settings.sources:
            return []
        portrayed = [product for product in rivals if closer.is_portrayed(product)]
        return portrayed if len(portrayed) > 1 else []

    def _verified(
        self,
        image: NDArray[np.uint8],
        region: Region,
        rivals: Sequence[int],
        closer: Closer,
        *,
        barcodes: bool,
    ) -> tuple[Clue, ...]:
        """What a closer look at a region says of these products, and of the one whose barcode it shows."""
        x1, y1, x2, y2 = visible(region, image)
        picture = image[y1:y2, x1:x2]
        if min(picture.shape[:2]) < LEAST_SIDE_PX:
            return ()
        read = self._barcode(picture, closer) if barcodes else ()
        if read or not rivals:
            return read
        self.tally.compared += 1
        measures = compare(query_of(picture), [closer.portraits(product) for product in rivals])
        return clues_of(measures, rivals, closer.weights, self._settings.sources)

    def _taken(self, seconds: float) -> None:
        self.tally.taken += 1
        if self._metrics is not None:
            self._metrics.time("second_look", seconds)
            self._metrics.count("second_looks.taken")

    def _skipped(self) -> None:
        self.tally.skipped += 1
        if self._metrics is not None:
            self._metrics.count("second_looks.skipped")

    def _barcode(self, picture: NDArray[np.uint8], closer: Closer) -> tuple[Clue, ...]:
        """The product whose barcode is in the picture; nothing where there are those of several."""
        found = {code.gtin for code in self._read(picture) if code.gtin}
        products = {product.no for product in map(closer.by_gtin, found) if product is not None}
        return tuple(Clue("barcode", product, BARCODE_LOG_ODDS) for product in products if len(products) == 1)
