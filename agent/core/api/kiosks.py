"""What the page of a kiosk asks."""

from __future__ import annotations

from typing import Final

from agent.core.access import Role
from agent.core.api.operation import PRODUCT, SVG, Operation
from agent.core.forms import Form, Text, Texts
from agent.core.product_rules import SKU_LIMIT
from agent.core.topics import LEVEL_LIMIT
from agent.core.wire.kiosk import OFFERED
from agent.core.wire.schemas import COUNT, object_of
from agent.core.wording import TEXT_LIMIT

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_CAMERA: Final = Text(doc="which kiosk, by its camera", limit=LEVEL_LIMIT)

KIOSK_NOW: Final = object_of(
    {
        "camera": _TEXT,
        "online": {**_FLAG, "description": "its camera sees something"},
        "mood": {"enum": ["idle", "presence", "known", "ambiguous", "unknown"]},
        "number": {**COUNT, "description": "another one when something else is shown"},
        "products": {"type": "array", "items": PRODUCT, "description": "that are shown, best first"},
        "idle_s": {"type": "number"},
        "currency": {**_TEXT, "description": "of prices that are bare numbers; empty: none is known"},
        "plan": {**_FLAG, "description": "there is a plan of the shop"},
    }
)

KIOSKS: Final = (
    Operation(
        name="kiosks",
        path="/api/kiosks",
        does="The kiosks, and what each of them shows now; `kiosk` of the server-sent events says when that "
        "changes.",
        role=Role.KIOSK,
        result={"kiosks": {"type": "array", "items": KIOSK_NOW}},
    ),
    Operation(
        name="kiosk_plan",
        path="/api/kiosks/{camera}/plan",
        does="The plan of the shop, in which each aisle and bay has its `data-place`.",
        role=Role.KIOSK,
        fields={"camera": _CAMERA},
        media=SVG,
        per_minute=60,
        burst=20,
    ),
    Operation(
        name="kiosk_choice",
        path="/api/kiosks/choice",
        does="Tells over MQTT which product of a list somebody wanted, or that it was none of them.",
        role=Role.KIOSK,
        method="POST",
        form=Form(
            does="",
            fields={
                "camera": _CAMERA,
                "offered": Texts(doc="SKUs, as they were listed", limit=OFFERED, each=SKU_LIMIT),
                "sku": Text(doc="that was wanted; empty: none of them", limit=SKU_LIMIT, default=""),
                "text": Text(doc="that was typed; empty: a thing was held up", limit=TEXT_LIMIT, default=""),
            },
            result={},
            per_minute=120,
            burst=20,
        ),
        per_minute=120,
        burst=20,
    ),
)
