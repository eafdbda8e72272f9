"""The measurements behind `spotter bench` are taken of the real parts; none is judged by its speed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agent.adapters.embedder import EmbedderSettings
from agent.benching import measure
from tests.support.road import ROOT
from tests.support.tiny_models import write_tiny_model


def test_every_figure_is_a_positive_number(tmp_path: Path) -> None:
    result = measure(EmbedderSettings(file=str(write_tiny_model(tmp_path))), 3, (100, 500))
    assert set(result["stage_us"]) == {"invoke", "embed", "search", "change test", "step", "quiet"}
    assert set(result["search_us"]) == {"100", "500"}
    ratios = [result["step_over_invoke"], result["quiet_over_busy"]]
    rest = [result["rss_mb"], result["cold_start_s"]]
    assert min(*result["stage_us"].values(), *result["search_us"].values(), *ratios, *rest) > 0


def test_the_command_line_starts_without_what_it_measures() -> None:
    code = "import sys, agent.cli.main; sys.exit(str([m for m in ('numpy', 'cv2', 'agent.benching') if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "[]\n"
