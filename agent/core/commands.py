"""What a device can be told to do over MQTT: the table of commands, and who may give them.

A new command is one entry here and one method of `agent/doing.py`. A name may have two levels, as in
`shipment/open`. What a picture costs, or shows of people, is off until `allow` names it, as all of them are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agent.core.errors import quoted
from agent.core.forms import Box, Document, Form, Images, Number, Text
from agent.core.inbound.order_files import ORDER_LIMIT_BYTES
from agent.core.inbound.report import REPORT
from agent.core.product_rules import NAME_LIMIT, SKU_LIMIT, TEXT_FIELDS
from agent.core.settings import setting
from agent.core.topics import LEVEL_LIMIT
from agent.core.wording import TEXT_LIMIT

IMAGE_LIMIT: Final = 16
"""Pictures in one request: an embedding takes some 10 ms, and other commands wait meanwhile."""

SNAPSHOT_BYTES: Final = 90_000
"""Of a picture that is sent: with base64 and what stands around it below 128 kB, the largest message that
some brokers in the cloud take."""

FIND_LIMIT: Final = 50
"""Products in an answer."""

DAY_S: Final = 86_400
"""Longest pause, and longest time of another log level: what somebody forgot to take back ends by itself."""

_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_COUNT: Final = {"type": "integer", "minimum": 0}
_FLAG: Final = {"type": "boolean"}
_SHARE: Final = {"type": "number"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_BOX: Final = {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4}

_SKU: Final = Text(doc="of the product", limit=SKU_LIMIT)
_CAMERA: Final = Text(doc="which camera; empty: all of them", limit=LEVEL_LIMIT, default="")


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


_CANDIDATE: Final = _object(
    sku=_TEXT, name=_TEXT, similarity=_SHARE, probability=_SHARE, reference=_TEXT, place=_TEXT
)
_FOUND: Final = _object(
    box=_BOX,
    verdict={"enum": ["known", "ambiguous", "unknown"]},
    sku=_TEXT_OR_NULL,
    name=_TEXT_OR_NULL,
    probability=_SHARE,
    reason=_TEXT,
    candidates={"type": "array", "items": _CANDIDATE},
)

_HIT: Final = _object(
    sku=_TEXT,
    gtin=_TEXT,
    name=_TEXT,
    score={"type": "number", "description": "0 to 1"},
    words={"type": "number", "description": "of the score, what the words are worth"},
    pictures={"type": "number", "description": "of the score, what the look is worth"},
    price=_TEXT,
    aisle=_TEXT,
    bay=_TEXT,
)

COMMANDS: Final[dict[str, Form]] = {
    "enrol": Form(
        does="Adds pictures to a product on this device.",
        fields={
            "sku": _SKU,
            "image": Images(doc="JPEG, PNG, WebP or BMP", limit=IMAGE_LIMIT),
            **{name: Text(doc="of the product", limit=NAME_LIMIT, default="") for name in TEXT_FIELDS},
        },
        result={
            "sku": _TEXT,
            "added": {**_COUNT, "description": "pictures that were not there yet"},
            "pictures": {**_COUNT, "description": "that the device has of it now, beside the release"},
            "in_release": {**_FLAG, "description": "the release has this SKU too"},
            "warnings": _TEXTS,
        },
        per_minute=120,
        burst=16,
    ),
    "forget": Form(
        does="Lets this device recognise a product no longer.",
        fields={"sku": _SKU},
        result={"sku": _TEXT, "removed": _COUNT, "in_release": _FLAG},
        per_minute=120,
        burst=16,
    ),
    "resync": Form(does="Looks for a new release now.", fields={}, result={}, per_minute=6, burst=3),
    "rollback": Form(
        does="Goes back to the release before; the bad one is not taken again, the next one is.",
        fields={},
        result={"release": _TEXT, "number": _COUNT},
        per_minute=6,
        burst=3,
    ),
    "reload": Form(
        does="Re-reads the configuration file; one that is wrong, or needs a restart, is refused.",
        fields={},
        result={"changed": {**_TEXTS, "description": "keys that are taken over now"}},
        per_minute=6,
        burst=3,
    ),
    "pause": Form(
        does="Looks at no picture for a time, of one camera or of all; what it followed ends.",
        fields={
            "camera": _CAMERA,
            "for_s": Number(doc="seconds; a restart ends it too", low=1, high=DAY_S, default=3600),
        },
        result={"cameras": _TEXTS, "until": {**_TEXT, "description": "RFC 3339"}},
        per_minute=30,
        burst=10,
    ),
    "resume": Form(
        does="Looks again, before the time of a pause is over.",
        fields={"camera": _CAMERA},
        result={"cameras": {**_TEXTS, "description": "that were paused"}},
        per_minute=30,
        burst=10,
    ),
    "identify": Form(
        does="Says which device this is: in the answer, in its log and on /info.",
        fields={},
        result={"hostname": _TEXT, "machine": _TEXT, "addresses": _TEXTS, "uptime_s": _SHARE},
        per_minute=30,
        burst=5,
        kept=False,
    ),
    "log_level": Form(
        does="Shows more or less in the log for a time.",
        fields={
            "level": Text(doc="least severe level shown", choices=("debug", "info", "warning", "error")),
            "for_s": Number(doc="seconds until the configured level is back", low=1, high=DAY_S, default=600),
        },
        result={"level": _TEXT, "until": {**_TEXT, "description": "RFC 3339"}},
        per_minute=30,
        burst=5,
    ),
    "self_test": Form(
        does="Tries the probes of the catalogue, the disk, the clock, and asks how cameras and broker are.",
        fields={},
        result={
            "passed": {**_FLAG, "description": "every check is"},
            "checks": {"type": "array", "items": _object(name=_TEXT, passed=_FLAG, detail=_TEXT)},
        },
        per_minute=2,
        burst=2,
        kept=False,
    ),
    "snapshot": Form(
        does="Sends the latest picture of a camera, or a part of it.",
        fields={
            "camera": Text(doc="which camera", limit=LEVEL_LIMIT),
            "side_px": Number(doc="longest side of what is sent", low=16, high=1920, whole=True, default=640),
            "quality": Number(
                doc="of the JPEG; less where it would be too large", low=1, high=95, whole=True, default=80
            ),
            "box": Box(doc="the part that is wanted, pixels of the frame; all of it without"),
        },
        result={
            "camera": _TEXT,
            "time": {**_TEXT, "description": "when it was taken, RFC 3339"},
            "width": _COUNT,
            "height": _COUNT,
            "image": {"type": "string", "contentEncoding": "base64", "description": "JPEG"},
        },
        per_minute=12,
        burst=5,
        kept=False,
    ),
    "find": Form(
        does="Says which product a picture shows, or which products a text means.",
        fields={
            "image": Images(doc="JPEG, PNG, WebP or BMP", default=None),
            "text": Text(
                doc="words, a name, an SKU or a GTIN, also misspelt or begun", limit=TEXT_LIMIT, default=None
            ),
            "k": Number(doc="products to list", low=1, high=FIND_LIMIT, whole=True, default=5),
        },
        either=("image", "text"),
        result={
            "regions": {
                "type": "array",
                "items": _FOUND,
                "description": "what the picture shows; empty where a text was given",
            },
            "products": {
                "type": "array",
                "items": _HIT,
                "description": "what the text means, best first; empty where a picture was given",
            },
        },
        per_minute=60,
        burst=10,
        kept=False,
    ),
    "accept_view": Form(
        does="Lets a shelf's camera stay where it was moved to: its slots are where it shows them now.",
        fields={"camera": Text(doc="which camera; empty: the only one", limit=LEVEL_LIMIT, default="")},
        result={
            "camera": _TEXT,
            "moved_px": {**_SHARE, "description": "how far the picture lies from where it was at most"},
        },
        per_minute=30,
        burst=10,
    ),
    "shipment/open": Form(
        does="Begins to receive a shipment at a dock.",
        fields={
            "order": Document(
                doc="what is expected: an object with shipment and lines, a despatch advice (GS1, X12 856) "
                "as JSON, or CSV as a text",
                limit_bytes=ORDER_LIMIT_BYTES,
            ),
            "shipment": Text(doc="its name, where the order says none", limit=LEVEL_LIMIT, default=""),
            "camera": Text(doc="which dock; empty: the only one", limit=LEVEL_LIMIT, default=""),
        },
        result={"camera": _TEXT, **REPORT},
        per_minute=30,
        burst=10,
    ),
    "shipment/close": Form(
        does="Ends a shipment; says how it stands.",
        fields={
            "shipment": Text(doc="which one; empty: the one that is open", limit=LEVEL_LIMIT, default=""),
            "camera": Text(doc="which dock; empty: the only one", limit=LEVEL_LIMIT, default=""),
        },
        result={"camera": _TEXT, **REPORT},
        per_minute=30,
        burst=10,
    ),
}
"""By name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """What others may tell this device over MQTT."""

    allow: tuple[str, ...] = setting(
        "commands that whoever may write to their topics may give, some of: " + ", ".join(COMMANDS), ()
    )

    def __post_init__(self) -> None:
        for name in self.allow:
            if name not in COMMANDS:
                raise ValueError(f"allow: expected some of {', '.join(COMMANDS)}, found {quoted(name)}")
        if len(set(self.allow)) < len(self.allow):
            raise ValueError(f"allow: expected each command once, found {', '.join(self.allow)}")
