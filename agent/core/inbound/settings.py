"""One dock: where parcels pass, and when a shipment is complete."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal

from agent.core.errors import quoted
from agent.core.gs1 import gln
from agent.core.settings import check_range, setting

DAY_S: Final = 86_400.0

Four = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpcisSettings:
    """EPCIS 2.0 events for whoever keeps the events of a supply chain."""

    gln: str = setting("GLN of the place where parcels are read, 13 digits; empty: a name of this device", "")
    folder: str = setting("directory that each event is written to as a file as well; empty: none", "")

    def __post_init__(self) -> None:
        if self.gln:
            try:
                gln(self.gln)
            except ValueError as error:
                raise ValueError(f"gln: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundSettings:
    """One dock of a warehouse: parcels that pass are counted against a shipment."""

    towards: Literal["right", "left", "down", "up"] = setting(
        "where in the picture parcels go when they come in", "right"
    )
    line: Four | None = setting(
        "line that a parcel's middle crosses to count, [x1, y1, x2, y2] as shares of width and height; "
        "without it, and without a zone, across the middle of the picture",
        None,
    )
    zone: Four | None = setting(
        "in place of a line, the part of the picture that a parcel's middle passes through, as shares", None
    )
    hidden_s: float = setting("seconds that a parcel may be out of sight and still be the same one", 5.0)
    settle_s: float = setting("seconds behind the line after which a parcel that waits there is told", 20.0)
    contents: Literal["added", "compared"] = setting(
        "what the count on a label, (37), means: so many pieces came with this carton, or so many cartons "
        "pass one by one, and the count is compared with them",
        "added",
    )
    timeout_s: float = setting(
        "seconds without a parcel after which a shipment is closed; 0: never", 4 * 3600.0
    )
    complete_s: float = setting(
        "seconds after the last expected piece came until a shipment is closed; 0: never by itself", 60.0
    )
    strict: bool = setting("refuse a shipment with products that are not in the catalogue", False)
    keep: int = setting("closed shipments whose results stay with the broker, the latest", 20)
    reads: int = setting("parts of one picture that barcodes are looked for in, at most", 2)
    orders: str = setting("directory from which shipments are opened: CSV and JSON files; empty: none", "")
    epcis: EpcisSettings | None = setting("EPCIS 2.0 events; without it none", None)

    def __post_init__(self) -> None:
        if self.line is not None and self.zone is not None:
            raise ValueError("line: expected a line or a zone, found both")
        if self.line is not None:
            _check_shares("line", self.line)
            x1, y1, x2, y2 = self.line
            along = abs(y2 - y1) if self.towards in ("right", "left") else abs(x2 - x1)
            if along < 0.05:
                raise ValueError(
                    f"line: expected one that is crossed {self.towards}, found {list(self.line)}"
                )
        if self.zone is not None:
            _check_shares("zone", self.zone)
            if not (self.zone[0] < self.zone[2] and self.zone[1] < self.zone[3]):
                raise ValueError(f"zone: expected x1 < x2 and y1 < y2, found {list(self.zone)}")
        check_range("hidden_s", self.hidden_s, 0.0, 3600.0)
        check_range("settle_s", self.settle_s, 0.5, 3600.0)
        check_range("timeout_s", self.timeout_s, 0.0, 30 * DAY_S)
        check_range("complete_s", self.complete_s, 0.0, DAY_S)
        check_range("keep", self.keep, 0, 1000)
        check_range("reads", self.reads, 1, 64)


def _check_shares(name: str, numbers: Four) -> None:
    if not all(isfinite(number) and 0.0 <= number <= 1.0 for number in numbers):
        raise ValueError(f"{name}: expected four numbers from 0 to 1, found {quoted(list(numbers))}")
