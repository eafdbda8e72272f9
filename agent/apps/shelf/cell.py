"""One facing: what it shows now, from how it looks, how it looked before, and what was recognised.

Empty is what looks as this place did when it was empty, or as another place of the shelf that is. Where
nobody has shown either, it is a place whose print is gone and in which nothing is recognised; that takes
longer to be believed, and is then learned. A place that looks as it did when its product was named still
holds it, whatever a new light makes of the recognition.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from agent.core.slot_state import Shown, SlotState, recalled, remembered
from agent.core.slot_view import SlotView, least_unlike, looks_like, unlike
from agent.core.types import Phase, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.planogram import Cell
    from agent.core.types import Recognition

OWN: Final = (0.11, 0.02)
OTHER: Final = (0.08, 0.015)
"""Share of a place that looks otherwise than its empty view, or than that of another place, at which it is as
likely empty as not, and how sharply. Drawn bays: empty 0.00 to 0.04, also of another place and with the light
at 0.4; with goods 0.23 to 0.80."""

STOCKED: Final = 0.12
"""Share that may look otherwise while a place still looks as when its product was named."""

OTHERWISE: Final = 0.15
"""Share from which a place no longer shows what was recognised in it."""

OTHER_LIGHT: Final = 1.2
"""How many times as bright, or as dark, it must be to be another light."""

PLAIN: Final = 0.5
"""Texture of an empty place by that of goods: at most. Drawn bays: 0.13 to 0.36."""

PLAIN_PROBABILITY: Final = 0.75
CORRECT_FROM: Final = 0.5
WRONG_FROM: Final = 0.6
"""Probability of the best of products that look alike from which a slot is judged by it. Which of two
flavours stands where one of them belongs is asked of each slot, not of a thing out of a whole shop: what is
likelier is told, with its probability. A slot that is called wrong sends somebody there."""

BELIEVED_LOOKS: Final = 8
"""Frames after which an answer that nobody changed is one of what is there now: every look of before has been
forgotten, see `decision.window`."""

VIEWS: Final = 3
"""Empty views that are kept of a place: by day, in the evening, in a lamp's light."""


NOT_YET: Final = Shown(SlotState.UNKNOWN, reason="it was not looked at yet")


@dataclass(frozen=True, slots=True)
class Named:
    """How a place looked when what stood there was known."""

    view: SlotView
    shown: Shown


