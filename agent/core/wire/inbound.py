"""What is told of a shipment: expected against seen, line by line, and how it ended."""

from __future__ import annotations

from typing import Any

from agent.core.inbound.report import REPORT
from agent.core.wire.schemas import NAME, TIME, TIME_OR_NULL, message


def shipment() -> dict[str, Any]:
    """One shipment at one dock."""
    return message(
        "inbound",
        "A shipment: what is expected against what was seen, and its result once it is closed. Retained.",
        {"camera": NAME, **REPORT, "opened": TIME, "closed": TIME_OR_NULL},
    )
