"""The kiosk says everything in each of its languages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parent.parent / "agent" / "pages"
TEXTS = {path.stem: json.loads(path.read_text()) for path in (PAGES / "text" / "kiosk").glob("*.json")}
OFFERED = re.findall(
    r"(\w+): \"", re.search(r"LANGUAGES = \{(.*?)\}", (PAGES / "shared.js").read_text(), re.DOTALL)[1]  # type: ignore[index]
)  # fmt: skip
SCRIPT = (PAGES / "kiosk.js").read_text()


def test_each_language_that_is_offered_has_a_file() -> None:
    assert set(TEXTS) == set(OFFERED)


@pytest.mark.parametrize("language", TEXTS)
def test_each_file_has_every_text_with_its_gaps(language: str) -> None:
    assert TEXTS[language].keys() == TEXTS["en"].keys()
    for key, text in TEXTS[language].items():
        assert text or key == "keys", f"{key} is empty"
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", TEXTS["en"][key])), key
    assert TEXTS[language]["direction"] in {"ltr", "rtl"}


def test_every_text_is_used_and_every_used_one_is_there() -> None:
    html = (PAGES / "kiosk.html").read_text()
    keys = (PAGES / "kiosk-keys.js").read_text()
    marked = set(re.findall(r'data-t(?:-label|-placeholder)?="([^"]+)"', html))
    called = set(re.findall(r'"([a-z]+(?:\.[a-z]+)*)"', SCRIPT + keys)) & TEXTS["en"].keys()
    made = {f"choice.{which}{one}" for which in ("title", "none") for one in ("", ".one")}
    assert marked <= TEXTS["en"].keys()
    assert TEXTS["en"].keys() - marked - called - made == {"direction"}


def test_nothing_of_the_page_is_inline() -> None:
    html = (PAGES / "kiosk.html").read_text()
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*src=)", html)
