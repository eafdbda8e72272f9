"""The kiosk: what is held up gets one answer, who walks past gets none, and nobody's answer stays for the next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from agent.apps.kiosk import Choice, Kiosk, KioskSettings, Mood
from agent.config import parse_config
from agent.core.errors import ConfigError, InputError
from agent.core.scene import Scene
from agent.core.types import (
    Event,
    Frame,
    NamedOption,
    Phase,
    Product,
    Recognition,
    Region,
    Track,
    Verdict,
)

UTC = 1_767_225_600.0
OATS, RICE, SOAP = (
    Product(no, sku, gtin="", name=sku.title()) for no, sku in enumerate(("OATS", "RICE", "SOAP"))
)
BOX = (100, 100, 200, 300)


def moved(px: int) -> tuple[int, int, int, int]:
    return (100 + px, 100, 200 + px, 300)


@dataclass
class Shop:
    """A kiosk, and what its camera shows, at 10 frames a second."""

    settings: KioskSettings = field(default_factory=KioskSettings)
    at: float = 100.0
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kiosk = Kiosk(self.settings)
        self.tracks: dict[str, Track] = {}

    def see(
        self, *things: tuple[str, tuple[int, int, int, int]], said: tuple[Recognition, ...] = (), **more: Any
    ) -> list[dict[str, Any]]:
        """One frame with these things (track, box); what the kiosk said of it, recognitions left out."""
        self.at += 0.1
        live = {}
        for name, box in things:
            track = self.tracks.get(name) or self.track(name, box)
            frames = track.frames + (name in self.tracks)
            live[name] = replace(track, region=Region(box), last_at=self.at, frames=frames)
        self.tracks = live
        frame = Frame("till", 0, self.at, UTC + self.at, np.zeros((8, 8, 3), np.uint8))
        scene = Scene("till", self.at, UTC + self.at, said, tuple(live.values()), frame)
        events = self.kiosk.update(scene)
        self.told += events
        assert [event.body for event in events if event.kind == "recognition"] == list(said), "all is told"
        return [dict(event.body) for event in events if event.kind == "kiosk"]

    def hold(self, name: str, seconds: float, box: tuple[int, int, int, int] = BOX) -> list[dict[str, Any]]:
        """The same thing in the same place."""
        return [said for _ in range(round(seconds * 10)) for said in self.see((name, box))]

    def empty(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            assert self.see() == []

    def track(self, name: str, box: tuple[int, int, int, int] = BOX) -> Track:
        utc = UTC + self.at
        return Track(name, "till", Region(box), self.at, utc, self.at, utc, 1, ())

    def says(self, name: str, verdict: Verdict, *products: Product, phase: Phase = Phase.NEW) -> Recognition:
        """A recognition of the next frame."""
        options = tuple(NamedOption(p.sku, p.name, 0.8, 0.6 / n, "") for n, p in enumerate(products, 1))
        known = products[0] if verdict is Verdict.KNOWN else None
        at = self.at + 0.1
        return Recognition(
            self.tracks.get(name) or self.track(name), phase, 0, verdict, known, 0.6, 0.8, 0.1, "", options, "r",
            at, UTC + at,
        )  # fmt: skip

    @property
    def mood(self) -> Mood:
        return self.kiosk.standing.mood


def test_a_known_product_is_the_answer_in_the_frame_in_which_it_is_known() -> None:
    shop = Shop()
    shop.empty(1)
    assert shop.see(("a", BOX)) == []
    assert shop.mood is Mood.IDLE, "once is a reflection"
    shop.see(("a", moved(40)))
    assert shop.mood is Mood.PRESENCE
    (said,) = shop.see(("a", moved(80)), said=(shop.says("a", Verdict.KNOWN, OATS),))
    assert (said["answer"], said["product"]["sku"]) == ("known", "OATS")
    assert (shop.mood, shop.kiosk.standing.product) == (Mood.KNOWN, OATS)
    assert shop.hold("a", 5, moved(80)) == [], "said once"


def test_what_is_not_known_is_said_of_a_thing_that_is_held_still() -> None:
    shop = Shop()
    shop.see(("a", BOX), said=(shop.says("a", Verdict.UNKNOWN, OATS),))
    for step in range(1, 12):
        assert shop.see(("a", moved(45 * step))) == [], "somebody walks past"
    (said,) = shop.hold("a", 1, moved(500))
    assert (said["answer"], said["product"], said["options"]) == ("unknown", None, [])
    assert said["held_s"] == pytest.approx(0.6, abs=0.11)
    assert shop.mood is Mood.UNKNOWN


def test_three_that_look_alike_are_offered() -> None:
    shop = Shop()
    four = (OATS, RICE, SOAP, Product(9, "TEA"))
    shop.see(("a", BOX), said=(shop.says("a", Verdict.AMBIGUOUS, *four),))
    (said,) = shop.hold("a", 1)
    assert [option["sku"] for option in said["options"]] == ["OATS", "RICE", "SOAP"]
    (said,) = shop.see(("a", BOX), said=(shop.says("a", Verdict.KNOWN, RICE, phase=Phase.UPDATE),))
    assert said["product"]["sku"] == "RICE", "a better look decides"


def test_what_it_cannot_be_is_not_offered() -> None:
    shop = Shop()
    said = shop.says("a", Verdict.AMBIGUOUS, OATS, RICE, SOAP)
    said = replace(said, options=(said.options[0], *(replace(o, probability=0.02) for o in said.options[1:])))
    shop.see(("a", BOX), said=(said,))
    (told,) = shop.hold("a", 1)
    assert [option["sku"] for option in told["options"]] == ["OATS"], "is it this one?"


def test_a_sleeve_beside_the_product_is_told_nothing() -> None:
    shop = Shop()
    sleeve = (0, 0, 30, 30)
    shop.see(("a", BOX), ("sleeve", sleeve), said=(shop.says("sleeve", Verdict.UNKNOWN, OATS),))
    for _ in range(20):
        assert shop.see(("a", BOX), ("sleeve", sleeve)) == []
    (said,) = shop.see(
        ("a", BOX), ("sleeve", sleeve), said=(shop.says("a", Verdict.KNOWN, OATS, phase=Phase.UPDATE),)
    )
    assert said["answer"] == "known"
    for _ in range(20):
        assert shop.see(("a", BOX), ("sleeve", (0, 0, 600, 600))) == [], "however large it becomes"


def test_the_answer_stays_while_it_is_read_and_leaves_for_the_next_customer() -> None:
    shop = Shop(KioskSettings(idle_s=10, leave_s=2))
    shop.see(("a", BOX), said=(shop.says("a", Verdict.KNOWN, OATS),))
    shop.hold("a", 3)
    shop.empty(9.8)
    assert shop.mood is Mood.KNOWN
    shop.empty(0.4)
    assert (shop.mood, shop.kiosk.standing.product) == (Mood.IDLE, None)
    shop.see(("b", BOX))
    shop.see(("b", moved(40)))
    assert shop.mood is Mood.PRESENCE
    shop.empty(2.1)
    assert shop.mood is Mood.IDLE, "who only walked past leaves sooner"


def test_the_same_product_held_up_again_is_no_other_answer() -> None:
    shop = Shop()
    shop.see(("a", BOX), said=(shop.says("a", Verdict.KNOWN, OATS),))
    shop.empty(3)
    assert shop.see(("b", BOX), said=(shop.says("b", Verdict.AMBIGUOUS, OATS, RICE),)) == []
    assert shop.hold("b", 2) == []
    assert shop.see(("b", BOX), said=(shop.says("b", Verdict.KNOWN, OATS, phase=Phase.UPDATE),)) == []
    assert shop.mood is Mood.KNOWN
    shop.empty(3)
    (said,) = shop.see(("c", BOX), said=(shop.says("c", Verdict.KNOWN, SOAP),))
    assert said["product"]["sku"] == "SOAP"


def test_each_unknown_thing_is_told_of() -> None:
    shop = Shop()
    for name in ("a", "b"):
        shop.see((name, BOX), said=(shop.says(name, Verdict.UNKNOWN, OATS),))
        assert [said["track"] for said in shop.hold(name, 2)] == [name]
        shop.empty(1)


def test_a_lost_camera_shows_the_start_page() -> None:
    shop = Shop()
    shop.see(("a", BOX), said=(shop.says("a", Verdict.KNOWN, OATS),))
    end = shop.says("a", Verdict.KNOWN, OATS, phase=Phase.END)
    (event,) = shop.kiosk.update(Scene("till", shop.at, UTC, (end,)))
    assert event.body is end
    assert shop.mood is Mood.IDLE


def test_what_was_chosen_of_a_list_is_told_and_can_be_left_out() -> None:
    shop = Shop()
    (event,) = shop.kiosk.chosen(Choice(("OATS", "RICE"), "RICE", "Rice", "ric"), "till", 5.0, UTC)
    assert isinstance(event.body, dict)
    assert [event.body[key] for key in ("asked", "text", "answer")] == ["text", "ric", "chosen"]
    (event,) = shop.kiosk.chosen(Choice(("OATS", "RICE")), "till", 5.0, UTC)
    assert isinstance(event.body, dict)
    assert [event.body[key] for key in ("asked", "answer", "product")] == ["item", "left", None]
    silent = Kiosk(KioskSettings(searches=False))
    assert silent.chosen(Choice(("OATS",), "OATS"), "till", 5.0, UTC) == ()


def test_a_choice_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="sku: expected one that was offered, found 'TEA'"):
        Choice(("OATS",), "TEA")
    with pytest.raises(InputError, match="text: expected at most 200 characters, found 201"):
        Choice((), text="x" * 201)
    with pytest.raises(InputError, match="offered: expected at most 16 products, found 17"):
        Choice(tuple(map(str, range(17))))


def test_a_kiosk_needs_regions_that_come_and_go() -> None:
    text = """
site: a
device: b
model: {file: m.tflite}
catalogue: {path: c}
cameras: [{id: till, source: /dev/video0, regions: {mode: MODE}, kiosk: {idle_s: 20}}]
"""
    settings = parse_config(text.replace("MODE", "motion").encode(), "a.yaml", {})
    assert settings.cameras[0].kiosk == KioskSettings(idle_s=20.0)
    with pytest.raises(ConfigError, match=r"kiosk: expected regions.mode detector or motion, found whole"):
        parse_config(text.replace("MODE", "whole").encode(), "a.yaml", {})
    both = text.replace("kiosk: {", "inbound: {}, kiosk: {").replace("MODE", "motion")
    with pytest.raises(ConfigError, match="kiosk: expected at most one of shelf, inbound and kiosk"):
        parse_config(both.encode(), "a.yaml", {})
