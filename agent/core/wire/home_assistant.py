"""What Home Assistant is told of a device, so that it shows one without being configured (2024.11 and later).

    {prefix}/device/{object id}/config    retained: the device, and how to read each of our topics

Nothing else is said for it: each component points at a topic that is there anyway and cuts its value out of
the payload with a template (Jinja). A new one is one entry in `COMPONENTS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal

from agent.core.payload import content, encode
from agent.core.settings import setting
from agent.core.topics import check_prefix, check_topic
from agent.core.types import Delivery, Message
from agent.core.wire.definitions import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.core.wire.messages import Wire

BIRTH: Final = b"online"
"""What Home Assistant says when it has started."""

_MISSED: Final = 3
"""Messages on `/metrics` that may be missing before its numbers are no longer shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantSettings:
    """How this device shows itself to Home Assistant."""

    prefix: str = setting("discovery prefix of its MQTT integration; there it is homeassistant by default")
    birth: str = setting("topic of its birth message; empty: the prefix with /status behind it", "")

    def __post_init__(self) -> None:
        check_prefix("prefix", self.prefix)
        check_topic("birth", self.birth_topic)

    @property
    def birth_topic(self) -> str:
        """Where Home Assistant says that it is there."""
        return self.birth or f"{self.prefix}/status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to show."""

    version: str
    machine: str  # what the board calls itself
    serial: str = ""  # of the board, where it has one
    cameras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # → names of the configured slots
    synced: bool = False  # releases come from a server
    metrics_s: int = 0  # from one message on /metrics to the next; 0: there are none
    things: bool = False  # things without a name are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One entity, for each place that the address of its messages has parameters for."""

    key: str  # unique among those of one place
    platform: Literal["sensor", "binary_sensor", "event"]
    name: str  # shown behind the name of the device, and of the camera
    kind: str  # of the messages that it reads, see `definitions.py`
    value: str  # expression (Jinja): the content of the message, `it` → the state
    attributes: str = ""  # expression: `it` → a mapping to show beside the state
    more: Mapping[str, Any] = field(default_factory=dict)  # other keys, see Home Assistant's documentation

    @property
    def template(self) -> str:
        """What Home Assistant makes the state with."""
        return f"{_IT}{{{{ {self.value} }}}}"

    def there(self, facts: Facts) -> bool:
        """Whether the device says it at all."""
        needs = {"metrics": facts.metrics_s > 0, "unknown": facts.things}
        return needs.get(self.kind, True) and (facts.synced or self.key != "synced")


_INSIDE: Final = {"ent_cat": "diagnostic"}

_IT: Final = "{% set it = value_json.data | default(value_json) %}"
"""In front of each template: `it` is our content, also where an envelope of CloudEvents is around it."""

_WHAT: Final = "((it.name or it.sku) if it.verdict == 'known' else '(' ~ it.verdict ~ ')')[:255]"
"""In brackets what is no product: the bare word `unknown` means to Home Assistant that there is no state. A
longer state than 255 characters it does not take."""

_DETAILS: Final = (
    "'sku': it.sku, 'gtin': it.gtin, 'product': it.name, 'verdict': it.verdict, "
    "'probability': it.probability, 'reason': it.reason, 'region': it.region, "
    "'track': it.track, 'time': it.time, 'late': it.late | default(false)"
)
"""Without the options that were weighed: what an entity shows is stored with each change. `name` and `state`
are words of Home Assistant's own: it passes such attributes over."""

COMPONENTS: Final = (
    Component(
        key="problem",
        platform="binary_sensor",
        name="Problem",
        kind="health",
        value="'OFF' if it.state == 'ok' else 'ON'",
        attributes="{'health': it.state, 'causes': it.causes}",
        more={"dev_cla": "problem", **_INSIDE},
    ),
    Component(
        key="release",
        platform="sensor",
        name="Catalogue",
        kind="index",
        value="it.release",
        attributes="{'channel': it.channel, 'number': it.number, 'model': it.model, 'products': it.products, "
        "'references': it.references, 'learned': it.learned, 'last_sync_result': it.last_sync_result, "
        "'note': it.note, 'error': it.error}",
        more={"ic": "mdi:book-open-variant", **_INSIDE},
    ),
    Component(
        key="synced",
        platform="sensor",
        name="Catalogue up to date",
        kind="index",
        value="it.last_sync",
        more={"dev_cla": "timestamp", **_INSIDE},
    ),
    Component(
        key="waiting",
        platform="sensor",
        name="Waiting messages",
        kind="metrics",
        value="it['values']['outbox.waiting']",  # `it.values` is a method of every mapping
        more={"stat_cla": "measurement", "ic": "mdi:tray-full", **_INSIDE},
    ),
    Component(
        key="lost",
        platform="sensor",
        name="Lost messages",
        kind="metrics",
        value="it['values']['outbox.dropped']",
        more={"stat_cla": "total_increasing", "ic": "mdi:tray-remove", **_INSIDE},
    ),
    Component(
        key="memory",
        platform="sensor",
        name="Memory",
        kind="metrics",
        value="it['values']['memory.resident_mb']",
        more={"dev_cla": "data_size", "stat_cla": "measurement", "unit_of_meas": "MB", **_INSIDE},
    ),
    Component(
        key="things",
        platform="sensor",
        name="Things without a name",
        kind="unknown",
        value="it.things",
        attributes="{'seen': it.seen, 'since': it.since}",
        more={"stat_cla": "measurement", "ic": "mdi:help-box-multiple-outline"},
    ),
    Component(
        key="status",
        platform="binary_sensor",
        name="Connection",
        kind="camera_status",
        value="'ON' if it.state == 'online' else 'OFF'",
        attributes="{'status': it.state, 'reason': it.reason}",
        more={"dev_cla": "connectivity", **_INSIDE},
    ),
    Component(
        key="product",
        platform="sensor",
        name="Last product",
        kind="recognition",
        value=_WHAT,
        attributes="{" + _DETAILS + "}",
        more={"ic": "mdi:barcode-scan"},
    ),
    Component(
        key="recognition",
        platform="event",
        name="Recognition",
        kind="recognition",
        value="{'event_type': 'gone' if it.phase == 'end' else it.verdict, " + _DETAILS + "} | to_json",
        more={"evt_typ": ["known", "ambiguous", "unknown", "gone"], "ic": "mdi:barcode-scan"},
    ),
)


