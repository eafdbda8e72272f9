"""The set-up page in a real browser, beside a real device and a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import SIZES, chromium, looking
from tests.support.mosquitto import Mosquitto, Subscriber, find_mosquitto
from tests.support.rack import Rack
from tests.support.web import Shop

__all__ = ["chromium"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_mosquitto(), reason="mosquitto is not installed"),
]

SLOTS = {"s1": (5, 5, 235, 235), "s2": (255, 5, 485, 235), "s3": (505, 5, 735, 235)}


@pytest.fixture(scope="module")
def rack(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rack, Subscriber]]:
    """A device of its own, whose configuration may be written, and who hears of it."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker, Subscriber(broker.port) as subscriber:
        made = Rack(shop, tmp_path_factory.mktemp("rack"), broker_port=broker.port)
        yield made.wait(), subscriber
        made.close()


@pytest.fixture
def fresh(rack: tuple[Rack, Subscriber]) -> Iterator[tuple[Rack, Subscriber]]:
    """Nothing is drawn yet; nor is it afterwards."""
    site, _ = rack
    yield rack
    now = site.ask("/api/setup/cam/layout").json
    body = {"camera": "cam", "etag": now["etag"], "mode": "whole", "places": []}
    assert site.ask("/api/setup/layout", body).status == 200


def drag(page: Any, *points: tuple[float, float]) -> None:
    """Along points of the camera's picture."""
    frame = page.locator("#board").bounding_box()
    across, down = frame["width"] / 990, frame["height"] / 240
    for number, (x, y) in enumerate(points):
        page.mouse.move(frame["x"] + x * across, frame["y"] + y * down, steps=3)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def start(page: Any) -> None:
    page.wait_for_selector("#picture:not([hidden])")
    page.locator("#board[viewBox]").wait_for(state="attached")
    page.get_by_label("What is looked at").select_option(label="Places that are drawn")


def corners(page: Any, name: str) -> list[list[float]]:
    """As they are drawn."""
    points = page.locator(f'.place[aria-label^="{name}"] polygon').get_attribute("points")
    return [[float(each) for each in point.split(",")] for point in points.split()]


@pytest.mark.parametrize("size", SIZES)
def test_three_slots_are_drawn_saved_and_told(
    fresh: tuple[Rack, Subscriber], chromium: Any, size: str
) -> None:
    site, subscriber = fresh
    old = site.config.read_text()
    with looking(chromium, f"{site.url}/setup", size) as look:
        page = look.page
        start(page)
        look.assert_accessible()
        for x1, y1, x2, y2 in SLOTS.values():
            drag(page, (x1, y1), (x2, y2))
        for name in SLOTS:
            page.get_by_role("listitem").filter(has_text=name).wait_for()
        # what is seen in each is told before anything is saved
        page.get_by_role("listitem").filter(has_text="s1").filter(has_text="Apple juice").wait_for()
        page.get_by_role("listitem").filter(has_text="s3").filter(has_text="Tomato soup").wait_for()
        page.get_by_role("listitem").filter(has_text="s2").get_by_role("button").click()
        product = page.get_by_label("Product that belongs there")
        product.press_sequentially("orang")
        page.get_by_role("option", name="Orange juice").wait_for()
        look.shoot("setup-names")
        product.press("ArrowDown")
        product.press("Enter")
        assert product.input_value() == "sku-01"
        subscriber.heard.clear()
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("Saved. The device works by it now.").wait_for()
        look.shoot("setup-saved")
        look.assert_fits()
        look.assert_accessible()

    def told(heard: list[Any]) -> bool:
        found = [each.content for each in heard if each.topic == "spotter/test/dev-1/cam/recognition"]
        known = {each["region"]: each["sku"] for each in found if each["verdict"] == "known"}
        return {"s1": "sku-00", "s2": "sku-01", "s3": "sku-02"}.items() <= known.items()

    subscriber.wait_for(told, 30)
    assert Path(f"{site.config}.bak").read_text() == old
    now = site.ask("/api/setup/cam/layout").json
    assert [(each["name"], each["sku"]) for each in now["places"]] == [
        ("s1", ""),
        ("s2", "sku-01"),
        ("s3", ""),
    ]
    for each, wanted in zip(now["places"], SLOTS.values(), strict=True):
        assert each["box"] == pytest.approx(wanted, abs=2)


