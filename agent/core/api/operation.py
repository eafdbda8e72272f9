"""What one question over HTTP is made of; `operations.py` is the table of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from agent.core.product_rules import TEXT_FIELDS
from agent.core.wire.schemas import object_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.access import Role
    from agent.core.forms import Field, Form

Method = Literal["GET", "POST"]

JSON: Final = "application/json"
CSV: Final = "text/csv"
JPEG: Final = "image/jpeg"
SVG: Final = "image/svg+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One question, or one command. What is said is the body with a `form`, otherwise the address has it."""

    name: str
    path: str  # `{name}` stands for a field of `fields`
    does: str
    role: Role  # the least that may
    method: Method = "GET"
    fields: Mapping[str, Field] = field(default_factory=dict)
    form: Form | None = None
    picture: str = ""  # the field of `form` that a body which is a picture itself fills
    document: str = ""  # the field of `form` that is the body itself, JSON or CSV; the rest is in the address
    result: Mapping[str, Any] = field(default_factory=dict)  # of JSON: field → JSON Schema, all of them there
    media: str = JSON  # of the answer
    per_minute: float = 600.0  # from one address
    burst: int = 60
    kept: bool = False  # a browser may show the picture again for a while
    command: str = ""  # the one of `COMMANDS` that it gives

    @property
    def in_address(self) -> Mapping[str, Field]:
        """The fields that stand in the address."""
        if self.form is not None and self.document:
            return {name: each for name, each in self.form.fields.items() if name != self.document}
        return self.fields

    @property
    def levels(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))


PRODUCT: Final = object_of(
    {
        "sku": {"type": "string"},
        **{name: {"type": "string"} for name in TEXT_FIELDS},
        "learned": {"type": "boolean", "description": "this device alone knows it"},
        "pictured": {"type": "boolean", "description": "there is a picture of it"},
    }
)