@dataclass(slots=True)
class CellMemory:
    """Of one facing, from frame to frame."""

    cell: Cell
    empty: tuple[SlotView, ...] = ()  # the oldest first
    named: Named | None = None
    shown: Shown = NOT_YET
    view: SlotView | None = None  # what `shown` was judged by
    named_anew: bool = False  # its product was told since this was last set
    _answer: Recognition | None = None
    _answered: SlotView | None = None  # how it looked then
    _since: int = 0  # frames since it no longer looks so
    _look: object = field(default=None, repr=False)  # the latest

    def hear(self, answer: Recognition) -> None:
        """Something was told of it."""
        self._answer = None if answer.phase is Phase.END else answer
        self._answered, self._look, self._since = None, None, 0
        self.named_anew = answer.phase is not Phase.END and _says(answer, self.cell.sku) == self.cell.sku

    def settled(self, look: object) -> bool:
        """Whether nothing can have changed since it was judged: the pixels are those of the same look."""
        return self._look is not None and look is self._look and self._since == 0

    def judge(self, view: SlotView, look: object, others: Sequence[SlotView], goods: float) -> Shown:
        """What it shows. `others`: how other places look empty; `goods`: texture of goods on this shelf."""
        self._look, self.view = look, view
        plain = self._is_plain(view, goods)
        known = self._known(view, plain=plain)
        stocked = 1.0 if self.named is None else unlike(view, self.named.view)
        own = least_unlike(view, self.empty)
        evidence: tuple[tuple[str, float], ...] = ()
        if self.named is not None:
            evidence += (("unlike_stocked", stocked),)
        if self.empty:
            evidence += (("unlike_empty", own),)
        empty = looks_like(own, *OWN) if self.empty else 0.0
        if not self.empty and others:
            other = least_unlike(view, others)
            evidence += (("unlike_other_empty", other),)
            empty = looks_like(other, *OTHER)
        if empty >= 0.5 and stocked > min(OWN[0], own):
            self.shown = Shown(SlotState.EMPTY, empty, evidence=evidence)
        elif known is not None and not self._is_only_lit(view, stocked):
            self.shown = self._as_recognised(known, evidence)
            self.named = Named(view, replace(self.shown, evidence=()))
        elif self.named is not None and stocked <= STOCKED:
            probability = self.named.shown.probability * looks_like(stocked, STOCKED, 0.02)
            self.shown = replace(self.named.shown, probability=probability, evidence=evidence)
        elif plain and stocked > OTHERWISE and not 0 < self._since < BELIEVED_LOOKS:
            texture = (*evidence, ("texture", view.texture / goods if goods else 0.0))
            self.shown = Shown(SlotState.EMPTY, PLAIN_PROBABILITY, evidence=texture, plain=True)
        else:
            self.shown = Shown(SlotState.UNKNOWN, evidence=evidence, reason=self._why_not())
        return self.shown

    def looks_as_before(self, view: SlotView) -> bool:
        """Whether it looks as when its product was named, or as when it was empty: nothing hides it."""
        named = self.named is not None and unlike(view, self.named.view) <= STOCKED
        return named or least_unlike(view, self.empty) <= OWN[0]

    def learn_empty(self) -> bool:
        """It is empty, that much is sure by now: this is how it looks then. Whether that was new."""
        if self.view is None or least_unlike(self.view, self.empty) < OWN[0] / 2:
            return False
        self.empty = (*self.empty, self.view)[-VIEWS:]
        return True

    def kept(self) -> dict[str, Any]:
        """As plain data, for after a restart."""
        named = self.named
        return {
            "quad": [list(point) for point in self.cell.quad],
            "empty": [view.kept() for view in self.empty],
            "named": None
            if named is None
            else {
                "view": named.view.kept(),
                **remembered(named.shown),
            },
        }

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `kept` gave, where it is of the same place. ValueError, KeyError, TypeError: it
        is something else.
        """
        if kept["quad"] != [list(point) for point in self.cell.quad]:
            return
        self.empty = self.empty or tuple(SlotView.from_kept(each) for each in kept["empty"])[-VIEWS:]
        if kept["named"] is not None:
            right = kept["named"]["sku"] == self.cell.sku
            state = SlotState.CORRECT if right else SlotState.WRONG
            shown = recalled(state, kept["named"])
            self.named = Named(SlotView.from_kept(kept["named"]["view"]), shown)

    def _known(self, view: SlotView, *, plain: bool) -> Recognition | None:
        """What is recognised, where that is of what is there now."""
        answer = self._answer
        if answer is None:
            return None
        if self._answered is None:
            self._answered = view
        elif unlike(view, self._answered) > OTHERWISE:
            # A test that named a product is not reopened by looks that leave it undecided: where the print is
            # gone as well, an old name says nothing.
            self._since = min(self._since + 1, BELIEVED_LOOKS)
            if self._since < BELIEVED_LOOKS or plain:
                return None
            self._answered = view
        self._since = 0
        return answer if _says(answer, self.cell.sku) is not None else None

    def _as_recognised(self, answer: Recognition, evidence: tuple[tuple[str, float], ...]) -> Shown:
        product = answer.product
        best = answer.options[0] if answer.options else None
        sku = _says(answer, self.cell.sku) or ""
        return Shown(
            SlotState.CORRECT if sku == self.cell.sku else SlotState.WRONG,
            answer.probability,
            sku=sku,
            name=product.name if product is not None else best.name if best is not None else "",
            brand=product.brand if product is not None else "",
            category=product.category if product is not None else "",
            evidence=(("recognised", answer.probability), ("similarity", answer.similarity), *evidence),
        )

    def _is_only_lit(self, view: SlotView, stocked: float) -> bool:
        """Whether it looks as when its product was named, but for the light: what a model makes of
        that light is no news.
        """
        if self.named is None or stocked > STOCKED:
            return False
        more = sum(view.light) / max(1.0, sum(self.named.view.light))
        return not 1 / OTHER_LIGHT <= more <= OTHER_LIGHT

    def _is_plain(self, view: SlotView, goods: float) -> bool:
        usual = self.named.view.texture if self.named is not None else goods
        return self._answer is not None and usual > 0 and view.texture <= PLAIN * usual

    def _why_not(self) -> str:
        if self._answer is None or self._since:
            return "what stands there was not recognised yet"
        if self._answer.verdict is Verdict.AMBIGUOUS:
            return f"it cannot be told which product stands there: {self._answer.reason}"
        return f"something stands there that is not recognised: {self._answer.reason}"


def _says(answer: Recognition, expected: str) -> str | None:
    """The SKU that an answer is taken for, where it says enough."""
    if answer.product is not None:
        return answer.product.sku
    if answer.verdict is not Verdict.AMBIGUOUS or not answer.options:
        return None
    best = answer.options[0]
    return best.sku if best.probability >= (CORRECT_FROM if best.sku == expected else WRONG_FROM) else None
