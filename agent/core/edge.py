"""A Sparkplug edge node: what is born, has changed or died, and in which sequence. Decides without I/O.

    connected ─▶ NBIRTH, DBIRTH of each camera that gives pictures ─▶ NDATA, DDATA: what changed since
                    ▲         (again when a host asks, and when cameras were added or taken away)

A message is one of the specification's types, the camera that it is about (empty: the node), and its content.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from agent.core.wire.sparkplug import (
    BD_SEQ,
    REBIRTH,
    Metric,
    Payload,
    Type,
    Value,
)
from agent.core.wire.sparkplug_metrics import (
    NODE,
    Point,
    of_camera,
    of_device,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.core.watched import Watched

Out = tuple[str, str, Payload]
"""Type, camera, content."""

ALIVE: Final = frozenset({"online", "paused"})
"""States of a camera in which what it saw last still holds."""

_NUMBERS: Final = 256
"""`seq` and `bdSeq` count from 0 to 255, and begin again."""


def next_number(number: int) -> int:
    """What follows in such a count."""
    return (number + 1) % _NUMBERS


@dataclass(slots=True)
class _Live:
    """A metric as it stands now."""

    point: Point
    alias: int
    value: Value = None
    utc: float = 0.0


@dataclass(slots=True)
class _Source:
    """The node, or a camera."""

    metrics: list[_Live]
    changed: dict[int, _Live] = field(default_factory=dict)  # by alias
    alive: bool = False
    born: bool = False  # the host has been told what it has


class Edge:
    """The state of one edge node with its cameras, and of the session with the hosts. For one thread."""

    def __init__(self, cameras: Mapping[str, Watched], utc: float) -> None:
        """`utc`: s, Unix: nothing is known of an earlier time."""
        self._seq = 0
        self._bd_seq = 0
        self._connected = False
        self._sources: dict[str, _Source] = {}
        self._readers: dict[tuple[str, str], list[tuple[_Source, _Live]]] = {}  # of a kind, about a camera
        self._lay_out(cameras, utc)

    def death(self, number: int) -> Payload:
        """What the broker is to send when the connection breaks that is about to be made."""
        return Payload(None, (Metric(BD_SEQ, Type.INT64, number, None),))

    def watch(self, cameras: Mapping[str, Watched], utc: float) -> list[Out]:
        """These are the cameras from now on. What was known of those that stay still is."""
        gone = [camera for camera in self._sources if camera and camera not in cameras]
        told = [message for camera in gone if (message := self._bury(camera, utc))]
        self._lay_out(cameras, utc)
        return told + (self.birth(self._bd_seq, utc) if self._connected else [])

    def hear(self, kind: str, camera: str, said: Any, utc: float) -> None:
        """A message of ours: what is new in it is told with the next data.

        `camera` is the one that it is about, or empty; `utc`: s, Unix, of what it says.
        """
        for source, live in self._readers.get((kind, camera), ()):
            try:
                value = live.point.value(said)
            except KeyError:
                continue
            if value != live.value:
                live.value, live.utc = value, utc
                source.changed[live.alias] = live
        if kind == "camera_status" and camera in self._sources:
            self._sources[camera].alive = said["state"] in ALIVE

    def birth(self, number: int, utc: float) -> list[Out]:
        """All there is, as a new session begins or a host asks for it. `number`: that of the last will."""
        self._bd_seq, self._seq, self._connected = number, -1, True
        control = (
            Metric(BD_SEQ, Type.INT64, number, utc),
            Metric(REBIRTH, Type.BOOLEAN, False, utc),
        )
        out = [self._made("NBIRTH", "", (*control, *self._all("")), utc)]
        for camera, source in self._sources.items():
            source.born = False
            if camera and source.alive:
                out.append(self._bear(camera, utc))
        return out

    def again(self, utc: float) -> list[Out]:
        """The births once more, in the same session."""
        return self.birth(self._bd_seq, utc)

    def lost(self) -> None:
        """The connection is gone."""
        self._connected = False

    def due(self, utc: float) -> list[Out]:
        """What has to be told now: cameras that came or went, and what changed."""
        if not self._connected:
            return []
        out = []
        for camera, source in self._sources.items():
            if camera and source.alive and not source.born:
                out.append(self._bear(camera, utc))
            elif camera and source.born and not source.alive:
                out += [message] if (message := self._bury(camera, utc)) else []
            elif source.changed and (source.born or not camera):
                metrics = tuple(
                    Metric("", None, live.value, live.utc, alias) for alias, live in source.changed.items()
                )
                source.changed = {}
                out.append(self._made("DDATA" if camera else "NDATA", camera, metrics, utc))
        return out

    def _lay_out(self, cameras: Mapping[str, Watched], utc: float) -> None:
        """Metrics, and the aliases of all of them: unique within the node."""
        old = {
            (camera, live.point.name): live
            for camera, source in self._sources.items()
            for live in source.metrics
        }
        alive = {camera for camera, source in self._sources.items() if source.alive}
        aliases = count(1)

        def laid(camera: str, points: Iterable[Point]) -> list[_Live]:
            found = []
            for point in points:
                before = old.get((camera, point.name))
                value, since = (before.value, before.utc) if before else (None, utc)
                found.append(_Live(point, next(aliases), value, since))
            return found

        node = [*NODE, *(point for camera in cameras for point in of_camera(camera))]
        self._sources = {"": _Source(laid("", node))}
        for camera, watched in cameras.items():
            self._sources[camera] = _Source(laid(camera, of_device(camera, watched)), alive=camera in alive)
        self._readers = {}
        for source in self._sources.values():
            for live in source.metrics:
                key = (live.point.kind, live.point.camera)
                self._readers.setdefault(key, []).append((source, live))

    def _all(self, camera: str) -> tuple[Metric, ...]:
        """Every metric of a source; after that nothing of it has changed."""
        source = self._sources[camera]
        source.changed = {}
        return tuple(
            Metric(live.point.name, live.point.type, live.value, live.utc, live.alias)
            for live in source.metrics
        )

    def _bear(self, camera: str, utc: float) -> Out:
        self._sources[camera].born = True
        return self._made("DBIRTH", camera, self._all(camera), utc)

    def _bury(self, camera: str, utc: float) -> Out | None:
        source = self._sources[camera]
        if not (self._connected and source.born):
            return None
        source.born = False
        return self._made("DDEATH", camera, (), utc)

    def _made(self, kind: str, camera: str, metrics: tuple[Metric, ...], utc: float) -> Out:
        self._seq = next_number(self._seq)
        return kind, camera, Payload(utc, metrics, self._seq)


def asks_for_birth(payload: Payload) -> bool:
    """Whether a command is the one that we take."""
    return any(metric.name == REBIRTH and metric.value is True for metric in payload.metrics)
