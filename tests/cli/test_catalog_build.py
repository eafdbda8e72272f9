"""`spotter catalog build` as it is typed: again, with another cache, without thumbnails, anew."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from agent.publishing.cache import CACHE_NAME
from tests.cli.conftest import Command
from tests.support.tiny_models import write_tiny_model
from tests.support.tiny_pictures import drawn_picture


@pytest.fixture
def shop(tmp_path: Path) -> list[str | Path]:
    """The command, for two products of three pictures."""
    for number in range(6):
        path = tmp_path / "shop" / f"sku-{number // 3}" / f"{number % 3}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), drawn_picture(number))
    model = write_tiny_model(tmp_path)
    return ["catalog", "build", tmp_path / "shop", "--model", model, "-o", tmp_path / "out", "--json"]


def test_built_again_it_says_what_was_changed_and_why_not(
    shop: list[str | Path], command: Command, tmp_path: Path
) -> None:
    first = json.loads(command(*shop).out)
    assert (first["updated"], first["rebuilt_because"], first["added"]) == (False, "there was none", 6)
    again = json.loads(command(*shop).out)
    assert (again["updated"], again["rebuilt_because"], again["kept"]) == (True, "", 6)
    assert again["release"] == first["release"]
    cv2.imwrite(str(tmp_path / "shop" / "sku-1" / "0.png"), drawn_picture(50))
    changed = json.loads(command(*shop).out)
    assert (changed["replaced"], changed["kept"], changed["removed"]) == (1, 5, 0)
    anew = command(*shop[:-1], "--rebuild")
    assert "rebuilt (asked for): 6 references added, 0 removed, 0 replaced, 0 kept" in anew.out
    assert "updated: 0 references added" in command(*shop[:-1]).out


def test_thumbnails_are_there_unless_they_are_left_out(
    shop: list[str | Path], command: Command, tmp_path: Path
) -> None:
    command(*shop)
    assert list((tmp_path / "out").glob("thumbnails-*.db"))
    command(*shop, "--no-thumbnails")
    assert not list((tmp_path / "out").glob("thumbnails-*.db"))


def test_the_cache_is_where_it_is_told_to_be(
    shop: list[str | Path], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    command(*shop, "--no-cache")
    assert not list(tmp_path.rglob(CACHE_NAME))
    command(*shop, "--cache", tmp_path / "mine")
    assert list(tmp_path.rglob(CACHE_NAME)) == [tmp_path / "mine" / CACHE_NAME]
    command(*shop)
    assert (tmp_path / "xdg" / "spotter" / CACHE_NAME).exists()
    for unusable in ("relative/path", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        command(*shop)
    assert (tmp_path / "home" / ".cache" / "spotter" / CACHE_NAME).exists()


def test_a_cache_that_cannot_be_used_is_a_warning(
    shop: list[str | Path], command: Command, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = command(*shop, "--cache", tmp_path / "file")
    assert done.code == 0
    assert json.loads(done.out)["warnings"] == 1
    assert done.lines == [f"warning: {tmp_path / 'file' / CACHE_NAME}: the cache is not used: File exists"]
