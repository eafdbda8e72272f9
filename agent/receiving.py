"""Shipments are opened and closed: for the commands, for pages, and from a directory of orders.

Orders are read here, in the thread of whoever asks; the dock's application only takes them over.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.apps.inbound import Inbound
from agent.core.errors import DeviceError, InputError, quoted
from agent.core.inbound.order_files import ORDER_LIMIT_BYTES, read_order
from agent.core.inbound.report import LINES_TOLD, report
from agent.core.payload import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.inbound.orders import Products
    from agent.core.inbound.session import Session
    from agent.core.types import Event
    from agent.recognising import App, Recogniser

log = logging.getLogger(__name__)

OPENED, REFUSED = "opened", "refused"
"""Directories beside the orders, where they are moved to."""

_ENDINGS: Final = (".csv", ".json")


class Receiving:
    """The docks of this device. Any thread may ask; `tend` is for one."""

    def __init__(self, recogniser: Recogniser, products: Callable[[], Products | None]) -> None:
        """`products()`: where products are looked up at this moment."""
        self._recogniser = recogniser
        self._products = products
        self._sizes: dict[Path, int] = {}  # of orders as they were at the last look
        self._complaints: dict[str, str] = {}

    @property
    def docks(self) -> dict[str, Inbound]:
        """Camera → its application, of which only the settings may be read here."""
        apps = self._recogniser.applications
        return {camera: app for camera, app in apps.items() if isinstance(app, Inbound)}

    def open(self, data: bytes, camera: str = "", shipment: str = "", name: str = "order") -> dict[str, Any]:
        """Begin to receive a shipment.

        Args:
            data: CSV or JSON, see `core/inbound/order_files.py`.
            camera: the dock; may be empty where there is one.
            shipment: its name, where the order has none.
            name: of the order, stands in the errors.

        Raises:
            InputError: the order cannot be used, or the dock is not free.
            DeviceError: the device is too busy.
        """
        dock = self._dock(camera)
        strict = self.docks[dock].settings.strict
        order = read_order(data, name, shipment, self._products(), strict=strict)

        def work(app: App, at: float, utc: float) -> tuple[dict[str, Any], tuple[Event, ...]]:
            session, events = _inbound(app, dock).open(order, at, utc)
            return answer(session, dock), events

        return self._recogniser.ask(dock, work)

    def close(self, camera: str = "", shipment: str = "") -> dict[str, Any]:
        """End a shipment, the one that is open where none is named; how it stands then.

        Raises:
            InputError: there is no such dock or open shipment.
            DeviceError: the device is too busy.
        """
        dock = self._dock(camera)

        def work(app: App, at: float, utc: float) -> tuple[dict[str, Any], tuple[Event, ...]]:
            session, events = _inbound(app, dock).close(shipment, at, utc)
            return answer(session, dock), events

        return self._recogniser.ask(dock, work)

    def shipments(
        self, camera: str = "", shipment: str = "", lines: int = LINES_TOLD
    ) -> list[dict[str, Any]]:
        """How the shipments of a dock stand, the open one and the latest closed ones; one alone, where it is
        named; with at most `lines` of each. Raises as `close`.
        """
        dock = self._dock(camera)

        def work(app: App, _at: float, _utc: float) -> tuple[list[dict[str, Any]], tuple[Event, ...]]:
            sessions = _inbound(app, dock).sessions
            return [answer(each, dock, lines) for each in sessions if shipment in {"", each.shipment}], ()

        return self._recogniser.ask(dock, work)

    def tend(self) -> None:
        """Twice a second: open the shipments that lie in the directories of orders, one after the other."""
        for camera, dock in self.docks.items():
            if dock.settings.orders:
                try:
                    self._look_into(Path(dock.settings.orders), camera)
                    self._complaints.pop(camera, None)
                except (DeviceError, InputError, OSError) as error:
                    again = self._complaints.get(camera) == str(error)
                    log.log(
                        logging.DEBUG if again else logging.ERROR, "orders of camera %s: %s", camera, error
                    )
                    self._complaints[camera] = str(error)

    def _look_into(self, folder: Path, camera: str) -> None:
        found = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS and path.is_file()
        )
        settled = [path for path in found if self._sizes.get(path) == path.stat().st_size]
        self._sizes = {path: size for path, size in self._sizes.items() if path.parent != folder}
        self._sizes |= {path: path.stat().st_size for path in found}
        if not settled or any(each["state"] == "open" for each in self.shipments(camera)):
            return  # an order that is still being written, or a dock that is not free yet
        path = settled[0]
        if path.stat().st_size > ORDER_LIMIT_BYTES:
            self._refuse(path, f"expected at most {ORDER_LIMIT_BYTES} bytes, found {path.stat().st_size}")
            return
        try:
            told = self.open(path.read_bytes(), camera, _stem_or_nothing(path), path.name)
        except InputError as error:
            self._refuse(path, str(error))
            return
        log.info("camera %s: shipment %s is open: %d lines", camera, told["shipment"], len(told["lines"]))
        _moved(path, OPENED)

    def _refuse(self, path: Path, reason: str) -> None:
        log.error("%s is refused: %s", path, reason)
        moved = _moved(path, REFUSED)
        with suppress(OSError):
            moved.with_name(f"{moved.name}.txt").write_text(f"{reason}\n", encoding="utf-8")

    def _dock(self, camera: str) -> str:
        docks = self.docks
        if not docks:
            raise InputError("camera: expected a camera with inbound in its configuration, found none")
        if not camera and len(docks) == 1:
            return next(iter(docks))
        if camera not in docks:
            raise InputError(f"camera: expected one of {', '.join(sorted(docks))}, found {quoted(camera)}")
        return camera


def answer(session: Session, camera: str, lines: int = LINES_TOLD) -> dict[str, Any]:
    """How a shipment stands, as commands and pages answer it."""
    told: Mapping[str, Any] = report(session, lines)
    timed = {
        key.removesuffix("_utc"): (rfc3339(value) if value is not None else None)
        if key.endswith("_utc")
        else value
        for key, value in told.items()
    }
    return {"camera": camera, **timed}


def _inbound(app: App, camera: str) -> Inbound:
    if not isinstance(app, Inbound):  # the configuration changed a moment ago
        raise InputError(f"camera: expected one with inbound in its configuration, found {quoted(camera)}")
    return app


def _stem_or_nothing(path: Path) -> str:
    """A table has no name of its own: that of its file."""
    return path.stem if path.suffix.lower() == ".csv" else ""


def _moved(path: Path, into: str) -> Path:
    folder = path.parent / into
    folder.mkdir(exist_ok=True)
    return path.replace(folder / path.name)