def object_id(root: str) -> str:
    """Of the device with this root of topics: letters, digits, `_` and `-`; no two devices have the same."""
    return f"{re.sub('[^A-Za-z0-9_]+', '-', root).strip('-')}-{_digest(root)}"


def announces(topic: str, root: str) -> bool:
    """Whether the device with this root announces itself there, under any prefix."""
    return topic.split("/")[1:] == ["device", object_id(root), "config"]


def announcement(wire: Wire, prefix: str, facts: Facts, gone: Mapping[str, str], utc: float) -> Message:
    """The device with all its components, for good.

    Args:
        wire: makes the messages that the components read.
        prefix: the first part of the topic.
        facts: what there is to show.
        gone: component → platform of those that were announced once: Home Assistant forgets a component when
            only its platform is named, and not when nothing of it is said.
        utc: s, Unix.
    """
    components = _components(wire, facts)
    forgotten = {key: {"p": platform} for key, platform in gone.items() if key not in components}
    identity = object_id(wire.root)
    device = {
        "ids": [identity],
        "name": wire.device,
        "mf": "Spotter",
        "mdl": facts.machine,
        "sn": facts.serial,
        "sw": facts.version,
        "sa": wire.site,
    }
    body = {
        "dev": {key: value for key, value in device.items() if value},
        "o": {"name": "Spotter", "sw": facts.version},
        "avty_t": wire.availability("online").topic,
        "qos": 1,
        "cmps": forgotten | components,
    }
    payload = encode(body)
    return Message(
        topic=f"{prefix}/device/{identity}/config",
        payload=payload,
        id=sha256(payload).hexdigest()[:32],
        utc=utc,
        retain=True,
        delivery=Delivery.STATE,
    )


def platforms(message: Message) -> dict[str, str]:
    """Component → platform of all that an announcement tells of, to be remembered."""
    return {key: each["p"] for key, each in content(message.payload)["cmps"].items()}


def _components(wire: Wire, facts: Facts) -> dict[str, dict[str, Any]]:
    return {
        key: body
        for component in COMPONENTS
        if component.there(facts)
        for key, body in entities(component, DEFINITIONS[component.kind].address, wire.root, facts)
    }


def entities(
    component: Component, address: str, root: str, facts: Facts
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and content of a component for each place of `address`: the device, its cameras, or their slots."""
    identity = object_id(root)
    for place in _places(address, facts):
        topic = f"{root}/{address.format_map(place)}"
        key = "_".join((*(re.sub("[^A-Za-z0-9_-]+", "-", level) for level in place.values()), component.key))
        if len(place) > 1:
            key = f"{key}_{_digest(topic)}"  # the name of a slot may be any text
        body = {
            "p": component.platform,
            "name": " ".join((*place.values(), component.name)),
            "uniq_id": f"{identity}_{key}",
            "stat_t": topic,
            "val_tpl": component.template,
            **component.more,
        }
        if component.attributes:
            body |= {
                "json_attr_t": topic,
                "json_attr_tpl": f"{_IT}{{{{ {component.attributes} | to_json }}}}",
            }
        if component.kind == "metrics":
            body["exp_aft"] = _MISSED * facts.metrics_s
        yield key, body


def _places(address: str, facts: Facts) -> Iterator[dict[str, str]]:
    wanted = re.findall(r"\{(\w+)\}", address)
    for camera, slots in facts.cameras.items() if "camera" in wanted else [("", ())]:
        levels = {"camera": (camera,), "slot": slots}
        for place in product(*(levels[name] for name in wanted)):
            yield dict(zip(wanted, place, strict=True))


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
