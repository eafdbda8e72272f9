"""Decisions that a person may look at again: which are worth it, and which go when there are too many.

Hard cases are all kept; of the sure ones a sample, so that a person also sees what is usually right. What a
person has answered goes last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from agent.core.payload import rfc3339
from agent.core.settings import check_range, setting
from agent.core.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.types import NamedOption, Recognition

_DIGITS: Final = 4

BODY: Final = frozenset(
    {
        "region", "box", "verdict", "sku", "name", "probability", "similarity", "margin", "false_accept",
        "looks", "reason", "release", "evidence", "options",
    }
)  # fmt: skip
"""What is kept of each decision as plain data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """What is kept of decisions, so that a person can look at them again."""

    keep: int = setting(
        "decisions that are kept for the page `/review`, the oldest without an answer go first; 0: none", 0
    )
    pictures: bool = setting("keep what each of them showed, at most 512 pixels a side", False)
    sample: float = setting("share of the sure decisions that is kept beside the hard ones, 0 to 1", 0.02)
    margin: float = setting(
        "similarity above the next product, below which a decision counts as hard although a name was given",
        0.03,
    )
    days: float = setting("days after which a decision goes, answered or not", 30.0)
    max_bytes: int = setting("bytes that they may take on the disk, pictures and all", 64_000_000)

    def __post_init__(self) -> None:
        check_range("keep", self.keep, 0, 10_000)
        check_range("sample", self.sample, 0, 1)
        check_range("margin", self.margin, 0, 2)
        check_range("days", self.days, 0.01, 3650)
        check_range("max_bytes", self.max_bytes, 100_000, 10_000_000_000)


class Kind(StrEnum):
    """Why a decision is worth another look, the hardest first."""

    OVERRULED = "overruled"  # another product's picture was nearer than that of what was named
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"
    CLOSE = "close"  # named, little above the next product
    SURE = "sure"


class Answer(StrEnum):
    """What a person says of a decision."""

    OPEN = "open"  # nothing yet, or taken back
    RIGHT = "right"
    WRONG = "wrong"
    IS = "is"  # wrong, and it is this product


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as it goes to the disk. `body` is what a page shows of it, see `body_of`."""

    track: str
    camera: str
    utc: float  # s, Unix
    kind: Kind | None  # None: not worth it, also when it was before
    body: Mapping[str, Any] = field(default_factory=dict)
    picture: bytes = b""  # JPEG; empty where none is kept


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision on the disk."""

    id: int  # from 1, never used twice
    camera: str
    utc: float
    kind: Kind
    body: Mapping[str, Any]
    picture: str  # sha256 of its JPEG, empty where none is kept
    answer: Answer
    sku: str  # that it is, as a person says; empty unless `IS`

    @property
    def said(self) -> str:
        """SKU that was named; empty where none was."""
        return str(self.body.get("sku") or "")

    @property
    def true_sku(self) -> str:
        """SKU that it is, as far as a person has said it; empty where none has."""
        if self.answer is Answer.IS:
            return self.sku
        return self.said if self.answer is Answer.RIGHT else ""


def kind_of(recognition: Recognition, settings: ReviewSettings) -> Kind | None:
    """Why this one is worth another look; None where it is not.

    The sample is drawn by the name of the track: the same recording gives the same one.
    """
    if recognition.verdict is Verdict.AMBIGUOUS:
        return Kind.AMBIGUOUS
    if recognition.verdict is Verdict.UNKNOWN:
        return Kind.UNKNOWN
    options = recognition.options
    if options and options[0].similarity < max(each.similarity for each in options):
        return Kind.OVERRULED
    if recognition.margin < settings.margin and len(options) > 1:
        return Kind.CLOSE
    drawn = int.from_bytes(sha256(recognition.track.id.encode()).digest()[:4])
    return Kind.SURE if drawn < settings.sample * 2**32 else None


def body_of(recognition: Recognition, keys: Mapping[str, int]) -> dict[str, Any]:
    """What a page shows of a decision, as plain data. `keys`: SKU → its nearest reference, where known."""
    product = recognition.product
    region = recognition.track.region
    return {
        "region": region.name,
        "box": list(region.box),
        "verdict": recognition.verdict.value,
        "sku": product.sku if product is not None else None,
        "name": product.name if product is not None else None,
        "probability": round(recognition.probability, _DIGITS),
        "similarity": round(recognition.similarity, _DIGITS),
        "margin": round(recognition.margin, _DIGITS),
        "false_accept": recognition.false_accept,
        "looks": recognition.track.frames,
        "reason": recognition.reason,
        "release": recognition.release,
        "evidence": [{"source": source, "log_odds": round(odds, 3)} for source, odds in recognition.evidence],
        "options": [_option(each, keys.get(each.sku, 0)) for each in recognition.options],
    }


def decision_body(kept: Kept) -> dict[str, Any]:
    """A decision as it is told."""
    said = {name: each for name, each in kept.body.items() if name not in {"box", "options"}}
    options = [
        {name: each for name, each in option.items() if name != "key"} for option in kept.body["options"]
    ]
    return {
        "decision": kept.id,
        "time": rfc3339(max(0.0, kept.utc)),
        "camera": kept.camera,
        "kind": kept.kind.value,
        **said,
        "options": options,
        "picture": bool(kept.picture),
        "answer": kept.answer.value,
        "answer_sku": kept.true_sku,
    }


def surplus(
    kept: Sequence[tuple[int, float, bool, int]], now_utc: float, settings: ReviewSettings
) -> list[int]:
    """Ids of what has to go, of `(id, utc, answered, bytes)` of all.

    What is too old goes, then the oldest without an answer, then the oldest.
    """
    oldest = now_utc - settings.days * 86_400
    gone = [each[0] for each in kept if each[1] < oldest]
    left = sorted((each for each in kept if each[1] >= oldest), key=lambda each: (each[2], each[1], each[0]))
    count, size = len(left), sum(each[3] for each in left)
    for number, _, _, own in left:
        if count <= settings.keep and size <= settings.max_bytes:
            break
        gone.append(number)
        count, size = count - 1, size - own
    return gone


def _option(option: NamedOption, key: int) -> dict[str, Any]:
    return {
        "sku": option.sku,
        "name": option.name,
        "similarity": round(option.similarity, _DIGITS),
        "probability": round(option.probability, _DIGITS),
        "reference": option.reference,
        "key": str(key) if key else "",  # 64 bits: more than a number of JavaScript holds
        "clues": [{"source": each.source, "log_odds": round(each.log_odds, 3)} for each in option.clues],
    }