def test_a_late_answer_takes_back_nothing_that_was_pointed_at(
    fresh: tuple[Rack, Subscriber], chromium: Any
) -> None:
    with looking(chromium, f"{fresh[0].url}/setup", "wide") as look:
        page = look.page
        start(page)
        drag(page, (255, 5), (485, 235))
        product = page.get_by_label("Product that belongs there")
        product.press_sequentially("oran")
        offered = page.get_by_role("option", name="Orange juice")
        offered.wait_for()
        with page.expect_response("**/api/products?*text=orang"):
            product.press_sequentially("g")
            product.press("ArrowDown")
        page.get_by_role("option", name="Orange juice", selected=True).wait_for()
        product.press("Enter")
        assert product.input_value() == "sku-01"
        # nor is anything offered again when one is taken before the answer
        product.fill("oran")
        offered.wait_for()
        product.press_sequentially("g")
        product.press("ArrowDown")
        product.press("Enter")
        assert product.input_value() == "sku-01"
        product.evaluate("() => new Promise((done) => setTimeout(done, 400))")
        assert not offered.is_visible()


def test_places_are_moved_bent_and_taken_back(fresh: tuple[Rack, Subscriber], chromium: Any) -> None:
    with looking(chromium, f"{fresh[0].url}/setup", "wide") as look:
        page = look.page
        start(page)
        drag(page, (100, 50), (200, 150))
        drag(page, (150, 100), (250, 120))
        assert corners(page, "s1")[0] == pytest.approx([200, 70], abs=2)
        before = corners(page, "s1")
        page.keyboard.press("ArrowRight")  # what was moved has the focus
        page.keyboard.press("Shift+ArrowDown")
        assert corners(page, "s1")[0] == [before[0][0] + 1, before[0][1] + 10]
        page.get_by_role("button", name="Corner 3 of s1").focus()
        page.keyboard.press("Shift+ArrowRight")
        assert corners(page, "s1")[2] == [before[2][0] + 11, before[2][1] + 10]
        page.get_by_role("button", name="Undo").click()
        assert corners(page, "s1")[2] == [before[2][0] + 1, before[2][1] + 10]
        page.get_by_label("Four corners").check()
        drag(page, (600, 20), (900, 220))
        drag(page, (900, 220), (850, 180))
        bent = corners(page, "s2")
        assert bent[0] == pytest.approx([600, 20], abs=2)
        assert bent[2] == pytest.approx([850, 180], abs=2)
        drag(page, (850, 180), (610, 30))  # it would be no shape any more
        assert corners(page, "s2")[2][0] > 700
        look.shoot("setup-bent")
        page.locator('.place[aria-label^="s2"]').focus()
        page.keyboard.press("Delete")
        assert page.locator(".place").count() == 1


def test_one_is_drawn_by_a_finger(fresh: tuple[Rack, Subscriber], chromium: Any) -> None:
    with looking(chromium, f"{fresh[0].url}/setup", "tall", touch=True) as look:
        page = look.page
        start(page)
        frame = page.locator("#board").bounding_box()
        client = page.context.new_cdp_session(page)
        for kind, share in (("touchStart", 0.1), ("touchMove", 0.2), ("touchMove", 0.3), ("touchEnd", None)):
            at = (
                {}
                if share is None
                else {"x": frame["x"] + share * frame["width"], "y": frame["y"] + share * frame["height"]}
            )
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at] if at else []})
        x1, y1 = corners(page, "s1")[0]
        assert (x1, y1) == pytest.approx((99, 24), abs=3)


