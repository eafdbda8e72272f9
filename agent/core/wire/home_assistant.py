"""What Home Assistant is told of a device, so that it shows one without being configured (2024.11 and later).

    {prefix}/device/{object id}/config    retained: the device, and how to read each of our topics

Nothing else is said for it: each component points at a topic that is there anyway and cuts its value out of
the payload with a template (Jinja). They are in the table of `home_assistant_components.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from agent.core.payload import content, encode
from agent.core.settings import setting
from agent.core.topics import check_prefix, check_topic
from agent.core.types import Delivery, Message
from agent.core.watched import Watched
from agent.core.wire.definitions import DEFINITIONS
from agent.core.wire.home_assistant_components import COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.core.watched import App
    from agent.core.wire.home_assistant_components import Component, Facts
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
    for place in _places(address, facts, component.app):
        topic = f"{root}/{address.format_map({'shipment': '+', **place})}"
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
                "json_attr_tpl": component.attributes_template,
            }
        if component.kind == "metrics":
            body["exp_aft"] = _MISSED * facts.metrics_s
        yield key, body


def _places(address: str, facts: Facts, app: App) -> Iterator[dict[str, str]]:
    """One for all shipments of a dock: they come and go, and are told of by one entity."""
    wanted = [level for level in re.findall(r"\{(\w+)\}", address) if level != "shipment"]
    for camera, watched in facts.cameras.items() if "camera" in wanted else [("", Watched())]:
        if app and watched.app != app:
            continue
        levels = {"camera": (camera,), "slot": watched.slots}
        for place in product(*(levels[name] for name in wanted)):
            yield dict(zip(wanted, place, strict=True))


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
