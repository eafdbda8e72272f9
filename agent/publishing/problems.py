"""What is wrong with what head office handed in: where, what stands there, and why it is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.errors import InputError, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Problem:
    """One row, picture or folder that is left out, or (`warning`) that is used and may surprise.

    `str(problem)` → `products.csv:12: gtin '4006': expected 8, 12, 13 or 14 digits`
    """

    file: str  # path within the product folder
    reason: str
    line: int = 0  # from 1; 0 where lines mean nothing
    column: str = ""
    value: str = ""
    warning: bool = False

    def __str__(self) -> str:
        where = quoted(self.file)[1:-1] + (f":{self.line}" if self.line else "")
        what = f"{self.column} {quoted(self.value)}: " if self.column else ""
        return f"{where}: {what}{self.reason}"


class ProblemsError(InputError):
    """The build was strict and something was wrong; `problems` are all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """One line: how many, and the first."""
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = tuple(problems)
