"""Planograms of a site go into a release and come out of it, or are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.config import parse_config
from agent.core.errors import CatalogueError, ConfigError, InputError
from agent.planograms import gather_site, site_planogram

PLAN = "bay: cereals\nslots:\n  - {name: a1, sku: oats, box: [0, 0, 50, 50], facings: 2}\n"
CONFIG = """
site: shop
device: dev-1
state_dir: {state}
model: {{file: /models/base.tflite}}
sync: {{url: "https://head.example.com", root: /etc/root.json}}
cameras:
  - id: bay
    source: /dev/video0
    shelf: {{planogram: "{planogram}"{more}}}
"""


def test_what_is_gathered_is_what_a_device_finds(tmp_path: Path) -> None:
    (tmp_path / "bay-4.yaml").write_text(PLAN)
    (tmp_path / "bay-5.yaml").write_text(PLAN.replace("oats", "rye"))
    data = gather_site(tmp_path)
    assert site_planogram(data, "bay-4", "release").expected == {"a1/1": "oats", "a1/2": "oats"}
    assert site_planogram(data, "bay-5", "release").slots[0].sku == "rye"
    assert gather_site(tmp_path) == data, "the same files give the same release"
    with pytest.raises(CatalogueError, match="release: expected planogram 'bay-6', found 'bay-4', 'bay-5'"):
        site_planogram(data, "bay-6", "release")


def test_head_office_is_told_which_file_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected planograms, NAME\.yaml, found none"):
        gather_site(tmp_path)
    (tmp_path / "bay-4.yaml").write_text(PLAN + "depth: 3\n")
    with pytest.raises(ConfigError, match=r"bay-4.yaml:4: depth: unknown key 'depth'"):
        gather_site(tmp_path)


def test_no_more_is_gathered_than_devices_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bay-4.yaml").write_text(PLAN)
    size = len(gather_site(tmp_path))
    monkeypatch.setattr("agent.planograms.PLANOGRAMS_LIMIT_BYTES", size)
    assert len(gather_site(tmp_path)) == size
    (tmp_path / "bay-5.yaml").write_text(PLAN)
    with pytest.raises(InputError, match=rf"at most {size} bytes together, found 2 of \d+"):
        gather_site(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"schema": 2, "planograms": {}}',
        b'{"schema": 1}',
        b'{"schema": 1, "planograms": []}',
        b'{"schema": 1, "planograms": {"bay": 3}}',
        b'{"schema": 1, "planograms": {"bay": {"slots": []}}}',
        json.dumps({"schema": 1, "planograms": {"bay": {"slots": [{"name": "a"}]}}}).encode(),
    ],
)
def test_what_is_no_planogram_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^release: "):
        site_planogram(data, "bay", "release")


def test_until_there_is_a_release_the_plan_beside_it_holds(tmp_path: Path) -> None:
    def shelf_of(more: str) -> object:
        text = CONFIG.format(state=tmp_path, planogram="release:bay-4", more=more)
        shelf = parse_config(text.encode(), "f.yaml", {}).cameras[0].shelf
        assert shelf is not None
        assert shelf.of_release == "bay-4"
        return shelf.plan

    assert shelf_of("") is None
    assert shelf_of(", plan: {slots: [{name: a, sku: b, box: [0, 0, 9, 9]}]}") is not None


def test_a_release_without_a_name_is_refused(tmp_path: Path) -> None:
    text = CONFIG.format(state=tmp_path, planogram="release:", more="")
    with pytest.raises(ConfigError, match="planogram: expected a name behind release:, found none"):
        parse_config(text.encode(), "f.yaml", {})
