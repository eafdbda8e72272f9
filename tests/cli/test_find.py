"""`spotter find` says why: in lines, as JSON, and as a page with the reference pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest

from tests.cli.conftest import Command
from tests.support.road import Road, picture


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("find"))
    made.build()
    cv2.imwrite(str(made.folder / "known.png"), picture(3, 77))
    cv2.imwrite(str(made.folder / "other <b>.png"), picture(60, 1))
    return made


def found(command: Command, road: Road, *more: str | Path) -> str:
    done = command("find", "--model", road.model, "--release", road.catalogue, *more)
    assert done.code == 0, done.err
    return done.out


def test_the_answer_says_what_counted_how_much(command: Command, road: Road) -> None:
    (answer,) = json.loads(found(command, road, road.folder / "known.png", "--json"))["regions"]
    assert (answer["verdict"], answer["sku"]) == ("known", "sku-03")
    assert [weight["source"] for weight in answer["evidence"]] == ["catalogue", "pictures", "clues", "rivals"]
    assert answer["false_accept"] <= 0.01
    assert answer["candidates"][0]["clues"] == []


def test_explain_prints_references_and_reasons(command: Command, road: Road) -> None:
    plain = found(command, road, road.folder / "known.png")
    text = found(command, road, road.folder / "known.png", "--explain")
    assert "nearest: images/sku-03/" in text or "nearest: sku-03/" in text
    assert "how near its reference pictures are" in text
    assert "decision.false_accept" in text
    assert "nearest:" not in plain


def test_the_page_shows_the_references_and_needs_nothing_from_outside(
    command: Command, road: Road, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    found(command, road, road.folder / "known.png", road.folder / "other <b>.png", "--html", page)
    html = page.read_text()
    assert html.count("<article>") == 2
    assert html.count("data:image/jpeg") == 2 * (1 + 5), "each photo, and the five nearest references"
    assert "other <b>" not in html
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)|url\(|<script|@import""", html)


def test_a_page_that_has_no_folder_is_refused_before_anything_is_looked_at(
    command: Command, road: Road, tmp_path: Path
) -> None:
    done = command(
        "find", "--model", road.model, "--release", road.catalogue,
        road.folder / "known.png", "--html", tmp_path / "nowhere" / "page.html",
    )  # fmt: skip
    assert done.code == 2
    assert "--html: expected a folder that is there" in done.err
