"""What a device can be told to do over MQTT: each request read strictly, before anything is done.

    enrol    {"id": …, "sku": …, "image": base64 or a list of them, "name": …, "gtin": … and so on}
    forget   {"id": …, "sku": …}
    resync   {"id": …}

`id` is chosen by whoever asks. The same request sent again with its id is answered as before, and done once.
"""

from __future__ import annotations

from base64 import b64decode
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import quoted
from agent.core.json_fields import typed_fields
from agent.core.product_rules import TEXT_FIELDS
from agent.core.settings import setting
from agent.core.strict_json import parse_object, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Final = ("enrol", "forget", "resync")

REQUEST_LIMIT_BYTES: Final = 8_000_000
"""Some photos of a phone, or one of the largest, in base64."""

IMAGE_LIMIT: Final = 16
"""Pictures in one request: an embedding takes some 10 ms, and other commands wait meanwhile."""

ID_LIMIT: Final = 128
"""Characters of an id: a UUID has 36."""

REMEMBERED: Final = 256
"""Requests whose answers are remembered, some 500 bytes each: more than anybody repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """What others may tell this device over MQTT."""

    allow: tuple[str, ...] = setting(
        "commands that whoever may write to their topics may give: enrol, forget, resync",
        (),
    )

    def __post_init__(self) -> None:
        for name in self.allow:
            if name not in COMMANDS:
                raise ValueError(f"allow: expected some of {', '.join(COMMANDS)}, found {quoted(name)}")
        if len(set(self.allow)) < len(self.allow):
            raise ValueError(f"allow: expected each command once, found {', '.join(self.allow)}")


@dataclass(frozen=True, slots=True)
class Enrol:
    """Add pictures to an SKU."""

    sku: str
    images: tuple[bytes, ...]  # files as they are
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Forget:
    """Let an SKU be recognised no longer."""

    sku: str


@dataclass(frozen=True, slots=True)
class Resync:
    """Look for a new release now."""


Command = Enrol | Forget | Resync


class Request:
    """A request as it came: which one it is can be told before what it asks for is right."""

    def __init__(self, data: bytes) -> None:
        """Read its outside.

        Raises:
            ValueError: it is too large, no object, or has no id.
        """
        self._fields = parse_object(data, REQUEST_LIMIT_BYTES)
        self.id = _id_of(self._fields)

    def command(self, name: str) -> Command:
        """What it asks for; `name` is one of `COMMANDS`.

        Raises:
            ValueError: a field is missing, unknown, of another type or out of bounds.
        """
        if name == "resync":
            typed_fields("", self._fields, {"id": "str"})
            return Resync()
        if name == "forget":
            return Forget(typed_fields("", self._fields, {"id": "str", "sku": "str"})["sku"])
        said = [field for field in TEXT_FIELDS if field in self._fields]
        given = {key: value for key, value in self._fields.items() if key != "image"}
        fields = typed_fields("", given, dict.fromkeys(("id", "sku", *said), "str"))
        return Enrol(fields["sku"], _images(self._fields.get("image")), {key: fields[key] for key in said})


class Answers:
    """Answers to the latest requests, so that one that is repeated is done once. Used by one thread."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def of(self, identity: str, content: str) -> bytes | None:
        """The answer to this request; None where it is new. `content` is a digest of all of it.

        Raises:
            ValueError: another request had this id.
        """
        held = self._held.get(identity)
        if held is None:
            return None
        if held[0] != content:
            raise ValueError(f"id: expected another one for another request, found {quoted(identity)} again")
        return held[1]

    def keep(self, identity: str, content: str, answer: bytes) -> None:
        """Remember what was answered."""
        self._held[identity] = (content, answer)
        while len(self._held) > REMEMBERED:
            self._held.popitem(last=False)


def _id_of(fields: Mapping[str, Any]) -> str:
    identity = fields.get("id")
    good = isinstance(identity, str) and 0 < len(identity) <= ID_LIMIT and identity.isprintable()
    if not good:
        raise ValueError(f"id: expected 1 to {ID_LIMIT} printable characters, found {shown(identity)}")
    return str(identity)


def _images(value: Any) -> tuple[bytes, ...]:
    texts = value if isinstance(value, list) else [value]
    if not 1 <= len(texts) <= IMAGE_LIMIT:
        raise ValueError(f"image: expected 1 to {IMAGE_LIMIT} pictures, found {len(texts)}")
    images = []
    for number, text in enumerate(texts):
        where = f"image[{number}]" if isinstance(value, list) else "image"
        if not isinstance(text, str):
            raise ValueError(f"{where}: expected base64, found {shown(text)}")  # noqa: TRY004
        try:
            images.append(b64decode(text, validate=True))
        except ValueError:
            raise ValueError(f"{where}: expected base64, found {quoted(text[:40])}") from None
    return tuple(images)
