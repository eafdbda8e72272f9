"""`spotter bench` measures what it says, on a real model; the figures themselves are nobody's promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.road import ROOT, spotter
from tests.support.tiny_models import write_tiny_model

STAGES = {"invoke", "embed", "search", "change test", "step", "quiet"}


def test_it_gives_every_figure(tmp_path: Path) -> None:
    done = spotter("bench", "--model", str(write_tiny_model(tmp_path)), "--rounds", "3", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result["stage_us"]) == STAGES
    assert set(result["search_us"]) == {"1000", "10000"}
    assert result["step_over_invoke"] > 1
    assert 0 < result["quiet_over_busy"] < 1
    assert result["rss_mb"] > 20
    assert result["cold_start_s"] > 0


def test_it_can_be_read_by_a_person(tmp_path: Path) -> None:
    done = spotter("bench", "--model", str(write_tiny_model(tmp_path)), "--rounds", "3")
    assert done.returncode == 0, done.stderr
    for stage in STAGES:
        assert stage in done.stdout


def test_the_command_line_starts_without_what_it_measures() -> None:
    code = "import sys, agent.cli.main; print([m for m in ('numpy', 'cv2', 'agent.benching') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
