"""The table of what can be asked over HTTP: who may, how often, what is said and what is answered.

A new question is one entry here and one method of `agent/desk.py`. What changes something is a command: the
table of `core/commands.py`, done by the same deeds as over MQTT.
"""

from __future__ import annotations

from typing import Final

from agent.core.access import NAMED, Role
from agent.core.api.kiosks import KIOSKS
from agent.core.api.operation import JPEG, PRODUCT, Operation
from agent.core.api.reviews import REVIEWS
from agent.core.api.setting_up import SETTING_UP
from agent.core.api.shipments import SHIPMENTS
from agent.core.commands import COMMANDS, FIND_LIMIT
from agent.core.forms import Form, Number, Text
from agent.core.product_rules import SKU_LIMIT
from agent.core.topics import LEVEL_LIMIT
from agent.core.wire import CAMERA_STATES, HEALTHS
from agent.core.wire.schemas import COUNT, TIME, object_of
from agent.core.wording import TEXT_LIMIT

COMMAND_PATH: Final = "/api/commands/"
"""Where commands are given: the name of one stands behind it."""

EVENTS: Final = "text/event-stream"
PLAIN: Final = "text/plain"

SIDE_PX: Final = 1920
"""Longest side of a picture of a camera that can be asked for."""

RECENT: Final = 200
"""Events that are remembered for whoever asks later: some minutes of a busy shelf, 1 MB."""

PAGE: Final = 100
"""Products in one answer of a list."""

PASSWORD_LIMIT: Final = 200


_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_NUMBERS: Final = {"type": "object", "additionalProperties": {"type": "number"}}
_CAMERA: Final = Text(doc="which camera", limit=LEVEL_LIMIT)
_SKU: Final = Text(doc="of the product", limit=SKU_LIMIT)
_LISTED: Final = Number(doc="how many to list", low=1, high=FIND_LIMIT, whole=True, default=5)

_CAMERA_NOW: Final = object_of(
    {
        "camera": _TEXT,
        "state": {"enum": list(CAMERA_STATES)},
        "reason": _TEXT,
        "application": {"enum": ["watch", "shelf", "inbound", "kiosk"]},
        "seen": {"anyOf": [TIME, {"type": "null"}], "description": "when its latest picture was taken"},
        "width": {**COUNT, "description": "pixels of it; 0 where there is none"},
        "height": COUNT,
    }
)
_CAUSE: Final = object_of({"part": _TEXT, "reason": _TEXT})
_NOTE: Final = {
    "type": "object",
    "description": "as it was told over MQTT",
    "properties": {"topic": _TEXT, "payload": {"type": "object"}},
    "required": ["payload", "topic"],
}

