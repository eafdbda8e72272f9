"""What can be asked of decisions that are kept for review, and what a person may say of them."""

from __future__ import annotations

from typing import Final

from agent.core.access import Role
from agent.core.api.operation import JPEG, Operation
from agent.core.evidence import OPTION_LIMIT
from agent.core.forms import Form, Number, Text
from agent.core.product_rules import SKU_LIMIT
from agent.core.review import Answer, Kind
from agent.core.types import Verdict
from agent.core.wire.schemas import COUNT, TIME, object_of

QUEUE: Final = 100
"""Decisions in one answer: some 150 KB."""

_NUMBER: Final = Number(doc="of the decision", low=1, high=2**40, whole=True)
_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_REAL: Final = {"type": "number"}
_WEIGHTS: Final = {
    "type": "array",
    "items": object_of({"source": _TEXT, "log_odds": _REAL}),
    "description": "what spoke for it (above 0) or against it, as natural logarithms of odds",
}
_OPTION: Final = object_of(
    {
        "sku": _TEXT,
        "name": _TEXT,
        "similarity": _REAL,
        "probability": _REAL,
        "reference": {**_TEXT, "description": "path of the nearest picture within the product folder"},
        "clues": _WEIGHTS,
    }
)
DECISION: Final = object_of(
    {
        "decision": COUNT,
        "time": TIME,
        "camera": _TEXT,
        "region": _TEXT,
        "kind": {"enum": [each.value for each in Kind], "description": "why it is worth another look"},
        "verdict": {"enum": [each.value for each in Verdict]},
        "sku": {"type": ["string", "null"], "description": "that was named"},
        "name": {"type": ["string", "null"]},
        "probability": _REAL,
        "similarity": _REAL,
        "margin": {**_REAL, "description": "similarity above the next product"},
        "false_accept": {**_REAL, "description": "least `decision.false_accept` at which it is named"},
        "looks": COUNT,
        "reason": _TEXT,
        "release": _TEXT,
        "evidence": _WEIGHTS,
        "options": {"type": "array", "items": _OPTION},
        "picture": {**_FLAG, "description": "what it showed was kept"},
        "answer": {"enum": [each.value for each in Answer]},
        "answer_sku": {**_TEXT, "description": "that a person says it is; empty where none has"},
    }
)
_COUNTS: Final = {
    "open": {**COUNT, "description": "nobody has answered them yet"},
    "answered": COUNT,
}


REVIEWS: Final = (
    Operation(
        name="reviews",
        path="/api/review",
        does="Decisions that are kept for review, hard ones first, then the latest first.",
        role=Role.OPERATOR,
        fields={
            "state": Text(doc="which", choices=("open", "answered"), default="open"),
            "limit": Number(doc="how many to list", low=1, high=QUEUE, whole=True, default=20),
        },
        result={**_COUNTS, "decisions": {"type": "array", "items": DECISION}},
    ),
    Operation(
        name="review_picture",
        path="/api/review/{decision}/picture",
        does="What a decision was made of, where that was kept.",
        role=Role.OPERATOR,
        fields={"decision": _NUMBER},
        media=JPEG,
        per_minute=1200,
        burst=120,
    ),
    Operation(
        name="review_reference",
        path="/api/review/{decision}/reference/{option}",
        does="The nearest reference picture of one of its options, small.",
        role=Role.OPERATOR,
        fields={
            "decision": _NUMBER,
            "option": Number(doc="of the options, from 0", low=0, high=OPTION_LIMIT - 1, whole=True),
        },
        media=JPEG,
        per_minute=3000,
        burst=300,
    ),
    Operation(
        name="review_answer",
        path="/api/review",
        does="Says that a decision is right, wrong, or which product it is; `open` takes that back.",
        role=Role.OPERATOR,
        method="POST",
        form=Form(
            does="",
            fields={
                "decision": _NUMBER,
                "answer": Text(doc="what it is", choices=tuple(each.value for each in Answer)),
                "sku": Text(doc="with `is`: of the product that it is", limit=SKU_LIMIT, default=""),
            },
            result={},
            per_minute=600,
            burst=60,
        ),
        result=_COUNTS,
    ),
)
