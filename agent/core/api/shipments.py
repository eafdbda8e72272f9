"""What can be asked of shipments at the docks; they are opened and closed by the commands of that name."""

from __future__ import annotations

from typing import Final

from agent.core.access import Role
from agent.core.api.operation import Operation
from agent.core.commands import COMMANDS
from agent.core.forms import Number, Text
from agent.core.inbound.report import LINES_TOLD, REPORT
from agent.core.topics import LEVEL_LIMIT
from agent.core.wire.schemas import object_of

LINES_LISTED: Final = 10_000
"""Lines of one shipment in one answer: 1.5 MB."""

_STANDING: Final = {"camera": {"type": "string"}, **REPORT}

SHIPMENTS: Final = (
    Operation(
        name="shipments",
        path="/api/shipments",
        does="The shipments that are received now and the latest that were, dock by dock, oldest first: how "
        f"each stands, with at most {LINES_TOLD} lines.",
        role=Role.VIEWER,
        fields={"camera": Text(doc="at this dock alone", limit=LEVEL_LIMIT, default="")},
        result={"shipments": {"type": "array", "items": object_of(_STANDING)}},
        per_minute=240,
        burst=20,
    ),
    Operation(
        name="shipment",
        path="/api/shipments/{shipment}",
        does="How one shipment stands.",
        role=Role.VIEWER,
        fields={
            "shipment": Text(doc="its name", limit=LEVEL_LIMIT),
            "camera": Text(doc="at which dock; empty: at any", limit=LEVEL_LIMIT, default=""),
            "lines": Number(
                doc="of it, those that are not as expected first", low=0, high=LINES_LISTED, whole=True,
                default=LINES_TOLD,
            ),
        },
        result=_STANDING,
        per_minute=240,
        burst=20,
    ),
    Operation(
        name="shipment_open",
        path="/api/shipments",
        does=f"{COMMANDS['shipment/open'].does} The body is the order itself.",
        role=Role.OPERATOR,
        method="POST",
        form=COMMANDS["shipment/open"],
        document="order",
        result=COMMANDS["shipment/open"].result,
        per_minute=COMMANDS["shipment/open"].per_minute,
        burst=COMMANDS["shipment/open"].burst,
        command="shipment/open",
    ),
    Operation(
        name="shipment_close",
        path="/api/shipments/close",
        does=COMMANDS["shipment/close"].does,
        role=Role.OPERATOR,
        method="POST",
        form=COMMANDS["shipment/close"],
        result=COMMANDS["shipment/close"].result,
        per_minute=COMMANDS["shipment/close"].per_minute,
        burst=COMMANDS["shipment/close"].burst,
        command="shipment/close",
    ),
)  # fmt: skip
