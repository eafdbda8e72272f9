"""One camera's loop: truth about its state, back-off, and an end where there is one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from agent.adapters.camera import CameraSettings, open_camera
from agent.adapters.system import SystemClock
from agent.capturing import Capture, Lost, follow
from agent.channel import Latest
from agent.core.clock import Backoff
from agent.core.errors import ConfigError, DeviceError
from agent.core.types import Frame
from agent.metrics import Metrics
from tests.support.clock import ManualClock
from tests.support.pictures import write_pictures
from tests.support.road import until

PICTURE = np.zeros((4, 4, 3), np.uint8)


class Drained(Latest[Frame | Lost]):
    """A mailbox whose reader is always there; keeps what was put, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[Frame | Lost] = []

    def put(self, key: str, value: Frame | Lost, wait_s: float = 0.0) -> bool:
        self.read.append(value)
        return True


@dataclass
class Script:
    """A source for each time the camera is opened: so many frames, then an error or the end."""

    clock: ManualClock
    acts: list[tuple[int, Exception | None]]
    waits: bool = False
    opened_at: list[float] = field(default_factory=list)

    def open(self, _clock: object) -> Script:
        return self

    def frames(self) -> Iterator[Frame]:
        self.opened_at.append(self.clock.at)
        count, error = self.acts.pop(0)
        for seq in range(count):
            yield Frame("cam", seq, self.clock.at, self.clock.utc(), PICTURE)
        if error is None:
            return
        if not self.acts:
            self.clock.stop()
        raise error


def run(*acts: tuple[int, Exception | None]) -> tuple[list[tuple[str, str]], Drained, Script]:
    clock = ManualClock()
    script = Script(clock, list(acts))
    said: list[tuple[str, str]] = []
    box = Drained()
    Capture(
        "cam", 2.0, script.open, box, lambda _c, state, why: said.append((state, why)), clock,
        Backoff(first_s=0.5, limit_s=8.0), Metrics(),
    ).run()  # fmt: skip
    return said, box, script


def test_a_finite_source_ends_and_says_so() -> None:
    said, box, _ = run((3, None))
    assert said == [("online", ""), ("offline", "the source has ended")]
    assert [type(item).__name__ for item in box.read] == ["Frame"] * 3 + ["Lost"]


def test_every_loss_is_told_with_its_reason_and_the_return_too() -> None:
    said, _, _ = run((2, DeviceError("cable pulled")), (1, DeviceError("cable pulled again")))
    assert said == [
        ("online", ""), ("offline", "cable pulled"), ("online", ""), ("offline", "cable pulled again"),
        ("offline", "the agent was stopped"),
    ]  # fmt: skip


def test_the_wait_grows_while_nothing_comes_and_starts_small_after_a_picture() -> None:
    gone = DeviceError("no route")
    _, _, script = run((0, gone), (0, gone), (0, gone), (0, gone), (1, gone), (0, gone))
    gaps = np.diff(script.opened_at)
    assert all(nominal / 2 <= gap <= nominal for gap, nominal in zip(gaps, [1, 2, 4, 8, 0.5], strict=True)), (
        gaps
    )


def test_a_source_that_is_configured_wrongly_is_said_and_tried_rarely() -> None:
    said, _, script = run((0, ConfigError("source: expected …, found 'x'")), (0, DeviceError("end")))
    assert said[0] == ("offline", "source: expected …, found 'x'")
    assert np.diff(script.opened_at)[0] >= 4.0


def test_the_first_frame_after_a_loss_starts_a_new_scene() -> None:
    _, box, _ = run((2, DeviceError("a")), (2, DeviceError("b")))
    cuts = [item.cut if isinstance(item, Frame) else "lost" for item in box.read]
    assert cuts == [True, False, "lost", True, False], "at the end of the process nobody needs to be told"


def test_a_loop_that_hangs_is_called_stalled_from_outside() -> None:
    clock = ManualClock()
    said: list[tuple[str, str]] = []
    capture: Capture

    class Hanging:
        waits = False

        def frames(self) -> Iterator[Frame]:
            yield Frame("cam", 0, clock.at, clock.utc(), PICTURE)
            clock.at += 4.0
            capture.look_for_stall()
            assert said == [("online", "")], "not yet"
            clock.at += 2.0
            capture.look_for_stall()
            capture.look_for_stall()
            yield Frame("cam", 1, clock.at, clock.utc(), PICTURE)

    capture = Capture(
        "cam",
        2.0,
        lambda _clock: Hanging(),
        Drained(),
        lambda _c, state, why: said.append((state, why)),
        clock,
        Backoff(),
        Metrics(),
    )
    capture.run()
    assert [state for state, _ in said] == ["online", "stalled", "online", "offline"]
    assert said[1][1] == "no picture for more than 5 s"


def test_a_stopped_capture_passes_nothing_on_and_says_nothing() -> None:
    clock = ManualClock()
    said: list[str] = []
    script = Script(clock, [(5, None)])
    box = Drained()
    capture = Capture("cam", 2.0, script.open, box, lambda *_: said.append("x"), clock, Backoff(), Metrics())
    capture.stop()
    capture.run()
    assert (said, box.read) == ([], [])


def test_a_cut_or_a_loss_that_nobody_saw_is_still_a_cut() -> None:
    def shown(seq: int, cut: bool = False) -> Frame:
        return Frame("cam", seq, float(seq), float(seq), PICTURE, cut=cut)

    stories = {
        "a cut": [shown(0, cut=True), shown(1), shown(2)],
        "a loss": [shown(0), Lost("cam", 0.0, 0.0), shown(1), shown(2)],
    }
    for name, items in stories.items():
        box: Latest[Frame | Lost] = Latest(follow)
        for item in items:
            box.put("cam", item)
        taken = box.take(0.0)
        assert taken is not None
        assert isinstance(taken[1], Frame)
        assert (taken[1].seq, taken[1].cut) == (2, True), name


def test_a_folder_that_waits_for_pictures_is_not_stalled_and_stops_when_told(tmp_path: Path) -> None:
    write_pictures(tmp_path, range(2))
    clock = SystemClock()
    said: list[str] = []
    settings = CameraSettings(id="cam", source=f"folder:{tmp_path}", fps=0, watch=True)
    box = Drained()
    capture = Capture(
        "cam",
        0,
        partial(open_camera, settings),
        box,
        lambda _c, state, _w: said.append(state),
        clock,
        Backoff(),
        Metrics(),
    )
    thread = threading.Thread(target=capture.run)
    thread.start()
    until(lambda: len(box.read) == 2, 10)
    capture._last_at -= 1000.0
    capture.look_for_stall()
    assert said == ["online"], "there is nothing new to see, and that is all"
    capture.stop()
    thread.join(5.0)
    assert not thread.is_alive()
    assert said == ["online"]