def test_one_is_drawn_with_the_keyboard_alone(fresh: tuple[Rack, Subscriber], chromium: Any) -> None:
    site, _ = fresh
    with looking(chromium, f"{site.url}/setup", "wide") as look:
        page = look.page
        start(page)
        page.get_by_role("button", name="Add a place").press("Enter")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("s1")
        page.get_by_label("Name", exact=True).fill("left")
        page.get_by_role("button", name="Save", exact=True).press("Enter")
        page.get_by_text("Saved. The device works by it now.").wait_for()
    assert [each["name"] for each in site.ask("/api/setup/cam/layout").json["places"]] == ["left"]


def test_what_would_be_wrong_is_refused_in_the_words_of_the_check(
    fresh: tuple[Rack, Subscriber], chromium: Any
) -> None:
    site, _ = fresh
    with looking(chromium, f"{site.url}/setup", "wide") as look:
        page = look.page
        look.forgiven = "Failed to load resource"  # the browser says that it was refused
        start(page)
        drag(page, (5, 5), (200, 200))
        drag(page, (300, 5), (500, 200))
        page.get_by_label("Name", exact=True).fill("s1")
        text = site.config.read_text()
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("alert").get_by_text(
            "spotter.yaml:1: cameras[0].regions.slots: expected each name once, found 's1' 2 times"
        ).wait_for()
        look.shoot("setup-refused")
        assert site.config.read_text() == text
        page.get_by_label("Name", exact=True).fill("s2")
        site.config.write_text(text + "\n")  # somebody else
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("alert").get_by_text("found it changed since: load it again").wait_for()
        page.get_by_role("button", name="Load again").click()
        page.locator(".place").first.wait_for(state="detached")


def test_a_zone_is_drawn(fresh: tuple[Rack, Subscriber], chromium: Any) -> None:
    site, _ = fresh
    with looking(chromium, f"{site.url}/setup", "wide") as look:
        page = look.page
        start(page)
        page.get_by_label("What is looked at").select_option(label="What moves")
        drag(page, (100, 20), (900, 200))
        look.shoot("setup-zone")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("Saved. The device works by it now.").wait_for()
    now = site.ask("/api/setup/cam/layout").json
    assert now["mode"] == "motion"
    assert now["zone"] == pytest.approx([100, 20, 900, 200], abs=2)


def test_focus_another_threshold_and_teaching(fresh: tuple[Rack, Subscriber], chromium: Any) -> None:
    site, _ = fresh
    with looking(chromium, f"{site.url}/setup", "tall") as look:
        page = look.page
        start(page)
        page.get_by_text("Best so far").wait_for()
        assert float(page.locator("#sharpness").evaluate("each => each.value")) > 10
        page.get_by_label("Share of wrong names").fill("0.00001")
        page.get_by_role("button", name="Try").click()
        page.locator("#would").get_by_text("With 0.00001").wait_for()
        drag(page, (755, 5), (985, 235))
        page.get_by_text("Views are taken of s1.").wait_for()
        page.get_by_role("button", name="Take a view").click()
        page.locator("#views").get_by_text("good").wait_for()
        page.get_by_role("button", name="Take a view").click()
        page.locator("#views").get_by_text("as before").wait_for()
        page.get_by_label("SKU").fill("new-9")
        page.get_by_label("Name (optional)").fill("Printed thing")
        look.shoot("setup-teach")
        look.assert_fits()
        look.assert_accessible()
        page.get_by_role("button", name="Teach").click()
        page.get_by_text("Printed thing is known now, with 1 pictures.").wait_for()
        page.get_by_role("listitem").filter(has_text="s1").filter(has_text="Printed thing").wait_for()
    assert site.ask("/api/commands/forget", {"sku": "new-9"}).status == 200


