"""The review page in a real browser, beside a real device whose camera also sees what nobody knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.browser import SIZES, Look, chromium, looking
from tests.support.road import picture, until
from tests.support.web import PASSWORDS, Shop, Site
from tests.web.test_api import checked

__all__ = ["chromium"]

STRANGE = 70


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """What the camera shows: the products, and three things that are not among them."""
    made = Shop(tmp_path_factory.mktemp("seen"))
    for number in range(3):
        cv2.imwrite(str(made.photos / f"strange-{number}.png"), picture(STRANGE + number, 50, 240))
    return made


@pytest.fixture
def reviewed(seen: Shop, tmp_path: Path) -> Iterator[Site]:
    """It keeps everything, with pictures; its camera has shown all photos once, and ends then."""
    more = {"review": {"keep": 100, "pictures": True, "sample": 1}}
    made = Site(seen, tmp_path / "site", camera={"loop": False}, more=more).wait()
    until(lambda: waiting(made) == 9, 60, made.daemon.text)
    yield made
    made.close()


def waiting(site: Site) -> int:
    """Decisions without an answer; asked at a pace that is answered."""
    time.sleep(0.3)
    return int(site.ask("/api/review").json["open"])


def image(data: bytes) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


def test_decisions_are_asked_for_answered_and_taken_back(reviewed: Site) -> None:
    said = checked("reviews", reviewed.ask("/api/review?limit=100"))
    assert (said["open"], said["answered"], len(said["decisions"])) == (9, 0, 9)
    kinds = [each["kind"] for each in said["decisions"]]
    assert set(kinds[:3]) <= {"unknown", "ambiguous"}
    assert kinds[3:] == ["sure"] * 6
    sure = said["decisions"][-1]
    at = f"/api/review/{sure['decision']}"
    number = int(sure["sku"].removeprefix("sku-"))
    shown = image(reviewed.ask(f"{at}/picture").body)
    assert shown.shape == (240, 240, 3)
    near = image(reviewed.ask(f"{at}/reference/0").body)
    own = picture(number, 0)
    assert abs(cv2.resize(near, (96, 96)).astype(int) - own).mean() < 25, "its own nearest picture"
    other = next(n for n, each in enumerate(sure["options"]) if each["sku"] != sure["sku"])
    assert abs(cv2.resize(image(reviewed.ask(f"{at}/reference/{other}").body), (96, 96)) - own).mean() > 25

    one = {"decision": sure["decision"]}
    assert checked("review_answer", reviewed.ask("/api/review", {**one, "answer": "right"})) == {
        "open": 8,
        "answered": 1,
    }
    (answered,) = reviewed.ask("/api/review?state=answered").json["decisions"]
    assert (answered["answer"], answered["answer_sku"]) == ("right", sure["sku"])
    assert reviewed.ask("/api/review", {**one, "answer": "is", "sku": "sku-05"}).json["answered"] == 1
    (answered,) = reviewed.ask("/api/review?state=answered").json["decisions"]
    assert (answered["answer"], answered["answer_sku"]) == ("is", "sku-05")
    assert reviewed.ask("/api/review", {**one, "answer": "open"}).json == {"open": 9, "answered": 0}


def test_what_cannot_be_said_is_refused(reviewed: Site) -> None:
    for said, status, detail in (
        ({"decision": 99, "answer": "right"}, 404, "decision: expected one that is kept, found 99"),
        ({"decision": 1, "answer": "maybe"}, 400, "answer: expected one of open, right, wrong, is"),
        ({"decision": 1, "answer": "is"}, 400, "sku: expected one with the answer `is` alone"),
        ({"decision": 1, "answer": "wrong", "sku": "sku-01"}, 400, "sku: expected one with the answer"),
        ({"decision": 1, "answer": "is", "sku": "../x"}, 404, "sku: expected one that is known here"),
    ):
        answer = reviewed.ask("/api/review", said)
        assert (answer.status, detail in answer.detail) == (status, True), answer
    for path in ("/api/review/99/picture", "/api/review/99/reference/0"):
        assert reviewed.ask(path).status == 404
    assert reviewed.ask("/api/review/1/reference/9").status == 400
    assert reviewed.ask("/api/review", {"decision": 1, "answer": "right"}, witness=False).status == 403


def test_only_operators_review_and_only_where_it_is_on(guarded: Site, site: Site) -> None:
    for role, status in (("", 401), ("kiosk", 403), ("viewer", 403), ("operator", 400)):
        password = PASSWORDS.get(role, "")
        assert guarded.ask("/api/review", password=password, x_forwarded_for="10.0.0.9").status == status
    assert "review.keep" in site.ask("/api/review").detail


def answers(site: Site) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in site.ask("/api/review?state=answered&limit=100").json["decisions"]:
        key = f"{each['answer']} {each['answer_sku']}".strip()
        found[key] = found.get(key, 0) + 1
    return found


def steady(look: Look) -> None:
    """Both pictures are there."""
    there = (
        "document.querySelectorAll('.frame img').length === 2 &&"
        "[...document.querySelectorAll('img')].every((each) => each.complete && each.naturalWidth > 0)"
    )
    until(lambda: look.page.evaluate(there), 20)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_queue_is_gone_through(reviewed: Site, chromium: Any, size: str) -> None:
    with looking(chromium, f"{reviewed.url}/review", size) as look:
        page = look.page
        page.get_by_text("9 to look at · 0 answered").wait_for()
        page.get_by_role("heading", name="Unknown").wait_for()
        steady(look)
        look.shoot("review-unknown")
        look.assert_fits()
        look.assert_accessible()

        field = page.get_by_role("combobox", name="This is …")
        field.fill("tomatoe sou")
        page.get_by_role("option", name="Tomato soup", selected=True).wait_for()
        look.shoot("review-pick")
        look.assert_accessible()
        field.press("Enter")
        page.get_by_text("8 to look at · 1 answered").wait_for()
        assert answers(reviewed) == {"is sku-02": 1}

        page.get_by_role("button", name="Undo").click()
        page.get_by_text("9 to look at · 0 answered").wait_for()
        assert answers(reviewed) == {}
        page.get_by_role("button", name="This is").first.click()
        page.get_by_text("8 to look at · 1 answered").wait_for()
        page.get_by_role("button", name="Wrong").click()
        page.get_by_text("7 to look at · 2 answered").wait_for()
        page.get_by_role("button", name="Later").click()
        page.get_by_role("heading", name="%").wait_for()  # the first that has a name
        steady(look)
        look.shoot("review-known")
        look.assert_fits()
        look.assert_accessible()


@pytest.mark.slow
def test_a_queue_is_gone_through_with_the_keyboard_alone(reviewed: Site, chromium: Any) -> None:
    with looking(chromium, f"{reviewed.url}/review", scheme="dark") as look:
        page = look.page
        page.get_by_text("9 to look at").wait_for()
        steady(look)
        look.shoot("review-dark")
        look.assert_accessible()
        page.keyboard.press("i")
        page.keyboard.type("sku-04")
        page.get_by_role("option", name="Dark chocolate", selected=True).wait_for()
        page.keyboard.press("Enter")
        page.get_by_text("8 to look at · 1 answered").wait_for()
        assert page.get_by_role("status").inner_text().startswith("Kept: it is Dark chocolate. Next: ")
        page.keyboard.press("w")
        page.get_by_text("7 to look at · 2 answered").wait_for()
        page.keyboard.press("u")
        page.get_by_text("8 to look at · 1 answered").wait_for()
        page.keyboard.press("s")
        for left in range(7, 0, -1):
            page.keyboard.press("r")
            page.get_by_text(f"{left} to look at · {9 - left} answered").wait_for()
        page.get_by_role("heading", name="Only what you left for later").wait_for()
        look.shoot("review-nothing")
        look.assert_accessible()
        page.keyboard.press("Enter")  # look again
        page.locator("#card:focus").wait_for()
        page.keyboard.press("r")
        page.get_by_role("heading", name="Nothing to look at").wait_for()
    found = answers(reviewed)
    assert found.pop("is sku-04") == 1
    assert sum(found.values()) == 8
    assert found.pop("right") == 2, "nobody has a name for them, which is right"
    assert all(each.startswith("right sku-") for each in found)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "zh-CN"])
def test_it_speaks_the_language_of_the_browser_and_is_mirrored(
    reviewed: Site, chromium: Any, language: str
) -> None:
    with looking(chromium, f"{reviewed.url}/review", "tall", language=language) as look:
        steady(look)
        look.shoot(f"review-{language[:2]}")
        look.assert_fits()
        look.page.evaluate("document.documentElement.dir = 'rtl'")
        look.assert_fits()
        look.shoot(f"review-rtl-{language[:2]}")


@pytest.mark.slow
def test_where_nothing_is_kept_the_page_says_how_it_would_be(site: Site, chromium: Any) -> None:
    with looking(chromium, f"{site.url}/review") as look:
        look.page.get_by_role("heading", name="No decisions are kept").wait_for()
        look.page.get_by_text("review.keep").wait_for()
        look.forgiven = "400 (Bad Request)"
        look.shoot("review-off")
        look.assert_accessible()
