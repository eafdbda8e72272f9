"""One device with model, catalogue and configuration, and the command line called as the shell calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cli.main import main
from tests.support.road import ONE_LOOK, Road, photos_camera
from tests.support.tflite_note import without_note


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed, TFLite's own greeting left out."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


Command = Callable[..., Done]


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Three products, one camera that shows a folder of four photos. Tests change nothing in it."""
    road = Road(tmp_path_factory.mktemp("device"))
    road.build(products=3, views=2)
    road.configure(photos_camera(road.draw_photos(count=4), fps=0), decision=ONE_LOOK)
    return road


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """`command("find", …)`: one verb in this process."""

    def call(*arguments: str | Path) -> Done:
        capfd.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as left:  # argparse
            code = int(left.code or 0)
        out, err = capfd.readouterr()
        return Done(code, out, "".join(f"{line}\n" for line in without_note(err)))

    return call