_QUESTIONS: Final = (
    Operation(
        name="session",
        path="/api/session",
        does="Says who is asking.",
        role=Role.NOBODY,
        result={
            "role": {"enum": list(NAMED)},
            "password": {**_FLAG, "description": "there are passwords: somebody else can log in"},
            "pages": {**_TEXTS, "description": "that may be opened"},
        },
    ),
    Operation(
        name="login",
        path="/api/login",
        does="Opens a session for the role whose password it is; the answer sets a cookie.",
        role=Role.NOBODY,
        method="POST",
        form=Form(
            does="",
            fields={"password": Text(doc="of a role", limit=PASSWORD_LIMIT)},
            result={},
            per_minute=10,
            burst=5,
        ),
        result={"role": {"enum": list(NAMED)}},
        per_minute=10,
        burst=5,
    ),
    Operation(
        name="logout",
        path="/api/logout",
        does="Ends the session.",
        role=Role.NOBODY,
        method="POST",
        form=Form(does="", fields={}, result={}, per_minute=60, burst=10),
    ),
    Operation(
        name="find",
        path="/api/find",
        does="Says which product a picture shows, or which products a text means. The body may also be the "
        "picture itself, with its content type.",
        role=Role.KIOSK,
        method="POST",
        form=COMMANDS["find"],
        picture="image",
        result=COMMANDS["find"].result,
        per_minute=240,
        burst=20,
    ),
    Operation(
        name="search",
        path="/api/products",
        does="Products that a text means, best first; without a text all of them, by their number.",
        role=Role.KIOSK,
        fields={
            "text": Text(doc="words, a name, an SKU or a GTIN", limit=TEXT_LIMIT, default=""),
            "after": Number(doc="without a text: where to go on", low=0, high=2**40, whole=True, default=0),
            "limit": Number(doc="how many to list", low=1, high=PAGE, whole=True, default=20),
        },
        result={
            "products": {"type": "array", "items": PRODUCT},
            "next": {"type": ["integer", "null"], "description": "`after` of the next page; null at the end"},
        },
        per_minute=1200,
        burst=60,
    ),
    Operation(
        name="product",
        path="/api/products/{sku}",
        does="One product.",
        role=Role.KIOSK,
        fields={"sku": _SKU},
        result=PRODUCT["properties"],
    ),
    Operation(
        name="thumbnail",
        path="/api/products/{sku}/picture",
        does="A picture of it: one that has at least so many pixels, or else the largest there is.",
        role=Role.KIOSK,
        fields={
            "sku": _SKU,
            "side_px": Number(doc="of its longer side", low=1, high=4096, whole=True, default=96),
        },
        media=JPEG,
        kept=True,
        per_minute=3000,
        burst=300,
    ),
    Operation(
        name="similar",
        path="/api/products/{sku}/similar",
        does="Products that look like this one, the most alike first.",
        role=Role.KIOSK,
        fields={"sku": _SKU, "k": _LISTED},
        result={"products": {"type": "array", "items": PRODUCT}},
        per_minute=240,
        burst=20,
    ),
    Operation(
        name="cameras",
        path="/api/cameras",
        does="The cameras, and how they are.",
        role=Role.VIEWER,
        result={"cameras": {"type": "array", "items": _CAMERA_NOW}},
    ),
    Operation(
        name="picture",
        path="/api/cameras/{camera}/picture",
        does="The latest picture of a camera that was looked at.",
        role=Role.VIEWER,
        fields={
            "camera": _CAMERA,
            "side_px": Number(
                doc="longest side of what is sent", low=64, high=SIDE_PX, whole=True, default=960
            ),
        },
        media=JPEG,
        per_minute=3000,
        burst=120,
    ),
    Operation(
        name="recognitions",
        path="/api/recognitions",
        does=f"What was told of late, newest first; at most {RECENT} are remembered, until the next restart.",
        role=Role.VIEWER,
        fields={
            "camera": Text(doc="of this camera alone", limit=LEVEL_LIMIT, default=""),
            "limit": Number(doc="how many to list", low=1, high=RECENT, whole=True, default=50),
        },
        result={"events": {"type": "array", "items": _NOTE}},
    ),
    Operation(
        name="states",
        path="/api/states",
        does="What is true now, topic by topic, as a broker retains it: health, catalogue, cameras, slots.",
        role=Role.VIEWER,
        fields={"camera": Text(doc="of this camera alone", limit=LEVEL_LIMIT, default="")},
        result={"states": {"type": "object", "additionalProperties": {"type": ["object", "string"]}}},
    ),
    Operation(
        name="status",
        path="/api/status",
        does="How the device is, in short, with the numbers that it counts.",
        role=Role.VIEWER,
        result={
            "site": _TEXT,
            "device": _TEXT,
            "version": _TEXT,
            "release": {**_TEXT, "description": "of the catalogue in use; empty while there is none"},
            "health": {"enum": list(HEALTHS)},
            "causes": {"type": "array", "items": _CAUSE},
            "broker": {**_FLAG, "description": "it has us"},
            "uptime_s": {"type": "number", "minimum": 0},
            "figures": _NUMBERS,
        },
    ),
    Operation(
        name="events",
        path="/api/events",
        does="Server-sent events: `scene` (what a camera shows now), `told` (what was told over MQTT), "
        "`status` (as /api/status), `states` (as /api/states) and `kiosk` (what a kiosk shows). The "
        "kiosk's role hears only what is of its application.",
        role=Role.KIOSK,
        media=EVENTS,
        per_minute=60,
        burst=20,
    ),
)

_COMMANDS: Final = tuple(
    Operation(
        name=f"command_{name.replace('/', '_')}",
        path=f"{COMMAND_PATH}{name}",
        does=form.does,
        role=Role.OPERATOR,
        method="POST",
        form=form,
        result=form.result,
        per_minute=form.per_minute,
        burst=form.burst,
        command=name,
    )
    for name, form in COMMANDS.items()
    if name != "find"
)

_ALL: Final = (*_QUESTIONS, *KIOSKS, *SHIPMENTS, *SETTING_UP, *REVIEWS, *_COMMANDS)
OPERATIONS: Final[dict[str, Operation]] = {each.name: each for each in _ALL}
"""By name."""
