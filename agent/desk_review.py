"""What the page of reviews asks of the running daemon; see `desk.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.adapters.web import MissingError, Picture
from agent.core.errors import InputError, quoted
from agent.core.review import Answer, decision_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.review import Kept
    from agent.lookup import Lookup
    from agent.reviewing import Reviews


@dataclass(frozen=True, slots=True)
class ReviewDesk:
    """Any thread may ask."""

    reviews: Reviews
    lookup: Lookup

    @property
    def deeds(self) -> dict[str, Callable[..., Mapping[str, Any] | Picture]]:
        """By name of the operation; each takes the arguments that its fields say."""
        return {
            "reviews": self._list,
            "review_picture": self._picture,
            "review_reference": self._reference,
            "review_answer": self._answer,
        }

    def _list(self, state: str, limit: int) -> dict[str, Any]:
        found, counts = self.reviews.listed(answered=state == "answered", limit=limit)
        return {**_counted(counts), "decisions": [decision_body(each) for each in found]}

    def _answer(self, decision: int, answer: str, sku: str) -> dict[str, Any]:
        said = Answer(answer)
        if (said is Answer.IS) != bool(sku):
            raise InputError(
                f"sku: expected one with the answer `is` alone, found {quoted(sku)} with {answer}"
            )
        if sku and self.lookup.product(sku) is None:
            raise MissingError(f"sku: expected one that is known here, found {quoted(sku)}")
        if not self.reviews.answer(decision, said, sku):
            raise MissingError(f"decision: expected one that is kept, found {decision}")
        _, counts = self.reviews.listed(answered=False, limit=0)
        return _counted(counts)

    def _picture(self, decision: int) -> Picture:
        kept = self._kept(decision)
        if not kept.picture:
            raise MissingError(f"decision: expected one whose picture was kept, found {decision} without")
        return Picture(self.reviews.picture(kept), kept.picture[:16])

    def _reference(self, decision: int, option: int) -> Picture:
        """The nearest picture, or another of that product where the catalogue is not the same any more."""
        kept = self._kept(decision)
        options = kept.body["options"]
        if option >= len(options):
            raise MissingError(f"option: expected 0 to {len(options) - 1}, found {option}")
        chosen = options[option]
        data = self.lookup.reference(int(chosen["key"] or 0), kept.body["release"])
        if data is None:
            data = self.lookup.thumbnail(chosen["sku"])
        if data is None:
            raise MissingError(f"option: expected one with a picture, found {quoted(chosen['sku'])} without")
        return Picture(data, f"{hash(data) & 0xFFFFFFFFFFFFFFFF:016x}")

    def _kept(self, number: int) -> Kept:
        kept = self.reviews.get(number)
        if kept is None:
            raise MissingError(f"decision: expected one that is kept, found {number}")
        return kept


def _counted(counts: Mapping[Answer, int]) -> dict[str, int]:
    left = counts[Answer.OPEN]
    return {"open": left, "answered": sum(counts.values()) - left}
