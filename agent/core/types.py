"""The facts, in the order in which they flow. Frozen, valid at birth, passed on and never changed.

    Camera ─Frame→ Region ─crop+embed→ (N, D) ─search→ Candidate ─→ Look ─→ Detection
           → Track ─Decision→ Recognition → Event → (core/wire) Message

Boxes are `(x1, y1, x2, y2)` in pixels of the frame, half open: `x2 - x1` is the width.
Similarities are cosines in [-1, 1], higher is better. Probabilities are in [0, 1].
Times: `at` is seconds of a monotonic clock (for differences), `utc` is Unix seconds (for people).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""`x1 y1 x2 y2`, pixels, half open."""

Quad = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Four corners in pixels, clockwise from the one that becomes top left."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from one camera. `image` is `(H, W, 3)` uint8 BGR and nobody writes to it."""

    camera: str
    seq: int  # counts from 0 since the source was opened
    at: float  # s, monotonic
    utc: float  # s, Unix
    image: NDArray[np.uint8]
    source: str = ""  # file name within the source, where it has one
    cut: bool = False  # this picture does not continue the previous one: tracks end before it

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype.str != "|u1" or 0 in image.shape:
            found = f"{image.shape} {image.dtype}"
            raise ValueError(f"frame image: expected (H, W, 3) uint8 with H, W > 0, found {found}")
        if not (isfinite(self.at) and isfinite(self.utc)):
            raise ValueError(f"frame time: expected finite seconds, found at={self.at} utc={self.utc}")

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.image.shape[1])


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame that may show one product.

    `name` is unique within a frame for configured regions (a slot, a grid cell, "whole") and empty for
    proposed ones. With `quad` the region is rectified by a homography; `box` is then its bounding box.
    """

    box: Box
    name: str = ""
    quad: Quad | None = None
    score: float = 1.0  # how much it looks like a thing, [0, 1]

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        if x2 <= x1 or y2 <= y1:
            raise ValueError(f"region {self.name!r}: expected x1 < x2 and y1 < y2, found {self.box}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"region {self.name!r}: expected a score in [0, 1], found {self.score}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One product near a query: its best reference speaks for it."""

    product: int  # number of the product within its catalogue, see core/matching.py
    similarity: float
    key: int  # the reference that was nearest
    agreeing: int = 1  # references of this product among the neighbours
    support: float | None = None  # mean similarity of its nearest three of them; None: as the nearest one

    @property
    def supported(self) -> float:
        """`support`, or what stands for it."""
        return self.similarity if self.support is None else self.support


@dataclass(frozen=True, slots=True)
class Clue:
    """What something else than the embedding says for one product (above 0) or against it (below)."""

    source: str  # "features", "barcode", "colour", "prior:slot", …
    product: int
    log_odds: float  # natural log of P(seen | this product) / P(seen | not this product)

    def __post_init__(self) -> None:
        if not isfinite(self.log_odds):
            raise ValueError(f"clue of {self.source!r}: expected finite log-odds, found {self.log_odds}")


@dataclass(frozen=True, slots=True)
class Look:
    """One region as it was seen in one frame: the products nearest to it, and how well it could be seen."""

    candidates: tuple[Candidate, ...]  # best first, may be empty
    side_px: int = 0  # shorter side of the region in the picture, pixels of the frame; 0 where not known
    sharpness: float = -1.0  # see core/looking.py; -1 where not known
    clues: tuple[Clue, ...] = ()
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """`(D,)` unit row of the model; None where not known."""
    clear: bool = False  # barcodes that lay over it were painted over


@dataclass(frozen=True, slots=True)
class Detection:
    """A region of this frame and how it was seen."""

    region: Region
    look: Look
    anew: bool = False  # it shows another thing than before


