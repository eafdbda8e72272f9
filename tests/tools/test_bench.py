"""The measurements that people run do run, and print one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.road import ROOT
from tests.support.tiny_models import write_tiny_model


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.bench", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_without_a_name_it_lists_what_there_is() -> None:
    done = bench()
    assert done.returncode == 2
    assert "startup      How long a device takes" in done.stderr


def test_startup(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    done = bench("startup", "--model", str(model), "--references", "50", "--starts", "1")
    figures = json.loads(done.stdout)
    assert figures["ready_s"]["median"] <= figures["first_recognition_s"]["median"]
    assert {"imports_ms", "model_ms", "model_and_catalogue_ms", "sync_ms"} <= figures["parts"].keys()


def test_overlay() -> None:
    done = bench("overlay", "--references", "500", "--dimension", "16", "--learned", "20", "--seconds", "0.1")
    figures = json.loads(done.stdout)
    assert figures["added"]["times"] > 0
    assert figures["forgotten"]["visible_ms"].keys() == {"p50", "p99", "max"}
    assert figures["search"].keys() >= {"quiet_median_us", "busy_p50_ratio", "busy_p99_ratio"}


def test_switch(tmp_path: Path) -> None:
    model, other = write_tiny_model(tmp_path), write_tiny_model(tmp_path, cells=8, name="other")
    done = bench(
        "switch", "--model", str(model), "--other", str(other), "--references", "50", "--switches", "2"
    )
    figures = json.loads(done.stdout)
    for which in ("same_model", "another_model"):
        assert figures[which].keys() >= {"dropped_switching", "pause_over_interval", "trial_ms", "open_ms"}


def test_second_look(tmp_path: Path) -> None:
    model = str(ROOT / "models" / "small.tflite")
    done = bench("second_look", "--model", model, "--products", "8", "--held", "1")
    figures = json.loads(done.stdout)["flavours"]
    assert figures["products"] == figures["queries"] == 8
    assert figures["cpu_ms"].keys() == {"p50", "p95"}
    assert figures["closer_looks"] <= 8
