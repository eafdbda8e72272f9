"""The kiosk: somebody comes, holds a thing up, and gets one answer.

    idle ──something is there──▶ presence ──known at once, or held still──▶ known | ambiguous | unknown
      ▲                              │ gone                                     │ gone for idle_s
      └──────────────────────────────┴──────────────────────────────────────────┘

A known product is an answer in the frame in which it is known, however much it moves. That a thing is not
known, or which of three it could be, is only said of one that is held still: a sleeve, or who walks past, is
told nothing. While an answer is shown, another thing held up gets another answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.apps.watch import told
from agent.core.boxes import area, iou
from agent.core.errors import InputError, quoted
from agent.core.evidence import GROUP_LIMIT
from agent.core.settings import check_range, setting
from agent.core.types import Event, Phase, Verdict
from agent.core.wire.kiosk import OFFERED
from agent.core.wording import TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agent.core.scene import Scene
    from agent.core.types import Box, NamedOption, Product, Recognition, Track

STILL: Final = 0.7
"""Overlap (intersection over union) with where it came to rest, down to which a thing is held still: one that
trembles by a twentieth of the thing's width and height leaves 0.82, by a tenth 0.68."""

WORTH: Final = 0.1
"""Products less probable than this share of the likeliest are not offered: three cards of which two cannot be
are no question."""

