"""What the page asks with which somebody sets a camera up. All of it is the operator's."""

from __future__ import annotations

from typing import Any, Final

from agent.core.access import Role
from agent.core.api.operation import Operation
from agent.core.commands import IMAGE_LIMIT
from agent.core.forms import Form, Images, Number, Text
from agent.core.layout import PLACE, Boxes, Places, Zoned
from agent.core.privacy import MASKS
from agent.core.topics import LEVEL_LIMIT
from agent.core.wire.schemas import COUNT, TIME, object_of

PLACES: Final = 1024
"""Of one camera; see `core.regions.MAX_REGIONS`."""

LOOKED_AT: Final = 32
"""Places in one question: at 10 ms each, recognising waits a third of a second."""

DECISIONS: Final = 200
"""That are remembered for the question what another threshold would have made of them."""

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_NUMBER: Final = {"type": "number"}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_CAMERA: Final = Text(doc="which camera", limit=LEVEL_LIMIT)
_SHARPNESS: Final = {
    **_NUMBER,
    "description": "fine detail: 0 for an even area, about 80 for a photo of groceries in focus",
}
_FOUR: Final = {"type": ["array", "null"], "items": _NUMBER, "minItems": 4, "maxItems": 4}
_UNIT: Final = {"enum": ["px", "share"]}
_MASKS: Final = Boxes(doc="all of them: [x1, y1, x2, y2] in shares of width and height", limit=MASKS)
_LAYOUT: Final[dict[str, Any]] = {
    "camera": _TEXT,
    "etag": {**_TEXT, "description": "of the configuration file: say it when writing"},
    "mode": _TEXT,
    "unit": _UNIT,
    "places": {"type": "array", "items": PLACE},
    "zone": {**_FOUR, "description": "[x1, y1, x2, y2]"},
    "masks": {**_MASKS.schema(), "description": "that nobody is to see, in shares of width and height"},
    "shelf": {
        "anyOf": [{"type": "null"}, object_of({"unit": _UNIT, "places": {"type": "array", "items": PLACE}})],
        "description": "the slots of the planogram; those on a fixture as they lie in the picture",
    },
    "width": {**COUNT, "description": "of its pictures, pixels; 0 where there is none yet"},
    "height": COUNT,
}
_OPTION: Final = object_of({"sku": _TEXT, "name": _TEXT, "probability": _SHARE, "similarity": _NUMBER})
_SEEN: Final = object_of(
    {
        "name": {**_TEXT, "description": "of the place"},
        "verdict": {"enum": ["known", "ambiguous", "unknown"]},
        "sku": _TEXT_OR_NULL,
        "product": {**_TEXT_OR_NULL, "description": "its name"},
        "probability": _SHARE,
        "reason": _TEXT,
        "options": {"type": "array", "items": _OPTION},
        "sharpness": _SHARPNESS,
        "side_px": {**COUNT, "description": "of its shorter side"},
    }
)
_CHANGE: Final = object_of(
    {
        "camera": _TEXT,
        "region": _TEXT,
        "track": _TEXT,
        "time": TIME,
        "named": {**_FLAG, "description": "it would be named, and was not; or else the other way round"},
        "sku": {**_TEXT, "description": "of the best option"},
        "name": _TEXT,
        "probability": _SHARE,
        "false_accept": {**_NUMBER, "description": "the least rate at which it would be named"},
    }
)


def _form(**fields: Any) -> Form:
    return Form(does="", fields=fields, result={}, per_minute=0, burst=0)  # the rate is the operation's


_ETAG: Final = Text(doc="of the file as it was read", limit=64)
_WRITTEN: Final = {
    "taken_over": {**_FLAG, "description": "the device works by it from now on"},
    "reason": {**_TEXT, "description": "why not; empty when it does"},
}