class Phase(StrEnum):
    """Where a track is in its life."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


class Verdict(StrEnum):
    """What is said of a thing that was looked at."""

    KNOWN = "known"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Track:
    """One thing followed over frames, as of its latest look."""

    id: str  # deterministic: the same recording gives the same ids
    camera: str
    region: Region  # latest
    first_at: float
    first_utc: float
    last_at: float
    last_utc: float
    frames: int  # looks since it began
    looks: tuple[Look, ...]  # the latest ones, oldest first, bounded
    ended: bool = False
    turn: int = 0  # how often its looks began anew: another thing stood there


@dataclass(frozen=True, slots=True)
class Option:
    """One product that a decision weighed."""

    product: int
    key: int  # nearest reference; 0 where only a clue speaks for it
    similarity: float
    probability: float
    clues: tuple[Clue, ...] = ()  # what counted for or against it beside its pictures


@dataclass(frozen=True, slots=True)
class Decision:
    """What the looks at one thing add up to. `options` are best first; `product` is set when known."""

    verdict: Verdict
    product: int | None
    probability: float  # that the best option is right
    similarity: float  # of the best option, -1 without one
    margin: float  # similarity of the best option above the next product
    looks: int
    reason: str  # why not known; empty when known
    options: tuple[Option, ...] = ()
    false_accept: float = 1.0  # the least rate of wrong names at which the best option would be named
    independent: float = 0.0  # how many looks they are worth: looks that are alike say the same thing
    evidence: tuple[tuple[str, float], ...] = ()  # source → log-odds that the best option is right, see weigh
    settled: bool = True  # another look is not expected to change it

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.KNOWN) != (self.product is not None):
            raise ValueError(f"decision: a product is named exactly when known, found {self}")
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"decision: expected a probability in [0, 1], found {self.probability}")


@dataclass(frozen=True, slots=True)
class Product:
    """A row of the catalogue. `gtin` is 14 digits or empty; `extra` keeps columns we have no word for."""

    no: int
    sku: str
    gtin: str = ""
    name: str = ""
    description: str = ""
    brand: str = ""
    category: str = ""
    price: str = ""
    aisle: str = ""
    bay: str = ""
    tags: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it is in the shop, in words: aisle and bay, as far as they are known."""
        return " ".join(part for part in (self.aisle, self.bay) if part)


@dataclass(frozen=True, slots=True)
class NamedOption:
    """An `Option` with its product looked up."""

    sku: str
    name: str
    similarity: float
    probability: float
    reference: str  # path of the nearest reference picture within the product folder
    clues: tuple[Clue, ...] = ()
    gtin: str = ""  # 14 digits or empty


@dataclass(frozen=True, slots=True)
class Recognition:
    """What is known of one track at a moment worth telling: it is new, its answer changed, or it ended."""

    track: Track
    phase: Phase
    revision: int  # 0 for new, then counts up within the track
    verdict: Verdict
    product: Product | None
    probability: float
    similarity: float
    margin: float
    reason: str
    options: tuple[NamedOption, ...]
    release: str  # of the catalogue that answered
    at: float
    utc: float
    false_accept: float = 1.0  # as in `Decision`, and the two below
    independent: float = 0.0
    evidence: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """What an application says happened: `kind` picks the topic and the payload in core/wire."""

    kind: str
    camera: str
    at: float
    utc: float
    body: Recognition | Mapping[str, Any]


class Delivery(StrEnum):
    """How a message may be lost: facts never, states are replaced by newer ones of the same topic."""

    FACT = "fact"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes for one MQTT topic. `id` makes delivery twice harmless."""

    topic: str
    payload: bytes
    id: str
    utc: float
    qos: int = 1
    retain: bool = False
    delivery: Delivery = Delivery.FACT
    correlation: bytes = b""  # from here to `expiry_s` for MQTT 5 alone; of an answer: what the question had
    content_type: str = "application/json"
    expiry_s: int = 0  # s until nobody wants it any more; 0: never
    late: bool = False  # it had to wait; its payload says so too
    attributes: tuple[tuple[str, str], ...] = ()  # name → value, see core/wire/cloudevents.py