PASSING: Final = 2
"""Looks before something that stands out wakes the kiosk: a reflection is there for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskSettings:
    """What a customer finds at a kiosk."""

    idle_s: float = setting(
        "seconds after which an answer leaves the screen when nothing is held up and nobody touches it", 25.0
    )
    steady_s: float = setting(
        "seconds that a thing is held still before it is called unknown, or several are offered", 0.6
    )
    leave_s: float = setting("seconds without anything in sight after which nobody is there any more", 3.0)
    currency: str = setting(
        "ISO 4217 code of prices that are bare numbers, such as EUR; empty: as they are written", ""
    )
    map: str = setting("plan of the shop: an .svg drawing or a .yaml of its aisles; empty for none", "")
    searches: bool = setting("tell what was typed, and what was chosen", True)

    def __post_init__(self) -> None:
        if self.currency and not (
            len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()
        ):
            raise ValueError(f"currency: expected three capital letters, found {quoted(self.currency)}")
        check_range("idle_s", self.idle_s, 3.0, 3600.0)
        check_range("steady_s", self.steady_s, 0.0, 60.0)
        check_range("leave_s", self.leave_s, 0.5, 600.0)


class Mood(StrEnum):
    """What the kiosk shows."""

    IDLE = "idle"
    PRESENCE = "presence"
    KNOWN = "known"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the kiosk shows now, and since when. Frozen: any thread may read it."""

    mood: Mood = Mood.IDLE
    number: int = 0  # counts what was shown
    utc: float = 0.0  # s, Unix: since when
    track: str = ""  # that the answer is about
    product: Product | None = None
    options: tuple[NamedOption, ...] = ()  # best first


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody made of a list of products: one of them, or none."""

    offered: tuple[str, ...]  # their SKUs, as they were listed
    sku: str = ""  # empty: none of them
    name: str = ""  # … of the product
    text: str = ""  # that was typed; empty where a thing was held up

    def __post_init__(self) -> None:
        if len(self.text) > TEXT_LIMIT:
            raise InputError(f"text: expected at most {TEXT_LIMIT} characters, found {len(self.text)}")
        if len(self.offered) > OFFERED:
            raise InputError(f"offered: expected at most {OFFERED} products, found {len(self.offered)}")
        if self.sku and self.sku not in self.offered:
            raise InputError(f"sku: expected one that was offered, found {quoted(self.sku)}")


@dataclass(slots=True)
class _Held:
    """One thing in sight."""

    anchor: Box  # where it was when it was last moved
    since: float  # … and when, s, monotonic
    said: Recognition | None = None  # the latest of it


class Kiosk:
    """One camera before which things are held."""

    def __init__(self, settings: KioskSettings) -> None:
        self.settings = settings
        self.standing = Standing()
        self._held: dict[str, _Held] = {}  # track → what is known of it
        self._seen_at = 0.0  # when something was last in sight

    def update(self, scene: Scene) -> tuple[Event, ...]:
        """The recognitions of the scene, then what was answered, if that is new."""
        if scene.frame is None:
            self._held.clear()
            self._show(Mood.IDLE, scene.utc)
            return told(scene)
        self._follow(scene)
        answer = self._answer(scene.tracks, scene.at)
        events = told(scene)
        if answer is not None:
            events += self._answered(answer, scene)
        self._rest(scene)
        return events

    def kept(self) -> Mapping[str, Any] | None:
        """Nothing: who stood here before a restart sees the start page."""
        return None

    def chosen(self, choice: Choice, camera: str, at: float, utc: float) -> tuple[Event, ...]:
        """What came of a list that was offered."""
        if not self.settings.searches:
            return ()
        body = {
            "asked": "text" if choice.text else "item",
            "text": choice.text,
            "answer": "chosen" if choice.sku else "left",
            "track": "" if choice.text else self.standing.track,
            "product": {"sku": choice.sku, "gtin": "", "name": choice.name} if choice.sku else None,
            "options": [{"sku": sku, "name": "", "probability": None} for sku in choice.offered],
            "held_s": None,
        }
        return (Event("kiosk", camera, at, utc, body),)

    def _follow(self, scene: Scene) -> None:
        """Since when each thing is held still, and what was last said of it."""
        held: dict[str, _Held] = {}
        for track in scene.tracks:
            box = track.region.box
            before = self._held.get(track.id)
            if before is None:
                held[track.id] = _Held(box, track.first_at)
            elif _overlap(before.anchor, box) >= STILL:
                held[track.id] = before
            else:
                held[track.id] = _Held(box, track.last_at, before.said)
        for recognition in scene.recognitions:
            thing = held.get(recognition.track.id)
            if thing is not None and recognition.phase is not Phase.END:
                thing.said = recognition
        self._held = held
        if scene.tracks:
            self._seen_at = scene.at

    def _answer(self, tracks: tuple[Track, ...], at: float) -> Recognition | None:
        """The recognition that is to be shown now; None where what is shown stays."""
        said = [thing.said for thing in self._held.values() if thing.said is not None]
        known = [each for each in said if each.verdict is Verdict.KNOWN]
        if known:
            latest = max(known, key=lambda each: each.at)
            return None if self._shows(latest) else latest
        if not tracks:
            return None
        largest = tracks[int(np.argmax(area(np.array([track.region.box for track in tracks]))))]
        thing = self._held[largest.id]
        still = at - thing.since >= self.settings.steady_s
        if thing.said is None or not still or self._shows(thing.said):
            return None
        return thing.said

    def _shows(self, recognition: Recognition) -> bool:
        """Whether the screen says this already: the same product, be it less sure, is no other answer."""
        now = self.standing
        if now.track == recognition.track.id and now.mood.value == recognition.verdict.value:
            return now.product == recognition.product
        if recognition.verdict is Verdict.UNKNOWN:
            return False
        best = recognition.options[0].sku if recognition.options else ""
        if now.product is not None:
            return best == now.product.sku
        offered = {option.sku for option in _offered(recognition)}
        return recognition.verdict is Verdict.AMBIGUOUS and {each.sku for each in now.options} == offered

    def _answered(self, answer: Recognition, scene: Scene) -> tuple[Event, ...]:
        product, track = answer.product, answer.track.id
        options = _offered(answer)
        self._show(Mood(answer.verdict.value), scene.utc, track=track, product=product, options=options)
        body = {
            "asked": "item",
            "text": "",
            "answer": answer.verdict.value,
            "track": track,
            "product": product and {"sku": product.sku, "gtin": product.gtin, "name": product.name},
            "options": [
                {"sku": each.sku, "name": each.name, "probability": each.probability} for each in options
            ],
            "held_s": max(0.0, scene.at - self._held[track].since),
        }
        return (Event("kiosk", scene.camera, scene.at, scene.utc, body),)

    def _rest(self, scene: Scene) -> None:
        """Wake up where something is there, and go back to idle where nothing has been for long."""
        mood = self.standing.mood
        if mood is Mood.IDLE:
            if any(track.frames >= PASSING for track in scene.tracks):
                self._show(Mood.PRESENCE, scene.utc)
            return
        wait_s = self.settings.leave_s if mood is Mood.PRESENCE else self.settings.idle_s
        if scene.at - self._seen_at >= wait_s:
            self._show(Mood.IDLE, scene.utc)

    def _show(
        self,
        mood: Mood,
        utc: float,
        *,
        track: str = "",
        product: Product | None = None,
        options: tuple[NamedOption, ...] = (),
    ) -> None:
        if mood is Mood.IDLE and self.standing.mood is Mood.IDLE:
            return
        self.standing = Standing(mood, self.standing.number + 1, utc, track, product, options)


def _offered(answer: Recognition) -> tuple[NamedOption, ...]:
    """The products that are shown, best first."""
    if answer.verdict is Verdict.UNKNOWN or not answer.options:
        return ()
    if answer.verdict is Verdict.KNOWN:
        return answer.options[:1]
    least = WORTH * answer.options[0].probability
    return tuple(option for option in answer.options[:GROUP_LIMIT] if option.probability >= least)


def _overlap(a: Box, b: Box) -> float:
    return float(iou(np.array([a]), np.array([b]))[0, 0])
