"""A real Chromium that looks at the pages, at the sizes of the screens that they are for.

Screenshots go to the folder that SPOTTER_SCREENSHOTS names, or nowhere: people look at them, tests do not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import PATIENCE

SIZES = {"wide": (1280, 800), "tall": (1080, 1920)}
"""The screens of kiosks, across and upright."""

HARD = {"serious", "critical"}
"""Impacts of what axe finds that nobody may be left with."""


def find_chromium() -> str:
    """Path of the program."""
    named = os.environ.get("CHROMIUM", "")
    return named or next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        "",
    )


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser, started once a module: beside it no other loop of asyncio can run."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `test`)")
    path = find_chromium()
    if not path:
        pytest.skip("chromium is not installed (apt-get install chromium), or name it in CHROMIUM")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Look:
    """One page, open in a browser of its own."""

    def __init__(self, page: Any, name: str) -> None:
        self.page = page
        self.name = name
        self.complaints: list[str] = []
        self.forgiven = ""  # what a test has the page complain of
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def shoot(self, name: str) -> None:
        """A screenshot for people."""
        folder = os.environ.get("SPOTTER_SCREENSHOTS", "")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}-{self.name}.png"))

    def assert_fits(self) -> None:
        """Nothing stands out of the page at a side, and no text of a line out of its box."""
        over = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, f"{over} px too wide"

    def settle(self) -> None:
        """Until what fades or slides in has arrived: half way, colours are those of nobody's choice."""
        self.page.evaluate(
            """() => Promise.all(document.getAnimations()
                .filter(each => Number.isFinite(each.effect?.getComputedTiming().endTime))
                .map(each => each.finished.catch(() => {})))"""
        )

    def assert_accessible(self, *skipped: str) -> None:
        """axe finds nothing serious."""
        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright", reason="axe is not installed (extra `test`)"
        )
        self.settle()
        found = axe.Axe().run(self.page).response["violations"]
        hard = [
            f"{each['id']}: {each['help']}: {node['html'][:200]}: {node['failureSummary'][:400]}"
            for each in found
            if each["impact"] in HARD and each["id"] not in skipped
            for node in each["nodes"][:3]
        ]
        assert not hard, "\n".join(hard)


@contextmanager
def looking(
    chromium: Any,
    url: str,
    size: str = "wide",
    *,
    scheme: str = "light",
    language: str = "en-GB",
    cookie: str = "",
    touch: bool = False,
) -> Iterator[Look]:
    """A page, with what it complains of; anything that it does is an error of the test."""
    width, height = SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale=language, has_touch=touch
    )
    context.set_default_timeout(20_000 * PATIENCE)
    if cookie:
        name, _, value = cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": url}])
    try:
        look = Look(context.new_page(), f"{size}-{scheme}")
        look.page.goto(url)
        yield look
        left = [each for each in look.complaints if not look.forgiven or look.forgiven not in each]
        assert not left, left
    finally:
        context.close()
