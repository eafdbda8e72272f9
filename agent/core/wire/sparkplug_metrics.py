"""The metrics of Sparkplug B, and which of our messages each of them comes from.

A new one is one entry in a table here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from agent.core.wire.sparkplug import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.watched import Watched
    from agent.core.wire.sparkplug import Value

_AS: Final[dict[Type, Callable[[Any], Value]]] = {
    Type.INT64: int,
    Type.UINT64: int,
    Type.DOUBLE: float,
    Type.BOOLEAN: bool,
    Type.STRING: str,
    Type.DATETIME: int,
}


@dataclass(frozen=True, slots=True)
class Point:
    """A metric, and how its value is read from the content of a message of one kind."""

    name: str
    type: Type
    kind: str
    read: Callable[[Any], Any]  # KeyError: the message does not say; None: nothing is known
    camera: str = ""  # whose messages these are; empty: the device's own

    def value(self, said: Any) -> Value:
        """What a message says of it.

        Raises:
            KeyError: nothing.
        """
        value = self.read(said)
        return None if value is None else _AS[self.type](value)


def _at(*path: str) -> Callable[[Any], Any]:
    """The value at the end of these keys."""

    def read(said: Any) -> Any:
        for key in path:
            said = said[key]
        return said

    return read


def _moment(*path: str) -> Callable[[Any], Any]:
    """A time in RFC 3339, in milliseconds."""

    def read(said: Any) -> Any:
        text = _at(*path)(said)
        return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)

    return read


def _causes(said: Any) -> str:
    return "; ".join(f"{cause['part']}: {cause['reason']}" for cause in said["causes"])


NODE: Final = (
    Point("Health/State", Type.STRING, "health", _at("state")),
    Point("Health/Causes", Type.STRING, "health", _causes),
    Point("Catalogue/Release", Type.STRING, "index", _at("release")),
    Point("Catalogue/Channel", Type.STRING, "index", _at("channel")),
    Point("Catalogue/Number", Type.UINT64, "index", _at("number")),
    Point("Catalogue/Products", Type.UINT64, "index", _at("products")),
    Point("Catalogue/References", Type.UINT64, "index", _at("references")),
    Point("Catalogue/Last Sync", Type.DATETIME, "index", _moment("last_sync")),
    Point("Catalogue/Error", Type.STRING, "index", _at("error")),
    Point("Properties/Software", Type.STRING, "info", _at("versions", "spotter")),
    Point("Properties/Model", Type.STRING, "info", _at("model")),
    Point("Unknown/Things", Type.UINT64, "unknown", _at("things")),
    Point("Unknown/Seen", Type.UINT64, "unknown", _at("seen")),
    Point("Outbox/Waiting", Type.UINT64, "metrics", _at("values", "outbox.waiting")),
    Point("Outbox/Bytes", Type.UINT64, "metrics", _at("values", "outbox.bytes")),
    Point("Outbox/Lost", Type.UINT64, "metrics", _at("values", "outbox.dropped")),
    Point("Process/Memory MB", Type.DOUBLE, "metrics", _at("values", "memory.resident_mb")),
    Point("Properties/Temperature C", Type.DOUBLE, "metrics", _at("values", "temperature.hottest_c")),
    Point("Process/Uptime s", Type.DOUBLE, "metrics", _at("uptime_s")),
)
"""Of the device as a whole."""

_SEEN: Final = (
    Point("SKU", Type.STRING, "recognition", _at("sku")),
    Point("GTIN", Type.STRING, "recognition", _at("gtin")),
    Point("Name", Type.STRING, "recognition", _at("name")),
    Point("Verdict", Type.STRING, "recognition", _at("verdict")),
    Point("Probability", Type.DOUBLE, "recognition", _at("probability")),
    Point("Phase", Type.STRING, "recognition", _at("phase")),
    Point("Track", Type.STRING, "recognition", _at("track")),
    Point("Region", Type.STRING, "recognition", _at("region")),
)


def _percent(*path: str) -> Callable[[Any], Any]:
    """A share of 1, in percent."""

    def read(said: Any) -> Any:
        share = _at(*path)(said)
        return None if share is None else round(100 * share, 2)

    return read


def _how_many(key: str) -> Callable[[Any], int]:
    return lambda said: len(said[key])


def _slots(said: Any) -> str:
    return ", ".join(missing["slot"] for missing in said["missing"])


def _missing(said: Any) -> int:
    return sum(max(0, line["expected"] - line["received"]) for line in said["lines"])


def _over(said: Any) -> int:
    lines = sum(max(0, line["received"] - line["expected"]) for line in said["lines"])
    return int(lines + sum(product["received"] for product in said["unexpected"]))


_OF_APP: Final[dict[str, tuple[Point, ...]]] = {
    "shelf": (
        Point("Shelf/Correct Percent", Type.DOUBLE, "shelf", _percent("share_correct")),
        Point("Shelf/Slots", Type.UINT64, "shelf", _at("slots")),
        Point("Shelf/Out Of Stock", Type.UINT64, "shelf", _at("empty")),
        Point("Shelf/Out Of Stock Slots", Type.STRING, "shelf", _slots),
        Point("Shelf/Wrong", Type.UINT64, "shelf", _at("wrong")),
        Point("Shelf/Unknown", Type.UINT64, "shelf", _at("unknown")),
        Point("Shelf/Low", Type.UINT64, "shelf", _how_many("low")),
    ),
    "inbound": (
        Point("Dock/Shipment", Type.STRING, "inbound", _at("shipment")),
        Point("Dock/State", Type.STRING, "inbound", _at("state")),
        Point("Dock/Complete", Type.BOOLEAN, "inbound", _at("complete")),
        Point("Dock/Exact", Type.BOOLEAN, "inbound", _at("exact")),
        Point("Dock/Parcels", Type.UINT64, "inbound", _at("parcels")),
        Point("Dock/Expected", Type.UINT64, "inbound", _at("expected")),
        Point("Dock/Received", Type.UINT64, "inbound", _at("received")),
        Point("Dock/Missing", Type.UINT64, "inbound", _missing),
        Point("Dock/Over", Type.UINT64, "inbound", _over),
        Point("Dock/Unnamed", Type.UINT64, "inbound", _at("unnamed")),
        Point("Dock/Conflicts", Type.UINT64, "inbound", _at("conflicts")),
    ),
}
"""What an application tells of a camera: a bay as a whole; of a dock the shipment that was told of last.
That is the open one, or the latest that was closed."""


KINDS: Final = frozenset(
    {
        "camera_status",
        *(point.kind for point in (*NODE, *_SEEN)),
        *(point.kind for points in _OF_APP.values() for point in points),
    }
)
"""Of messages that have something to say of a metric."""


def of_camera(camera: str) -> Iterator[Point]:
    """Metrics of the node that are about a camera."""
    yield Point(f"Cameras/{camera}/State", Type.STRING, "camera_status", _at("state"), camera)
    yield Point(f"Cameras/{camera}/Reason", Type.STRING, "camera_status", _at("reason"), camera)


def of_device(camera: str, watched: Watched) -> Iterator[Point]:
    """Metrics of the device that a camera is: what it recognised last, also in each of its slots, and what
    its application makes of that.
    """
    for point in _SEEN:
        yield Point(f"Last/{point.name}", point.type, point.kind, point.read, camera)
    for slot in watched.slots:
        for name, kind in (("SKU", Type.STRING), ("Verdict", Type.STRING), ("Probability", Type.DOUBLE)):
            yield Point(f"Slots/{slot}/{name}", kind, "recognition", _in_slot(slot, name.lower()), camera)
    for name, figure in (("Recognised", "recognised"), ("Dropped", "dropped")):
        read = _at("values", f"frames.{figure}.{camera}")
        yield Point(f"Frames/{name}", Type.UINT64, "metrics", read)
    for point in _OF_APP.get(watched.app, ()):
        yield replace(point, camera=camera)


def _in_slot(slot: str, key: str) -> Callable[[Any], Any]:
    def read(said: Any) -> Any:
        if said["region"] != slot:
            raise KeyError(slot)
        return None if said["phase"] == "end" else said[key]

    return read
