"""`spotter catalog health` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command
from tests.support.road import Road


def test_says_what_to_photograph(command: Command, device: Road) -> None:
    done = command("catalog", "health", device.catalogue)
    assert done.code == 0
    assert done.out.startswith(f"{device.catalogue}: 3 products, 6 references\n")
    assert "photograph sku-00: only one view: " in done.out


def test_json_and_page_say_the_same(command: Command, device: Road, tmp_path: Path) -> None:
    page = tmp_path / "health.html"
    products = device.folder / "products"
    done = command("catalog", "health", device.catalogue, "--products", products, "--json", "--html", page)
    assert done.code == 0
    found = json.loads(done.out)
    assert [item["views"] for item in found["views"]] == ["one", "one", "one"]
    assert found["files"] == []
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    for item in found["photograph"]:
        assert item["name"] in text


def test_a_page_that_cannot_be_written_is_one_line(command: Command, device: Road, tmp_path: Path) -> None:
    done = command("catalog", "health", device.catalogue, "--html", tmp_path / "none" / "health.html")
    assert (done.code, done.out) == (2, "")
    assert done.lines == [f"spotter: --html: expected a folder that is there, found {tmp_path / 'none'}"]
    done = command("catalog", "health", device.catalogue, "--html", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.lines == [f"spotter: --html: expected a file, found the directory {tmp_path}"]
