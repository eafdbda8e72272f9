"""Where Sparkplug B 3.0 puts what a device says, and what its messages are made of.

    spBv1.0/{group}/{NBIRTH|NDATA|NDEATH|NCMD}/{node}             the device: an edge node
    spBv1.0/{group}/{DBIRTH|DDATA|DDEATH|DCMD}/{node}/{camera}    a camera: a device of that node
    spBv1.0/STATE/{host}                                          to us: whether the primary host is there

Cameras are devices, not metrics of the node, because a host shows as stale what belongs to a device that
died: what a camera saw last is not true any more when it gives no pictures. How each camera is, and why, is a
metric of the node, since a dead device says nothing.

The content is protobuf, see `adapters/sparkplug.py`. Which metrics there are is in `sparkplug_metrics.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from agent.core.errors import quoted
from agent.core.payload import content
from agent.core.settings import setting
from agent.core.topics import check_topic_part

NAMESPACE: Final = "spBv1.0"

BD_SEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
"""Names that the specification gives. Neither has an alias: it forbids one for the latter, and some hosts do
not find the former by another name."""

Value = int | float | bool | str | None


class Type(IntEnum):
    """Of a metric's value: the numbers are the specification's."""

    INT64 = 4
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13  # ms, Unix


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugSettings:
    """Where this device is an edge node of Sparkplug B."""

    group: str = setting("group id: the second part of its topics")
    node: str = setting("edge node id, unique within the group; empty: the name of the device", "")
    primary_host: str = setting("id of the host without which nothing is told; empty for none", "")

    def __post_init__(self) -> None:
        check_topic_part("group", self.group)
        for name in ("node", "primary_host"):
            if getattr(self, name):
                check_topic_part(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Metric:
    """One value. `alias` stands for `name`: a birth has both, data has the alias alone."""

    name: str
    type: Type | None  # None where only the birth said it
    value: Value  # None: not known
    utc: float | None  # s, Unix: when it was so
    alias: int | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """The content of a message. `seq` counts the messages of a node, 0 to 255; a will has none."""

    utc: float | None  # s, Unix: when it was made
    metrics: tuple[Metric, ...]
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """The topics of one edge node."""

    group: str
    node: str

    def topic(self, kind: str, camera: str = "") -> str:
        """Of one type of message; `camera` for those of a device."""
        return "/".join((NAMESPACE, self.group, kind, self.node, *([camera] if camera else [])))


def host_topic(host: str) -> str:
    """Where a host says whether it is there. Retained."""
    return f"{NAMESPACE}/STATE/{host}"


def host_state(payload: bytes) -> tuple[bool, int]:
    """Whether a host is there, and when it said so: ms, Unix.

    Raises:
        ValueError: it says something else.
    """
    said = content(payload)
    fields = said if isinstance(said, dict) else {}
    online, moment = fields.get("online"), fields.get("timestamp")
    if type(online) is bool and type(moment) is int:
        return online, moment
    raise ValueError(f"expected the state of a host, online and timestamp, found {quoted(str(said))}")
