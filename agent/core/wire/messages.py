"""Makes the messages of a device.

Payloads are JSON with sorted keys and rounded numbers: one fact gives one sequence of bytes, so a recording
replays to the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from agent.core.payload import encode, encode_rounded, rfc3339
from agent.core.topics import RESERVED_CAMERAS, check_camera, check_prefix, check_topic_part
from agent.core.types import Delivery, Event, Message, Recognition
from agent.core.wire.bodies import recognition_body
from agent.core.wire.definitions import COMMAND, DEFINITIONS, kind_of
from agent.core.wire.late import lost_body
from agent.core.wire.making import MAKERS
from agent.core.wire.schemas import CAMERA_STATES, HEALTHS, SCHEMA
from agent.core.wire.things import unknown_body

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.incoming import Incoming
    from agent.core.losses import Loss
    from agent.core.sightings import Thing
    from agent.core.wire.index import IndexStatus

Availability = Literal["online", "offline"]


@dataclass(frozen=True, slots=True)
class Wire:
    """Makes the messages of one device."""

    prefix: str
    site: str
    device: str

    def __post_init__(self) -> None:
        check_prefix("prefix", self.prefix)
        for field in ("site", "device"):
            check_topic_part(field, getattr(self, field))

    @property
    def root(self) -> str:
        """The part that all topics of this device begin with, without a slash behind it."""
        return f"{self.prefix}/{self.site}/{self.device}"

    def kind(self, topic: str) -> str:
        """Which of `DEFINITIONS` a topic of this device is of; empty for any other topic."""
        head = f"{self.root}/"
        return kind_of(topic.removeprefix(head)) if topic.startswith(head) else ""

    def availability(self, state: Availability) -> Message:
        """Birth (`online`) and last will (`offline`) on one topic.

        The payload carries no time: the broker sends a will long after it was written.
        """
        return self._made("availability", state.encode(), 0.0)

    def info(
        self,
        *,
        utc: float,
        versions: Mapping[str, str],
        model: str,
        release: str,
        capabilities: Sequence[str],
        identified_utc: float | None = None,
    ) -> Message:
        """What runs here. `versions`: part → version; `model`, `release`: empty while there is none.

        `identified_utc`: when somebody last asked which device this is.
        """
        body = {
            "versions": dict(versions),
            "model": model or None,
            "release": release or None,
            "capabilities": sorted(set(capabilities)),
            "identified": None if identified_utc is None else rfc3339(identified_utc),
        }
        return self._made("info", self._encoded(body, utc), utc)

    def health(self, state: str, causes: Mapping[str, str], utc: float) -> Message:
        """How the device is: one of `HEALTHS`. `causes`: part → reason, empty exactly when `ok`.

        Raises:
            ValueError: another state, `ok` with causes, or not `ok` without.
        """
        if state not in HEALTHS or (state == "ok") != (not causes):
            found = f"{state!r} with {dict(causes)}"
            raise ValueError(f"health: expected one of {HEALTHS}, causes exactly when not ok, found {found}")
        body = {"state": state, "causes": [{"part": p, "reason": causes[p]} for p in sorted(causes)]}
        return self._made("health", self._encoded(body, utc), utc)

    def index(self, index: IndexStatus, utc: float) -> Message:
        """What is recognised with, and how syncing stands.

        Raises:
            ValueError: a time that is no time.
        """
        body = asdict(index) | {
            "release": index.release or None,
            "model": index.model or None,
            "channel": index.channel or None,
            "last_sync_result": index.last_sync_result or None,
            "last_sync": None if index.last_sync_utc is None else rfc3339(index.last_sync_utc),
            "next_poll": None if index.next_poll_utc is None else rfc3339(index.next_poll_utc),
        }
        del body["last_sync_utc"], body["next_poll_utc"]
        return self._made("index", self._encoded(body, utc), utc)

    def metrics(self, values: Mapping[str, float], uptime_s: float, utc: float) -> Message:
        """Numbers of the running daemon: name → number.

        Raises:
            ValueError: a number that is not finite.
        """
        body = {"uptime_s": round(uptime_s, 3), "values": {name: values[name] for name in sorted(values)}}
        return self._made("metrics", self._encoded(body, utc), utc)

    def unknown(self, things: Sequence[Thing], utc: float) -> Message:
        """What was seen without a name, put together to things.

        Raises:
            ValueError: a time that is no time.
        """
        return self._made("unknown", self._encoded(unknown_body(things), utc), utc)

    def command_topic(self, name: str) -> str:
        """Where a command is sent to."""
        return f"{self.root}/{COMMAND}/{name}"

    def command_name(self, topic: str) -> str:
        """Which command is sent to this topic; empty when it is none."""
        head = self.command_topic("")
        return topic.removeprefix(head) if topic.startswith(head) else ""

    def command_result(self, name: str, identity: str, result: Mapping[str, Any], error: str) -> bytes:
        """What came of a command: its `result`, or why there is none. `identity` is the request's, if known.

        It carries no time: the answer to a repeated request is the same bytes.
        """
        body = {
            "id": identity or None,
            "command": name,
            "ok": not error,
            "error": error,
            "result": dict(result),
        }
        head = {"schema": SCHEMA, "site": self.site, "device": self.device}
        return encode({**head, **body})

    def answer(self, name: str, payload: bytes, incoming: Incoming, utc: float) -> Message:
        """A command's result on its way to whoever asked.

        Where they want it, but for topics of this device itself: what is said there is said by the device.
        """
        wanted = incoming.answer_to
        own = wanted == self.root or wanted.startswith(self.root + "/")
        bad = not wanted or own or wanted.startswith("$") or any(c in wanted for c in "+#\0")
        message = self._made("command_result", payload, utc, topic="" if bad else wanted, command=name)
        return replace(message, correlation=incoming.correlation)

    def camera_status(self, camera: str, state: str, reason: str, utc: float) -> Message:
        """Whether pictures come from a camera: one of `CAMERA_STATES`; `reason` is empty when they do.

        Raises:
            ValueError: another state, or a camera name that cannot be a topic level.
        """
        if state not in CAMERA_STATES:
            raise ValueError(f"camera status: expected one of {CAMERA_STATES}, found {state!r}")
        body = {"camera": camera, "state": state, "reason": reason}
        return self._made("camera_status", self._encoded(body, utc), utc, camera=_checked_camera(camera))

    def event(self, event: Event) -> Message:
        """The message of what an application says.

        Raises:
            ValueError: a kind that has no topic, or a body that is not of this kind.
        """
        if event.kind == "recognition" and isinstance(event.body, Recognition):
            return self.recognition(event.body)
        if event.kind == "gone":
            return self._nothing(event)
        maker = MAKERS.get(event.kind)
        if maker is None or isinstance(event.body, Recognition):
            found = f"{event.kind!r} with {type(event.body).__name__}"
            expected = f"kind 'recognition' with a Recognition, or one of {', '.join(MAKERS)} with plain data"
            raise ValueError(f"event: expected {expected}, found {found}")
        told, camera = maker(event), _checked_camera(event.camera)
        identity = self._id(*told.identity) if told.identity else ""
        body = {**({"id": identity} if identity else {}), **told.body, "camera": camera}
        payload = self._encoded(body, event.utc)
        return self._made(event.kind, payload, event.utc, identity=identity, camera=camera, **told.levels)

    def _nothing(self, event: Event) -> Message:
        """Nothing is true any more of what `body` names: the `kind` of a state and the levels of its
        topic.
        """
        body: Any = event.body
        levels = {name: level for name, level in body.items() if name != "kind"}
        for name, level in levels.items():
            check_topic_part(name, level)
        address = DEFINITIONS[body["kind"]].address.format_map(
            {**levels, "camera": _checked_camera(event.camera)}
        )
        topic = f"{self.root}/{address}"
        return Message(topic, b"", "", event.utc, retain=True, delivery=Delivery.STATE)

    def recognition(self, recognition: Recognition) -> Message:
        """A fact about one track. Its id depends on site, device, track and revision alone.

        Raises:
            ValueError: a camera name that cannot be a topic level, or a number that is not finite.
        """
        track = recognition.track
        identity = self._id(track.camera, track.id, str(recognition.revision))
        body = recognition_body(
            recognition, schema=SCHEMA, site=self.site, device=self.device, identity=identity
        )
        topic = _recognitions(self.root, track.camera)
        return Message(topic, encode_rounded(body), identity, recognition.utc)

    def lost(self, loss: Loss, utc: float, to: str = "broker") -> Message:
        """Facts that were given up, told at `utc`: in place of all of them. `to`: one of `SINKS`."""
        about = (
            to,
            loss.topic,
            loss.cause,
            str(loss.count),
            str(loss.first_utc),
            str(loss.last_utc),
            str(utc),
        )
        identity = self._id("lost", *about)
        body = lost_body(loss, self.kind(loss.topic), identity, to)
        return self._made("lost", self._encoded(body, utc), utc, identity=identity)

    def camera_of(self, topic: str) -> str:
        """The camera that a topic of this device is about; empty when it is about none."""
        below = topic.removeprefix(f"{self.root}/")
        camera, slash, _ = below.partition("/")
        return camera if slash and below != topic and camera not in RESERVED_CAMERAS else ""

    def below(self, camera: str, topic: str) -> str:
        """What stands below the level of a camera in one of its topics."""
        return topic.removeprefix(f"{self.root}/{camera}/")

    def _encoded(self, body: Mapping[str, Any], utc: float) -> bytes:
        return encode(self._headed(body, utc))

    def _headed(self, body: Mapping[str, Any], utc: float) -> dict[str, Any]:
        return {"schema": SCHEMA, "site": self.site, "device": self.device, "time": rfc3339(utc), **body}

    def _made(
        self, kind: str, payload: bytes, utc: float, *, topic: str = "", identity: str = "", **levels: str
    ) -> Message:
        """A message of this kind: its definition says how it is sent. `topic`: elsewhere than it says."""
        definition = DEFINITIONS[kind]
        topic = topic or f"{self.root}/{definition.address.format_map(levels)}"
        return Message(
            topic=topic,
            payload=payload,
            id=identity or self._id(topic, payload.decode("utf-8")),
            utc=utc,
            qos=definition.qos,
            retain=definition.retain,
            delivery=Delivery.STATE if definition.retain else Delivery.FACT,
            content_type=definition.content_type,
            expiry_s=definition.expiry_s,
        )

    def _id(self, *parts: str) -> str:
        # NUL cannot be in a level, so two different lists of parts never make the same text.
        text = "\0".join((self.site, self.device, *parts))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


@lru_cache(maxsize=256)
def _recognitions(root: str, camera: str) -> str:
    return f"{root}/{DEFINITIONS['recognition'].address.format(camera=_checked_camera(camera))}"


@lru_cache(maxsize=256)
def _checked_camera(camera: str) -> str:
    check_camera("camera", camera)
    return camera