@pytest.mark.parametrize(("language", "direction"), [("de", "ltr"), ("es", "ltr"), ("zh-CN", "rtl")])
def test_the_page_in_other_languages_and_mirrored(
    fresh: tuple[Rack, Subscriber], chromium: Any, language: str, direction: str
) -> None:
    with looking(chromium, f"{fresh[0].url}/setup", "wide", language=language, scheme="dark") as look:
        page = look.page
        page.wait_for_selector("#picture:not([hidden])")
        page.evaluate(f"document.documentElement.dir = '{direction}'")
        page.locator("#mode").select_option("slots")
        drag(page, (5, 5), (235, 235))
        page.locator("#places .badge:not(:text('…'))").first.wait_for()
        look.shoot(f"setup-{language[:2]}-{direction}")
        look.assert_fits()
        look.assert_accessible()


@pytest.fixture
def undone(rack: tuple[Rack, Subscriber]) -> Iterator[tuple[Rack, Subscriber]]:
    """The file is put back as it was."""
    site, _ = rack
    old = site.config.read_text()
    yield rack
    site.config.write_text(old)
    assert site.ask("/api/commands/reload", {}).status == 200


def test_a_planogram_is_drawn_and_its_slots_are_told(undone: tuple[Rack, Subscriber], chromium: Any) -> None:
    site, subscriber = undone
    with looking(chromium, f"{site.url}/setup", "wide") as look:
        page = look.page
        page.wait_for_selector("#picture:not([hidden])")
        page.locator("#board[viewBox]").wait_for(state="attached")
        page.get_by_label("What is drawn").select_option(label="Shelf: what belongs where")
        for sku, corner in (("sku-00", SLOTS["s1"]), ("sku-01", SLOTS["s2"])):
            drag(page, corner[:2], corner[2:])
            page.get_by_label("Product that belongs there").fill(sku)
        page.get_by_label("Side by side").fill("2")
        page.get_by_role("listitem").filter(has_text="s1").filter(has_text="Apple juice").wait_for()
        look.shoot("setup-shelf")
        look.assert_fits()
        look.assert_accessible()
        subscriber.heard.clear()
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("Saved. The device works by it now.").wait_for()
        page.get_by_role("listitem").filter(has_text="s2").get_by_role("button").click()
        assert page.get_by_label("Side by side").input_value() == "2"

    def told(heard: list[Any]) -> bool:
        return {f"spotter/test/dev-1/cam/shelf/{name}" for name in ("s1", "s2")} <= {
            each.topic for each in heard
        }

    subscriber.wait_for(told, 30)
    now = site.ask("/api/setup/cam/layout").json
    slots = [(each["name"], each["sku"], each["facings"]) for each in now["shelf"]["places"]]
    assert slots == [("s1", "sku-00", 1), ("s2", "sku-01", 2)]
    assert now["shelf"]["places"][0]["box"] == pytest.approx(SLOTS["s1"], abs=2)


def test_masks_are_drawn_and_another_rate_is_kept(undone: tuple[Rack, Subscriber], chromium: Any) -> None:
    site, _ = undone
    with looking(chromium, f"{site.url}/setup", "tall") as look:
        page = look.page
        page.wait_for_selector("#picture:not([hidden])")
        page.locator("#board[viewBox]").wait_for(state="attached")
        page.get_by_label("What is drawn").select_option(label="Privacy: what nobody sees")
        drag(page, (99, 24), (495, 120))
        drag(page, (600, 100), (900, 200))
        page.get_by_role("listitem").filter(has_text="Mask 2").wait_for()
        page.get_by_role("button", name="Remove", exact=True).click()
        look.shoot("setup-masks")
        look.assert_fits()
        look.assert_accessible()
        page.get_by_label("Share of wrong names").fill("0.02")
        page.get_by_role("button", name="Try").click()
        page.get_by_role("button", name="Save 0.02").click()
        page.locator("#would").get_by_text("Saved. The device works by it now.").wait_for()
        page.get_by_role("button", name="Save", exact=True).click()
        page.locator("#said").get_by_text("Saved. The device works by it now.").wait_for()
    now = site.ask("/api/setup/cam/layout").json
    assert now["masks"] == [pytest.approx([0.1, 0.1, 0.5, 0.5], abs=0.01)]
    assert site.ask("/api/setup/what_if?false_accept=0.1").json["now"] == 0.02
