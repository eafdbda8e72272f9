"""`spotter planogram import` writes what the daemon reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli.main import main
from agent.planograms import read_planogram
from tests.core.test_planogram_import import AZURE


def test_an_imported_planogram_is_one_that_the_daemon_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "plan.json", tmp_path / "plan.yaml"
    source.write_text(json.dumps(AZURE))
    corners = ["40,60", "1240,70", "1230,690", "45,680"]
    assert main(["planogram", "import", str(source), "-o", str(target), "--points", *corners]) == 0
    assert "3 slots" in capsys.readouterr().err
    plan = read_planogram(target, {})
    assert [slot.name for slot in plan.slots] == ["p1", "p3", "p4"]
    assert len(plan.cells(1280, 720)) == 4


def test_slots_that_cannot_be_are_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "plan.csv", tmp_path / "plan.yaml"
    source.write_text("slot,sku,x1,y1,x2,y2\na1,1,0,0,100,100\na2,2,10,10,90,90\n")
    assert main(["planogram", "import", str(source), "-o", str(target)]) == 78
    assert "slot 'a1' and slot 'a2': expected at most 20 %" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan.txt"], "FILE: expected a .json or .csv file"),
        (["plan.csv", "--points", "1,2", "3,4", "5", "7,8"], "--points: expected X,Y in pixels, found '5'"),
        (
            ["plan.csv", "--points", "1,2", "3,4", "5,6", "7,8"],
            "--points: expected for a planogram in centimetres",
        ),
    ],
)
def test_usage(tmp_path: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.csv").write_text("slot,sku,x1,y1,x2,y2\na1,1,0,0,100,100\n")
    name, *rest = arguments
    command = ["planogram", "import", str(tmp_path / name), "-o", str(tmp_path / "plan.yaml"), *rest]
    assert main(command) == 2
    assert says in capsys.readouterr().err
