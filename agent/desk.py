"""What the pages and other programs may ask of the running daemon: one method for each of `core/api`.

Any thread may ask. Nothing here touches what another thread owns: commands are done where commands are done,
applications are asked between two frames, and what a camera shows is what it showed last.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from agent import __version__
from agent.adapters.images import shrunk_jpeg
from agent.adapters.web import MissingError, Note, Picture
from agent.core.api import OPERATIONS
from agent.core.api.scenes import scene_body
from agent.core.errors import AgentError, quoted
from agent.core.payload import content, rfc3339
from agent.core.requests import Command
from agent.searching import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agent.adapters.web import Asker
    from agent.bookkeeping import Bookkeeper
    from agent.commanding import Commander
    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.core.privacy import Veil
    from agent.core.types import Event, Frame, Message, Product
    from agent.core.wire import Wire
    from agent.desk_review import ReviewDesk
    from agent.desk_shipments import ShipmentDesk
    from agent.gate import Gate
    from agent.health import Health
    from agent.holding import Holding
    from agent.kiosking import Kiosks
    from agent.lookup import Lookup
    from agent.observing import Observing
    from agent.publisher import Publisher
    from agent.setting_up import SettingUp
    from agent.showing import Showing, Shown

PICTURE_QUALITY: Final = 75
PICTURE_BYTES: Final = 400_000
"""Of a picture of a camera for a page: 1,920 pixels of a shelf have 250 KB at this quality."""

_SIDES: Final = 4
"""Sizes in which the latest picture of a camera is held."""

_APPLICATIONS: Final = ("shelf", "inbound", "kiosk")


@dataclass(slots=True, kw_only=True)
class Desk:
    """The daemon, as its pages see it: `adapters.web.Device`."""

    settings: Callable[[], Settings]  # as they are now
    showing: Showing
    lookup: Lookup
    kiosks: Kiosks
    setting_up: SettingUp
    holding: Holding
    gate: Gate
    health: Health
    publisher: Publisher
    books: Bookkeeper
    observing: Observing
    commander: Commander
    veil: Veil
    wire: Wire
    clock: Clock
    reviews: ReviewDesk
    shipments: ShipmentDesk
    _encoded: OrderedDict[tuple[str, int, bool], tuple[float, Picture]] = field(default_factory=OrderedDict)
    _encoding: Lock = field(default_factory=Lock)

    @property
    def deeds(self) -> dict[str, Callable[..., Mapping[str, Any] | Picture]]:
        """By name of the operation; each takes the arguments that its fields say."""
        return {
            "find": self._find,
            "search": self._search,
            "product": self._product,
            "thumbnail": self._thumbnail,
            "similar": self._similar,
            "cameras": self._cameras,
            "picture": self._picture,
            "recognitions": self._recognitions,
            "states": self._states,
            "status": self._status,
            **self.kiosks.deeds,
            **self.reviews.deeds,
            **self.shipments.deeds,
            **self.setting_up.deeds,
        }

    def do(self, operation: str, arguments: Mapping[str, Any], asker: Asker) -> Mapping[str, Any] | Picture:
        """See `Device`."""
        command = OPERATIONS[operation].command
        if command:
            return self.commander.ask(Command(command, arguments))
        if operation == "picture":
            return self._picture(**arguments, plain=asker.local)
        return self.deeds[operation](**arguments)

    def follow(self, hear: Callable[[Note], None]) -> Callable[[], None]:
        """See `Device`."""
        return self.showing.join(_Ear(hear, self.wire.event, self.kiosks.changes()))

    def tick(self) -> list[Note]:
        """See `Device`."""
        notes = [
            Note("status", "", self._status(), slot="status"),
            Note("states", "", self._states(""), slot="states"),
            *self.kiosks.notes(),
        ]
        return notes + [
            Note("scene", "", _scene(shown), slot=f"scene/{shown.scene.camera}")
            for shown in self._all_shown()
        ]

    def metrics(self) -> str:
        """See `Device`."""
        return self.observing.exposition()

    def unready(self) -> str:
        """See `Device`."""
        if not self.holding.release:
            return "there is no catalogue yet"
        states = self.gate.states()
        if states and not any(state in {"online", "paused"} for state, _ in states.values()):
            return "no camera is online"
        return ""

    def _find(self, image: tuple[bytes, ...] | None, text: str | None, k: int) -> dict[str, Any]:
        if image is not None:
            return {"regions": self.lookup.seen(image[0], k), "products": []}
        return {"regions": [], "products": [describe(hit) for hit in self.lookup.meant(text or "", k)]}

    def _search(self, text: str, after: int, limit: int) -> dict[str, Any]:
        if text:
            hits = self.lookup.meant(text, limit)
            return {"products": [self.lookup.body(hit.product) for hit in hits], "next": None}
        found = self.lookup.after(after, limit)
        more = found[-1].no if len(found) == limit else None
        return {"products": [self.lookup.body(product) for product in found], "next": more}

    def _product(self, sku: str) -> dict[str, Any]:
        return self.lookup.body(self._known(sku))

    def _thumbnail(self, sku: str, side_px: int) -> Picture:
        self._known(sku)
        data = self.lookup.thumbnail(sku, side_px)
        if data is None:
            raise MissingError(f"sku: expected a product with a picture, found {quoted(sku)} without")
        return Picture(data, f"{hash(data) & 0xFFFFFFFFFFFFFFFF:016x}")

    def _similar(self, sku: str, k: int) -> dict[str, Any]:
        self._known(sku)
        return {"products": [self.lookup.body(product) for product in self.lookup.alike(sku, k)]}

    def _cameras(self) -> dict[str, Any]:
        states = self.gate.states()
        listed = []
        for camera in self.settings().cameras:
            state, reason = states.get(camera.id, ("offline", "it was not opened yet"))
            shown = self.showing.latest(camera.id)
            frame = shown.frame if shown is not None else None
            application = next((each for each in _APPLICATIONS if getattr(camera, each, None)), "watch")
            listed.append(
                {
                    "camera": camera.id,
                    "state": state,
                    "reason": reason,
                    "application": application,
                    "seen": rfc3339(frame.utc) if frame is not None else None,
                    "width": frame.width if frame is not None else 0,
                    "height": frame.height if frame is not None else 0,
                }
            )
        return {"cameras": listed}

    def _picture(self, camera: str, side_px: int, *, plain: bool) -> Picture:
        """Encoded when somebody looks, once for all who do, and no more often than is configured.

        `plain`: without the veil.
        """
        self._known_camera(camera)
        latest, number = self._latest(camera)
        web = self.settings().web
        pause_s = 1 / web.pictures_per_s if web is not None else 0.0
        now = self.clock.monotonic()
        with self._encoding:
            held = self._encoded.get((camera, side_px, plain))
            if held is not None and (now - held[0] < pause_s or held[1].tag == number):
                return held[1]
            frame = latest if plain else self.veil.over(latest)
            data, _, _ = shrunk_jpeg(frame.image, side_px, PICTURE_QUALITY, PICTURE_BYTES)
            picture = Picture(data, number)
            self._encoded.pop((camera, side_px, plain), None)
            self._encoded[camera, side_px, plain] = (now, picture)
            while len(self._encoded) > _SIDES * max(1, len(self.settings().cameras)):
                self._encoded.popitem(last=False)
        return picture

    def _latest(self, camera: str) -> tuple[Frame, str]:
        """The picture that was looked at last, and what tells it from others.

        Where none could be looked at, because its regions lie outside, what the camera gave: veiled.
        """
        shown = self.showing.latest(camera)
        if shown is not None and shown.frame is not None:
            return shown.frame, str(shown.number)
        try:
            frame = self.gate.given(camera)
        except AgentError as error:
            raise MissingError(str(error)) from None
        return frame, f"{frame.at:.6f}"

    def _recognitions(self, camera: str, limit: int) -> dict[str, Any]:
        self._known_camera(camera)
        events = [event for event in reversed(self.showing.recent()) if camera in {"", event.camera}]
        return {"events": [_told(self.wire.event(event)) for event in events[:limit]]}

    def _states(self, camera: str) -> dict[str, Any]:
        self._known_camera(camera)
        head = f"{self.wire.root}/"
        return {
            "states": {
                topic.removeprefix(head): content(payload)
                for topic, payload in self.publisher.states.all().items()
                if payload and topic.startswith(head) and (not camera or self.wire.camera_of(topic) == camera)
            }
        }

    def _status(self) -> dict[str, Any]:
        causes = self.health.causes
        return {
            "site": self.wire.site,
            "device": self.wire.device,
            "version": __version__,
            "release": self.holding.release,
            "health": "degraded" if causes else "ok",
            "causes": [{"part": part, "reason": causes[part]} for part in sorted(causes)],
            "broker": self.publisher.status.online,
            "uptime_s": round(self.books.uptime_s, 1),
            "figures": self.books.figures([camera.id for camera in self.settings().cameras]),
        }

    def _known(self, sku: str) -> Product:
        product = self.lookup.product(sku)
        if product is None:
            raise MissingError(f"sku: expected one that is known here, found {quoted(sku)}")
        return product

    def _known_camera(self, camera: str) -> None:
        known = [each.id for each in self.settings().cameras]
        if camera and camera not in known:
            raise MissingError(f"camera: expected one of {', '.join(known)}, found {quoted(camera)}")

    def _all_shown(self) -> Iterator[Shown]:
        for camera in self.settings().cameras:
            shown = self.showing.latest(camera.id)
            if shown is not None:
                yield shown


@dataclass(frozen=True, slots=True)
class _Ear:
    """Passes on what a camera shows and what is told, as plain data."""

    hear: Callable[[Note], None]
    to_message: Callable[[Event], Message]
    changed: Callable[[str], Note | None]  # what a kiosk shows, where that is something else by now

    def seen(self, shown: Shown) -> None:
        """See `showing.Ear`."""
        self.hear(Note("scene", "", _scene(shown), slot=f"scene/{shown.scene.camera}"))
        note = self.changed(shown.scene.camera)
        if note is not None:
            self.hear(note)

    def told(self, event: Event) -> None:
        """See `showing.Ear`."""
        self.hear(Note("told", event.kind, _told(self.to_message(event))))


def _scene(shown: Shown) -> dict[str, Any]:
    return scene_body(shown.scene, shown.number, shown.known)


def _told(message: Message) -> dict[str, Any]:
    return {"topic": message.topic, "payload": content(message.payload)}
