"""`spotter planogram accept` where no daemon runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli import planogram_learn
from agent.cli.main import main

CONFIG = """
site: shop
device: dev-1
state_dir: {state}
model: {{file: /models/base.tflite}}
catalogue: {{path: /nowhere}}
cameras: [{{id: bay, source: /dev/video0}}]
"""


def test_without_a_daemon_nothing_is_left_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planogram_learn, "ANSWER_S", 0.3)
    state, config = tmp_path / "state", tmp_path / "spotter.yaml"
    state.mkdir()
    config.write_text(CONFIG.format(state=state))
    assert main(["planogram", "accept", "-c", str(config)]) == 1
    assert (
        f"expected a running daemon with the state directory {state}, found none" in capsys.readouterr().err
    )
    assert list(state.iterdir()) == []
