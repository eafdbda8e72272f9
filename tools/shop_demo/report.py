"""A message as a line for people, and the agent's answers against what the shelf showed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.shop_demo.ear import Heard
    from tools.synth.script import Script

GRACE_S = 4.0
"""How long after a change the old answer still counts as right: 4 looks a second, several looks an answer,
and tracks that outlive a product for a moment."""


def line(heard: Heard, clock: str) -> str:
    """One line: time, camera, slot, verdict, product, probability; `clock` is the time as text."""
    levels = heard.topic.split("/")
    payload = heard.payload
    if levels[-1] != "recognition" or not isinstance(payload, dict):
        camera = "/".join(levels[3:-1])
        return f"{clock}  {camera:10} {'':4} {levels[-1]:12} {_brief(payload)}".rstrip()
    slot, verdict = payload.get("region") or "", payload.get("verdict", "")
    product = payload.get("name") or payload.get("sku") or payload.get("reason") or ""
    share = f"{payload.get('probability', 0.0):6.1%}"
    if payload.get("phase") == "end":
        verdict, share = "gone", ""
    return f"{clock}  {levels[-2]:10} {slot:4} {verdict:12} {product:44} {share}".rstrip()


def _brief(payload: Any) -> str:
    if not isinstance(payload, dict):
        return str(payload)
    words = [payload.get("state"), payload.get("reason"), payload.get("model"), payload.get("release")]
    return ", ".join(str(word) for word in words if word)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Slots answered rightly, a line for each answered wrongly, and how many were hidden."""

    right: int
    wrong: tuple[str, ...]
    hidden: int

    @property
    def text(self) -> str:
        """`slots right at the end: 13/14 (1 hidden by a shopper)`."""
        hidden = f" ({self.hidden} hidden by a shopper)" if self.hidden else ""
        return f"slots right at the end: {self.right}/{self.right + len(self.wrong)}{hidden}"


@dataclass(slots=True)
class Scoreboard:
    """The latest answer for each slot: the SKU, or None where no product is named."""

    sku_of: Callable[[int], str]
    recognitions: int = 0
    _answers: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # slot → (track, SKU)

    def hear(self, heard: Heard) -> None:
        """Take over what a recognition says; other messages are none of its business."""
        payload = heard.payload
        if not heard.topic.endswith("/recognition") or not isinstance(payload, dict):
            return
        self.recognitions += 1
        slot, track = str(payload.get("region")), str(payload.get("track"))
        if payload.get("phase") != "end":
            self._answers[slot] = (track, payload.get("sku"))
        elif self._answers.get(slot, ("", None))[0] == track:
            del self._answers[slot]

    def answer(self, slot: str) -> str | None:
        """The SKU that stands for a slot, None where no product is named."""
        return self._answers.get(slot, ("", None))[1]

    def judge(self, script: Script, at_s: float) -> Judgement:
        """The answers at a moment of the script.

        An answer is right when it names what the slot shows or has shown within `GRACE_S`; for an empty slot,
        when it names nothing. Slots that somebody hid within that time are not judged.
        """
        moments = [max(0.0, at_s - GRACE_S * step / 8) for step in range(9)]
        hidden = frozenset[str]().union(*(script.covered(moment) for moment in moments))
        right, wrong = 0, []
        for slot in script.bay.slots:
            if slot in hidden:
                continue
            shown = [script.shown(moment)[slot] for moment in moments]
            truths = [None if product is None else self.sku_of(product) for product in shown]
            if self.answer(slot) in truths:
                right += 1
            else:
                wrong.append(
                    f"{slot}: shows {truths[0] or 'nothing'}, the agent says {self.answer(slot) or 'nothing'}"
                )
        return Judgement(right, tuple(wrong), len(hidden))
