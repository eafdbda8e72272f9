"""Decisions are noted where they are made, and reach the disk when they are settled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.core.errors import InputError
from agent.core.review import Answer, Kind, ReviewSettings
from agent.core.types import Frame, Phase, Verdict
from agent.memory import DeviceMemory
from agent.nothing import Nothing
from agent.reviewing import FOLDER, FOLLOWED, SETTLED_S, TAKEN_S, Reviews, kept
from tests.core.test_review import told
from tests.support.clock import ManualClock
from tests.support.pictures import scene

LOOK = Frame("bay-4", 0, 0.0, 100.0, cv2.resize(scene(1), (1600, 1200)))


class Device:
    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.problems: list[str] = []
        memory = DeviceMemory(Nothing(), None, 8, "model")
        chosen = ReviewSettings(**{"keep": 50, "sample": 0, **settings})  # type: ignore[arg-type]
        self.reviews = Reviews(chosen, folder, lambda: memory, self.problems.append, self.clock)

    def note(
        self, verdict: Verdict, phase: Phase = Phase.NEW, track: str = "a", *, seen: bool = True
    ) -> None:
        recognition = told(verdict, track=track, phase=phase, at=self.clock.monotonic())
        self.reviews.note([replace(recognition, utc=self.clock.utc())], LOOK if seen else None)

    def after(self, seconds: float) -> list[tuple[Kind, bool]]:
        self.clock.at += seconds
        self.reviews.tend()
        return [(each.kind, bool(each.picture)) for each in kept(self.folder)]


def test_off_by_default_nothing_is_kept_and_nothing_is_made(tmp_path: Path) -> None:
    device = Device(tmp_path, keep=ReviewSettings().keep, pictures=True)
    device.note(Verdict.UNKNOWN)
    device.note(Verdict.UNKNOWN, Phase.END)
    assert device.after(60) == []
    device.reviews.close()
    assert not (tmp_path / FOLDER).exists()
    with pytest.raises(InputError, match=r"review\.keep"):
        device.reviews.listed(answered=False, limit=1)


def test_without_the_operators_word_no_picture_is_kept(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.note(Verdict.UNKNOWN)
    device.note(Verdict.UNKNOWN, Phase.END, seen=False)
    assert device.after(TAKEN_S) == [(Kind.UNKNOWN, False)]
    assert list((tmp_path / FOLDER / "pictures").iterdir()) == []


def test_an_answer_that_changes_at_once_is_not_a_hard_case(tmp_path: Path) -> None:
    device = Device(tmp_path, pictures=True)
    device.note(Verdict.AMBIGUOUS)
    assert device.after(TAKEN_S) == []
    device.note(Verdict.KNOWN, Phase.UPDATE)
    assert device.after(SETTLED_S * 3) == []
    device.note(Verdict.AMBIGUOUS, Phase.UPDATE)
    assert device.after(SETTLED_S * 3) == [(Kind.AMBIGUOUS, True)], "though the track goes on"
    device.note(Verdict.KNOWN, Phase.END, seen=False)
    assert device.after(TAKEN_S) == [], "it was sure in the end"
    assert device.problems[-1] == ""


def test_the_picture_is_the_part_that_was_decided_about_and_small(tmp_path: Path) -> None:
    device = Device(tmp_path, pictures=True)
    device.note(Verdict.UNKNOWN)
    device.note(Verdict.UNKNOWN, Phase.END, seen=False)
    assert device.after(TAKEN_S) == [(Kind.UNKNOWN, True)]
    (one,), counts = device.reviews.listed(answered=False, limit=9)
    picture = cv2.imdecode(np.frombuffer(device.reviews.picture(one), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[:2] == (48, 64)  # the box of `told`
    assert counts[Answer.OPEN] == 1


def test_a_sure_answer_takes_no_time_for_a_picture(tmp_path: Path) -> None:
    device = Device(tmp_path, pictures=True, sample=0.5)
    for number in range(40):
        device.note(Verdict.KNOWN, track=f"{number}")
    held = [bool(picture) for _, picture in device.reviews._following.values()]
    assert 5 < held.count(True) < 35
    device.reviews.close()
    assert [bool(each.picture) for each in kept(tmp_path)] == [True] * held.count(True)


def test_what_was_noted_last_is_kept_when_the_device_stops(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.note(Verdict.UNKNOWN)
    device.reviews.close()
    assert [each.kind for each in kept(tmp_path)] == [Kind.UNKNOWN]


def test_a_flood_is_bounded(tmp_path: Path) -> None:
    device = Device(tmp_path)
    for number in range(FOLLOWED + 3):
        device.note(Verdict.UNKNOWN, track=str(number))
    assert len(device.after(TAKEN_S)) == 3, "the oldest are taken as they are"
    assert len(device.after(SETTLED_S * 2)) == 50


def test_a_disk_that_fails_is_said_and_tried_again(tmp_path: Path) -> None:
    device = Device(tmp_path)
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    device.note(Verdict.UNKNOWN, Phase.END)
    device.clock.at += TAKEN_S
    device.reviews.tend()
    assert str(tmp_path / FOLDER) in device.problems[-1]
    (tmp_path / FOLDER).unlink()
    assert device.after(TAKEN_S) == [(Kind.UNKNOWN, False)]
    assert device.problems[-1] == ""


def test_a_file_that_is_damaged_while_it_is_used_is_set_aside(tmp_path: Path) -> None:
    device = Device(tmp_path)
    for number in range(40):
        device.note(Verdict.UNKNOWN, Phase.END, track=f"before {number}")
    device.after(TAKEN_S)
    path = tmp_path / FOLDER / "review.db"
    path.with_name("review.db-wal").write_bytes(b"")
    path.write_bytes(b"\0" * path.stat().st_size)
    for number in range(3):
        device.note(Verdict.UNKNOWN, Phase.END, track=f"after {number}")
        device.clock.at += TAKEN_S
        device.reviews.tend()
    assert "set aside" in device.problems[-1]
    assert device.after(TAKEN_S)
