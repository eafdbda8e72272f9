"""The kiosk's page in a real browser: a hand before a camera, the real daemon, and what a customer sees and touches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import SIZES, Look, chromium, looking
from tests.support.kiosk_site import STRANGER, TWINS, KioskSite
from tests.support.road import until
from tests.support.web import LONG
from tools.kiosk_demo.props import row_of, sku_of

__all__ = ["chromium"]

TEXTS = {
    path.stem: json.loads(path.read_text())
    for path in (Path(__file__).resolve().parents[2] / "agent" / "pages" / "text" / "kiosk").glob("*.json")
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LATEST = 60_000
"""ms. On a machine with other things to do."""


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KioskSite]:
    made = KioskSite(tmp_path_factory.mktemp("kiosk"))
    yield made
    made.close()


def shows(look: Look, view: str) -> None:
    """Until this is what is on the screen."""
    look.page.wait_for_selector(f'body[data-ready][data-view="{view}"]', timeout=LATEST)


def rests(look: Look, kiosk: KioskSite) -> None:
    """Until nobody is there any more."""
    until(lambda: not kiosk.camera.busy, 60)
    until(lambda: kiosk.mood() == "idle", 60)
    shows(look, "attract")


@pytest.mark.parametrize("size", SIZES)
def test_what_is_held_up_is_named_with_the_way_to_it(kiosk: KioskSite, chromium: Any, size: str) -> None:
    product = kiosk.products[3]
    with looking(chromium, kiosk.url, size) as look:
        page = look.page
        shows(look, "attract")
        look.assert_fits()
        look.assert_accessible()
        look.shoot("kiosk-attract")
        kiosk.hold(product)
        shows(look, "product")
        row = row_of(product)
        assert page.locator("#product-name").inner_text() == product.name
        assert page.locator("#product-price").inner_text() == f"€{row['price']}"
        assert page.locator("#product-where").inner_text() == f"Aisle {row['aisle']}, bay {row['bay']}"
        assert page.locator("#product-description").inner_text() == row["description"]
        page.wait_for_selector("#product-picture img")
        assert page.evaluate("document.querySelector('#product-picture img').decode().then(() => true)")
        page.wait_for_selector(".plan-way", state="attached")
        assert page.locator(".plan-way").count() == 1
        goal = page.locator(f'[data-place="{row["aisle"]}-{row["bay"].lower()}"].plan-target').bounding_box()
        tip = page.locator(".plan-head").bounding_box()
        assert abs(tip["x"] - goal["x"]) < 60, "the arrow ends at the bay"
        assert abs(tip["y"] - goal["y"]) < 120
        page.wait_for_selector("#similar-list .product-card")
        page.wait_for_timeout(1200)  # the way is drawn
        assert page.locator("#said").inner_text().startswith(f"This is {product.name}.")
        look.shoot("kiosk-known")
        look.assert_fits()
        look.assert_accessible()
        rests(look, kiosk)
    told = kiosk.told()[0]
    assert (told["asked"], told["answer"], told["sku"]) == ("item", "known", sku_of(product))


@pytest.mark.parametrize("size", SIZES)
def test_a_stranger_is_honestly_unknown_and_can_be_searched(
    kiosk: KioskSite, chromium: Any, size: str
) -> None:
    with looking(chromium, kiosk.url, size) as look:
        shows(look, "attract")
        kiosk.hold(STRANGER)
        shows(look, "look")
        look.shoot("kiosk-look")
        shows(look, "unknown")
        look.page.wait_for_timeout(400)
        look.shoot("kiosk-unknown")
        look.assert_fits()
        look.assert_accessible()
        look.page.get_by_role("button", name="Search by name").click()
        shows(look, "search")
        look.page.keyboard.press("Escape")
        rests(look, kiosk)
    assert kiosk.told()[0]["answer"] == "unknown"


@pytest.mark.parametrize("size", SIZES)
def test_a_customer_searches_with_the_keys_on_the_screen(kiosk: KioskSite, chromium: Any, size: str) -> None:
    product = kiosk.products[2]
    word = product.brand.lower()
    with looking(chromium, kiosk.url, size, touch=True) as look:
        page = look.page
        shows(look, "attract")
        page.get_by_role("button", name="or type its name").tap()
        shows(look, "search")
        look.assert_fits()
        look.assert_accessible()
        for letter in word:
            page.locator("#keys").get_by_role("button", name=letter, exact=True).tap()
        assert page.locator("#search-text").input_value() == word
        page.locator("#search-list .product-card", has_text=product.name).first.wait_for()
        bottom = page.locator("#keys").bounding_box()
        assert bottom["y"] + bottom["height"] <= SIZES[size][1], "all keys are on the screen"
        page.wait_for_timeout(400)
        look.shoot("kiosk-search")
        look.assert_accessible()
        page.get_by_role("button", name="List", exact=True).tap()
        look.shoot("kiosk-list")
        look.assert_fits()
        page.get_by_role("button", name="Erase").tap()
        assert page.locator("#search-text").input_value() == word[:-1]
        page.locator("#search-list .product-card", has_text=product.name).first.tap()
        shows(look, "product")
        page.get_by_role("button", name="Back to the list").tap()
        shows(look, "search")
        page.keyboard.press("Escape")
        shows(look, "attract")
    chosen = ("text", "chosen", sku_of(product), product.name)

    def is_told() -> bool:  # the list of the shorter word may come after the choice, and is then left
        latest = kiosk.told()[:2]
        return any((each["asked"], each["answer"], each["sku"], each["name"]) == chosen for each in latest)

    until(is_told, 20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_that_a_catalogue_may_say_breaks_the_page(
    kiosk: KioskSite, chromium: Any, scheme: str
) -> None:
    for size in SIZES:
        with looking(chromium, kiosk.url, size, scheme=scheme) as look:
            page = look.page
            shows(look, "attract")
            for asked, name in (("LONG-1", LONG), ("LONG-2", "Donau"), ("RTL-1", "زيت"), ("CJK-1", "有机")):
                page.keyboard.type(asked)  # as a scanner does: the search opens by itself
                shows(look, "search")
                page.locator("#search-list .product-card", has_text=name).first.click()
                shows(look, "product")
                page.wait_for_timeout(300)
                look.assert_fits()
                assert page.locator("#product-picture.lettered").count() == 1
                look.shoot(f"kiosk-{asked.lower()}")
                if asked == "LONG-1":
                    look.assert_accessible()
                page.evaluate("document.documentElement.dir = 'rtl'")
                look.assert_fits()
                look.shoot(f"kiosk-{asked.lower()}-rtl")
                page.evaluate("document.documentElement.dir = 'ltr'")
                page.keyboard.press("Escape")
                shows(look, "attract")


def test_nothing_found_is_said(kiosk: KioskSite, chromium: Any) -> None:
    with looking(chromium, kiosk.url) as look:
        shows(look, "attract")
        look.page.get_by_role("button", name="or type its name").click()
        look.page.keyboard.type("qqqqxxzz")
        look.page.get_by_text("Nothing found for “qqqqxxzz”").wait_for()
        look.shoot("kiosk-nothing")
        look.page.keyboard.press("Escape")


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_it_speaks_the_language_of_the_browser_and_is_switched(
    kiosk: KioskSite, chromium: Any, language: str
) -> None:
    texts = TEXTS[language]
    with looking(chromium, kiosk.url, "tall", language=language) as look:
        page = look.page
        shows(look, "attract")
        page.get_by_role("heading", name=texts["attract.title"]).wait_for()
        assert page.evaluate("document.documentElement.lang") == language
        look.shoot(f"kiosk-attract-{language}")
        look.assert_fits()
        look.assert_accessible()
        other = "en" if language != "en" else "de"
        page.get_by_role("button", name=TEXTS[other]["language"]).click()
        page.get_by_role("heading", name=TEXTS[other]["attract.title"]).wait_for()
        page.get_by_role("button", name=texts["language"], exact=True).click()
        page.get_by_role("button", name=texts["attract.search"]).click()
        shows(look, "search")
        page.keyboard.type("a")
        page.locator("#search-list .product-card").first.wait_for()
        look.shoot(f"kiosk-search-{language}")
        look.assert_fits()
        page.locator("#search-list .product-card").first.click()
        shows(look, "product")
        page.wait_for_timeout(1300)
        look.shoot(f"kiosk-product-{language}")
        look.assert_fits()


def test_it_is_used_without_a_pointer(kiosk: KioskSite, chromium: Any) -> None:
    product = kiosk.products[5]
    with looking(chromium, kiosk.url) as look:
        page = look.page
        shows(look, "attract")
        page.locator("#start-search").focus()
        page.keyboard.press("Enter")
        shows(look, "search")
        assert page.evaluate("document.activeElement.id") == "search-text"
        page.keyboard.type(product.name)
        first = page.locator("#search-list .product-card").first
        first.get_by_text(product.name).wait_for()
        for _ in range(5):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.className") == "product-card":
                break
        page.keyboard.press("Enter")
        shows(look, "product")
        assert page.evaluate("document.activeElement.id") == "product-name", "what is new is read first"
        page.keyboard.press("Escape")
        shows(look, "attract")


@pytest.mark.parametrize("size", SIZES)
def test_which_of_those_that_it_may_be_is_asked_and_told(kiosk: KioskSite, chromium: Any, size: str) -> None:
    with looking(chromium, kiosk.url, size) as look:
        shows(look, "attract")
        kiosk.hold(kiosk.twin)
        shows(look, "choice")
        look.page.wait_for_timeout(400)
        look.shoot("kiosk-choice")
        look.assert_fits()
        look.assert_accessible()
        assert look.page.locator("#choice-list .product-card").count() == 3
        look.page.locator("#choice-list .product-card", has_text=TWINS["TWIN-2"]).click()
        shows(look, "product")
        assert look.page.locator("#product-name").inner_text() == TWINS["TWIN-2"]
        rests(look, kiosk)
    chosen, asked = kiosk.told()[:2]
    assert (asked["asked"], asked["answer"]) == ("item", "ambiguous")
    assert {option["sku"] for option in asked["options"]} == {*TWINS, sku_of(kiosk.twin)}
    assert (chosen["asked"], chosen["answer"], chosen["sku"]) == ("item", "chosen", "TWIN-2")


def test_without_its_camera_it_still_finds_and_it_comes_back_by_itself(
    kiosk: KioskSite, chromium: Any
) -> None:
    source = kiosk.settings["cameras"][0]["source"]
    cameras = kiosk.settings["cameras"]
    kiosk.change(cameras=[{**cameras[0], "source": source.replace("stream", "nothing")}])
    try:
        with looking(chromium, kiosk.url) as look:
            shows(look, "attract")
            look.page.get_by_text("The camera is resting").wait_for(timeout=LATEST)
            look.shoot("kiosk-blind")
            look.assert_accessible()
            look.page.get_by_role("button", name="Search by name").click()
            look.page.keyboard.type(kiosk.products[1].brand)
            look.page.locator("#search-list .product-card").first.wait_for()
            kiosk.change(cameras=[{**cameras[0], "source": source}])
            look.page.locator("#notice").wait_for(state="hidden", timeout=LATEST)
    finally:
        kiosk.change(cameras=[{**cameras[0], "source": source}])
