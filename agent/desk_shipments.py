"""What is asked of shipments over HTTP; see `desk.py`. To open and to close are commands, see `doing.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.adapters.web import MissingError
from agent.core.errors import quoted
from agent.core.inbound.report import LINES_TOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agent.receiving import Receiving


@dataclass(frozen=True, slots=True)
class ShipmentDesk:
    """Any thread may ask."""

    receiving: Receiving

    @property
    def deeds(self) -> dict[str, Callable[..., Mapping[str, Any]]]:
        """By name of the operation; each takes the arguments that its fields say."""
        return {"shipments": self._list, "shipment": self._one}

    def _list(self, camera: str) -> dict[str, Any]:
        return {"shipments": list(self._standing(camera))}

    def _one(self, shipment: str, camera: str, lines: int) -> dict[str, Any]:
        for told in self._standing(camera, shipment, lines):
            return told
        where = f"at dock {quoted(camera)}" if camera else "at a dock"
        raise MissingError(f"shipment: expected one that is known {where}, found {quoted(shipment)}")

    def _standing(self, camera: str, shipment: str = "", lines: int = LINES_TOLD) -> Iterator[dict[str, Any]]:
        docks = self.receiving.docks
        if camera and camera not in docks:
            known = ", ".join(sorted(docks)) or "a camera with inbound in its configuration"
            raise MissingError(f"camera: expected {known}, found {quoted(camera)}")
        for dock in [camera] if camera else sorted(docks):
            yield from self.receiving.shipments(dock, shipment, lines)