SETTING_UP: Final = (
    Operation(
        name="layout",
        path="/api/setup/{camera}/layout",
        does="Where products are looked for in the pictures of a camera, as the configuration has it.",
        role=Role.OPERATOR,
        fields={"camera": _CAMERA},
        result=_LAYOUT,
    ),
    Operation(
        name="lay_out",
        path="/api/setup/layout",
        does="Writes that into the configuration file: comments and all else stay, the old one is kept "
        "beside it (.bak), and the new one is taken over at once. One that would be wrong is refused.",
        role=Role.OPERATOR,
        method="POST",
        form=_form(
            camera=_CAMERA,
            etag=_ETAG,
            mode=Text(
                doc="what is looked at",
                choices=("whole", "centre", "slots", "grid", "motion", "detector"),
            ),
            places=Places(doc="mode slots: all of them, in the unit of the file", limit=PLACES, default=()),
            zone=Zoned(doc="modes motion and detector: the part that is watched, in the unit of the file"),
        ),
        result={**_LAYOUT, **_WRITTEN},
        per_minute=30,
        burst=10,
    ),
    Operation(
        name="shelve",
        path="/api/setup/shelf",
        does="Writes the slots of a planogram, each with the product that belongs there, as `lay_out` does: "
        "into the configuration, or into the planogram's own file. A camera without a shelf gets one.",
        role=Role.OPERATOR,
        method="POST",
        form=_form(
            camera=_CAMERA,
            etag=_ETAG,
            places=Places(doc="all of them, in the unit of the planogram", limit=PLACES),
        ),
        result={**_LAYOUT, **_WRITTEN},
        per_minute=30,
        burst=10,
    ),
    Operation(
        name="mask",
        path="/api/setup/masks",
        does="Writes which parts of the pictures nobody is to see, as `lay_out` does.",
        role=Role.OPERATOR,
        method="POST",
        form=_form(camera=_CAMERA, etag=_ETAG, masks=_MASKS),
        result={**_LAYOUT, **_WRITTEN},
        per_minute=30,
        burst=10,
    ),
    Operation(
        name="decide",
        path="/api/setup/decision",
        does="Writes `decision.false_accept`, as `lay_out` does.",
        role=Role.OPERATOR,
        method="POST",
        form=_form(
            etag=_ETAG,
            false_accept=Number(doc="rate of wrong names that is allowed", low=1e-5, high=0.5),
        ),
        result={
            "now": {**_NUMBER, "description": "as it stands in the file"},
            "etag": {**_TEXT, "description": "of the file, from now on"},
            **_WRITTEN,
        },
        per_minute=30,
        burst=10,
    ),
    Operation(
        name="look",
        path="/api/setup/look",
        does="What is recognised in places of the latest picture of a camera, configured or not.",
        role=Role.OPERATOR,
        method="POST",
        form=_form(
            camera=_CAMERA,
            places=Places(doc="where to look, in pixels of the picture", limit=LOOKED_AT),
        ),
        result={
            "time": {**TIME, "description": "when the picture was taken"},
            "seen": {"type": "array", "items": _SEEN},
        },
        per_minute=120,
        burst=20,
    ),
    Operation(
        name="meter",
        path="/api/setup/{camera}/meter",
        does="Focus and light of the latest picture of a camera.",
        role=Role.OPERATOR,
        fields={"camera": _CAMERA},
        result={
            "time": TIME,
            "sharpness": {**_SHARPNESS, "description": "of the sharpest of 4 × 4 parts; see `look`"},
            "brightness": {**_SHARE, "description": "mean of the grey levels"},
            "dark": {**_SHARE, "description": "of the pixels have no light at all"},
            "bright": {**_SHARE, "description": "of the pixels have too much of it"},
        },
    ),
    Operation(
        name="what_if",
        path="/api/setup/what_if",
        does=f"Which of the latest {DECISIONS} decisions another `decision.false_accept` would change. Of "
        "those that it would name there may be fewer: looks that do not agree name nothing.",
        role=Role.OPERATOR,
        fields={
            "false_accept": Number(doc="rate of wrong names that is allowed", low=1e-5, high=0.5),
            "camera": Text(doc="of this camera alone", limit=LEVEL_LIMIT, default=""),
        },
        result={
            "now": {**_NUMBER, "description": "`decision.false_accept` as it is"},
            "decisions": {**COUNT, "description": "that were looked through"},
            "named": {**COUNT, "description": "of them were named"},
            "changes": {"type": "array", "items": _CHANGE},
        },
    ),
    Operation(
        name="view",
        path="/api/setup/view",
        does="Takes a picture of one place for the command `enrol`, and says whether it is worth learning: "
        "large enough, in focus, and another view than those before.",
        role=Role.OPERATOR,
        method="POST",
        form=_form(
            camera=_CAMERA,
            place=Places(doc="where, in pixels of the picture; empty: all of it", limit=1, default=()),
            views=Images(doc="those before", limit=IMAGE_LIMIT, default=()),
        ),
        result={
            "image": {"type": "string", "contentEncoding": "base64", "description": "JPEG"},
            "width": COUNT,
            "height": COUNT,
            "sharpness": _SHARPNESS,
            "similarity": {
                "type": ["number", "null"],
                "description": "to the most alike of those before; null: it is the first",
            },
            "fault": {"enum": ["", "small", "blurred", "alike"], "description": "empty: it is a good one"},
        },
        per_minute=60,
        burst=10,
    ),
)
