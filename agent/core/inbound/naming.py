"""What a parcel is: its barcodes and its picture, put together.

A barcode that was read counts, because its check digits fit. Where the picture says the same it is certain;
where it says another product both are told, and neither is taken for received: the label may be on the
wrong carton. A picture that is not sure enough to name a product by itself may be sure that it is not the one
of the barcode, or sure enough for one that the shipment expects.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log
from typing import TYPE_CHECKING, Final

from agent.core.clues import PRIOR_LIMIT
from agent.core.gs1 import same_item
from agent.core.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.gs1 import Said
    from agent.core.inbound.orders import Line, Order
    from agent.core.inbound.parcels import Parcel
    from agent.core.types import NamedOption, Product, Recognition


LIKELY: Final = 0.5
RULED_OUT: Final = 0.05
"""A product that is likelier than everything else, and cannot be named for sure yet, speaks against a barcode
whose product has less than this share of its probability. With one label in a hundred on the wrong carton
that is at worst one wrong label among six that somebody looks at; one that is missed is a wrong stock. Alarms
for nothing were rarer: the likeliest product of 28 drawn cartons that could not be named was right."""

_NONE: Final = 1e-4
"""Least probability that is told from another: calibration knows nothing of rarer things."""

SURE: Final = 0.95
"""Probability from which a product counts that the picture shows and the shipment expects. What is expected
weighs as much as a prior may, 20 to 1: then a probability of the picture of one half is enough, and none of a
tenth is."""


class How(StrEnum):
    """What says what a parcel is."""

    BOTH = "both"  # barcode and picture agree
    CODE = "code"  # the barcode alone
    PICTURE = "picture"  # the picture alone
    CONFLICT = "conflict"  # barcode and picture, or two barcodes, name different products
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Piece:
    """So many of one product. It has a GTIN, an SKU, or both."""

    gtin: str
    sku: str
    count: int
    line: int | None  # number of the line that expects it


@dataclass(frozen=True, slots=True)
class Named:
    """What a parcel is."""

    how: How
    pieces: tuple[Piece, ...]  # empty where nothing is known of it
    sscc: str = ""
    gtin: str = ""  # of the trade item itself, by its barcode
    lot: str = ""
    serial: str = ""
    expiry: str = ""
    labelled: int = 0  # pieces that are inside, by the label; 0: it says nothing
    packed: int = 0  # … by what is expected of this logistic unit
    seen_sku: str = ""  # by the picture, where that is known or contradicts the barcode
    seen_gtin: str = ""
    probability: float = 0.0  # of the picture's answer
    unknown: bool = False  # the picture is of no product that is known
    others: tuple[str, ...] = ()  # GTINs of more barcodes that are of other products

    @property
    def identity(self) -> str:
        """What no other parcel has: its SSCC, or its GTIN and serial number; empty where it has none."""
        if self.sscc:
            return f"00{self.sscc}"
        return f"01{self.gtin}21{self.serial}" if self.gtin and self.serial else ""


def name(parcel: Parcel, order: Order | None, lines: Lines) -> Named:
    """What is known of a parcel, against what is expected."""
    said = merged(_trusted(parcel))
    packed = order.units.get(said.sscc, ()) if order is not None and said.sscc else ()
    pieces = _by_code(said, packed, order, lines)
    shown = all(
        piece.gtin in parcel.shown
        or (order is not None and piece.line is not None and order.lines[piece.line].shown)
        for piece in pieces
    )
    seen = _by_picture(parcel, pieces, lines, shown=shown)
    how = _how(pieces, seen, said.others)
    if not pieces and seen is not None:
        pieces = (seen,)
    return Named(
        how=how,
        pieces=pieces,
        sscc=said.sscc,
        gtin=said.gtin,
        lot=said.lot,
        serial=said.serial,
        expiry=said.expiry,
        labelled=said.count,
        packed=sum(count for _, count in packed),
        seen_sku=seen.sku if seen else "",
        seen_gtin=seen.gtin if seen else "",
        probability=parcel.answer.probability if parcel.answer is not None else 0.0,
        unknown=parcel.answer is not None and parcel.answer.verdict is Verdict.UNKNOWN,
        others=said.others,
    )


@dataclass(frozen=True, slots=True)
class Label:
    """What all barcodes of a parcel say together."""

    gtin: str = ""
    content: str = ""
    count: int = 0
    sscc: str = ""
    lot: str = ""
    serial: str = ""
    expiry: str = ""
    others: tuple[str, ...] = ()


def merged(said: Iterable[Said]) -> Label:
    """One label may be several barcodes: the SSCC in one, what is inside in another."""
    all_of_it = list(said)

    def first(field: str) -> str:
        return next((str(getattr(each, field)) for each in all_of_it if getattr(each, field)), "")

    # The packing of a carton may show the barcode of the product through a window: the outer one counts.
    gtins = sorted({each.gtin for each in all_of_it if each.gtin}, key=lambda gtin: (gtin[0] == "0", gtin))
    gtin = gtins[0] if gtins else ""
    content = first("content")
    count = next((each.count for each in all_of_it if each.content), 0)
    others = tuple(
        other for other in gtins if not same_item(other, gtin) and not (content and same_item(other, content))
    )
    return Label(gtin, content, count, first("sscc"), first("lot"), first("serial"), first("expiry"), others)


def _trusted(parcel: Parcel) -> list[Said]:
    """What its barcodes say, without the product number that was read once while another was read again.

    On the drawn dock one reading in a thousand had another number with a right check digit.
    """
    times: Counter[str] = Counter()
    for text, (_, said) in parcel.reads.items():
        times[said.gtin] += parcel.times[text]
    again = any(count > 1 for gtin, count in times.items() if gtin)
    return [said for _, said in parcel.reads.values() if not (again and said.gtin and times[said.gtin] == 1)]


class Lines:
    """Lines of an order by what they are of."""

    def __init__(self, lines: Sequence[Line] = ()) -> None:
        self._by_gtin = {line.gtin: number for number, line in enumerate(lines) if line.gtin}
        self._by_sku = {line.sku: number for number, line in enumerate(lines) if line.sku}

    def of(self, gtin: str, sku: str = "") -> int | None:
        """Number of the line that expects it, by GTIN first; None: nobody does."""
        found = self._by_gtin.get(gtin) if gtin else None
        return found if found is not None else self._by_sku.get(sku) if sku else None


def _by_code(
    said: Label, packed: Sequence[tuple[int, int]], order: Order | None, lines: Lines
) -> tuple[Piece, ...]:
    if said.content:
        return (Piece(said.content, "", said.count, lines.of(said.content)),)
    if said.gtin:
        return (Piece(said.gtin, "", 1, lines.of(said.gtin)),)
    if order is None:
        return ()
    return tuple(Piece(order.lines[n].gtin, order.lines[n].sku, count, n) for n, count in packed)


def _by_picture(parcel: Parcel, pieces: Sequence[Piece], lines: Lines, *, shown: bool) -> Piece | None:
    """The product that it is known to show.

    Where it is not known: with a barcode, the likeliest product that rules out the one of the barcode;
    without, the one that is as good as sure because the shipment expects it. `shown`: the catalogue has
    pictures of what the barcode says, without which they cannot be missed.
    """
    answer = parcel.answer
    if answer is None or answer.product is not None:
        return _piece(answer.product, lines) if answer is not None and answer.product is not None else None
    options = [(_piece(option, lines), option.probability) for option in answer.options]
    if not options:
        return None
    best, probability = options[0]
    if pieces:
        against = shown and probability >= LIKELY and all(_same(piece, best) is False for piece in pieces)
        return best if against and _ruled_out(parcel.answers, best, pieces, lines) else None
    unlisted = max(0.0, 1.0 - sum(p for _, p in options))
    weights = [p * (exp(PRIOR_LIMIT) if each.line is not None else 1.0) for each, p in options]
    most = max(range(len(options)), key=weights.__getitem__)
    return options[most][0] if weights[most] >= SURE * (sum(weights) + unlisted) else None


def _ruled_out(answers: Iterable[Recognition], best: Piece, pieces: Sequence[Piece], lines: Lines) -> bool:
    """Whether the pictures leave no room for the barcode, on average over the moments when they were told.

    What an answer does not list has less than the last that it lists.
    """
    odds = []
    for answer in answers:
        seen = coded = 0.0
        least = min((option.probability for option in answer.options), default=1.0)
        for option in answer.options:
            each = _piece(option, lines)
            seen += option.probability * bool(_same(best, each))
            coded += option.probability * any(_same(piece, each) is not False for piece in pieces)
        odds.append(log(max(seen or least, _NONE) / max(coded or least, _NONE)))
    return sum(odds) >= -log(RULED_OUT) * len(odds)


def _piece(product: Product | NamedOption, lines: Lines) -> Piece:
    return Piece(product.gtin, product.sku, 1, lines.of(product.gtin, product.sku))


def _how(pieces: Sequence[Piece], seen: Piece | None, others: Sequence[str]) -> How:
    if others:
        return How.CONFLICT
    if not pieces:
        return How.NOTHING if seen is None else How.PICTURE
    if seen is None:
        return How.CODE
    answers = [_same(piece, seen) for piece in pieces]
    if any(answers):
        return How.BOTH
    return How.CONFLICT if all(answer is False for answer in answers) else How.CODE


def _same(piece: Piece, seen: Piece) -> bool | None:
    """None: nothing can be said, as they have no number of one kind."""
    if piece.gtin and seen.gtin:
        return same_item(piece.gtin, seen.gtin)
    if piece.line is not None and piece.line == seen.line:
        return True
    if piece.sku and seen.sku:
        return piece.sku == seen.sku
    return False if piece.line is not None and seen.line is not None else None
