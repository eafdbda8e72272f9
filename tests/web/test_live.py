"""The live page in a real browser, beside a real device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import SIZES, chromium, looking
from tests.support.web import LONG, PASSWORDS, Site

__all__ = ["chromium"]

PAGES = Path(__file__).resolve().parents[2] / "agent" / "pages"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_what_a_camera_shows_is_seen(site: Site, chromium: Any, size: str, scheme: str) -> None:
    with looking(chromium, site.url, size, scheme=scheme) as look:
        page = look.page
        page.wait_for_selector(".camera img:not([hidden])")
        page.wait_for_selector(".stage polygon.known", state="attached")
        page.get_by_role("list", name="What camera cam sees").get_by_text("juice").first.wait_for()
        page.get_by_text(LONG).first.wait_for()  # it comes by within a second or two
        assert page.title() == "dev-1 – Spotter"
        assert "online" in page.locator(".camera header .badge").inner_text()
        assert "broker" in page.locator("#causes").inner_text()
        assert page.locator("#events li").count() > 3
        look.shoot("live")
        look.assert_fits()
        look.assert_accessible()


def test_all_that_is_counted_can_be_read(site: Site, chromium: Any) -> None:
    with looking(chromium, site.url) as look:
        look.page.get_by_text("All numbers").click()
        row = look.page.get_by_role("row", name="frames.taken.cam")
        row.wait_for()
        assert int(row.locator("td").inner_text().replace(",", "")) > 0
        look.shoot("live-numbers")
        look.assert_fits()
        look.assert_accessible()


@pytest.mark.parametrize("language", ["de", "es", "zh-CN"])
def test_the_page_speaks_the_language_of_the_browser(site: Site, chromium: Any, language: str) -> None:
    words = json.loads((PAGES / "text" / f"{language[:2]}.json").read_text())
    with looking(chromium, site.url, language=language) as look:
        look.page.get_by_role("heading", name=words["live"]["events"]).wait_for()
        look.page.wait_for_selector(".camera img:not([hidden])")
        assert look.page.evaluate("document.documentElement.lang") == language[:2]
        look.assert_fits()
        look.shoot(f"live-{language[:2]}")


def test_the_page_is_mirrored_for_those_who_read_from_right_to_left(site: Site, chromium: Any) -> None:
    with looking(chromium, site.url) as look:
        look.page.wait_for_selector(".camera img:not([hidden])")
        look.page.evaluate("document.documentElement.dir = 'rtl'")
        badge = look.page.locator(".camera header .badge").bounding_box()
        name = look.page.locator(".camera header h2").bounding_box()
        assert badge["x"] < name["x"]
        look.assert_fits()
        look.shoot("live-rtl")


def test_a_page_that_is_hidden_asks_for_nothing(site: Site, chromium: Any) -> None:
    with looking(chromium, site.url) as look:
        page = look.page
        page.wait_for_selector(".camera img:not([hidden])")
        asked: list[str] = []
        page.evaluate(
            "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.wait_for_timeout(500)  # what was under way ends
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(1500)
        assert asked == []
        page.evaluate(
            "Object.defineProperty(document, 'hidden', { value: false, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        with page.expect_request("**/picture?**"):
            pass


def test_the_page_is_used_with_the_keyboard_alone(site: Site, chromium: Any) -> None:
    with looking(chromium, site.url) as look:
        page = look.page
        page.wait_for_selector(".camera img:not([hidden])")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "/"


@pytest.mark.parametrize("size", SIZES)
def test_whoever_has_a_password_comes_in_by_it(guarded: Site, chromium: Any, size: str) -> None:
    with looking(chromium, guarded.url, size) as look:
        page = look.page
        page.get_by_label("Password").fill("wrong one")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("alert").get_by_text("That is no password of this device.").wait_for()
        look.forgiven = "401 (Unauthorized)"  # the browser says that it was refused
        look.shoot("login")
        look.assert_fits()
        look.assert_accessible()
        page.get_by_label("Password").fill(PASSWORDS["viewer"])
        page.keyboard.press("Enter")
        page.wait_for_selector(".camera img:not([hidden])")
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("Password").wait_for()
        assert page.url.endswith("/login")


def test_all_languages_say_the_same_things() -> None:
    texts = {path.stem: json.loads(path.read_text()) for path in (PAGES / "text").glob("*.json")}
    assert set(texts) == {"en", "de", "es", "zh"}
    for language, sections in texts.items():
        assert set(sections) == set(texts["en"])
        for name, section in sections.items():
            assert set(section) == set(texts["en"][name]), (language, name)
            for key, text in section.items():
                held = {part.partition("}")[0] for part in text.split("{")[1:]}
                wanted = {part.partition("}")[0] for part in texts["en"][name][key].split("{")[1:]}
                assert (held, bool(text)) == (wanted, True), (language, name, key)
