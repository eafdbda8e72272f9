"""The recognise loop: facts are durable before anything else, and a disk that refuses loses none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.adapters.outbox import Outbox
from agent.apps.watch import Watch
from agent.capturing import Lost
from agent.channel import Latest
from agent.core.changes import ChangeSettings
from agent.core.errors import DeviceError
from agent.core.evidence import DecisionSettings
from agent.core.regions import RegionSettings, SlotSettings
from agent.core.tracking import TrackingSettings
from agent.core.types import Frame, Message
from agent.core.wire import Wire
from agent.metrics import Metrics
from agent.parts import load_eyes_from
from agent.pipeline import Pipeline
from agent.recognising import UNSAVED_LIMIT, Recogniser
from agent.viewing import CameraPlan
from tests.support.clock import ManualClock
from tests.support.road import Road, picture


class FullDisk(Outbox):
    """The real outbox on a disk that refuses while `full`."""

    full = False

    def put(self, messages: Sequence[Message]) -> None:
        if self.full:
            raise DeviceError("outbox.db: no space left on device")
        super().put(messages)


class Setting:
    """A recogniser with everything real around it but time, and the mailbox filled by hand."""

    def __init__(self, road: Road, folder: Path) -> None:
        self.road = road
        self.clock = ManualClock()
        self.outbox = FullDisk(folder / "outbox.db")
        self.mailbox: Latest[Frame | Lost] = Latest()
        self.metrics = Metrics()
        self.fed = self.woken = 0
        self.said: list[tuple[str, str]] = []
        self.recogniser = Recogniser(
            self.pipeline(RegionSettings()), ["cam"], Watch(), self.mailbox, self.outbox,
            Wire("spotter", "site", "dev").event, self._say, self._wake, self._feed, self.clock, self.metrics,
        )  # fmt: skip
        self.seq = 0

    def pipeline(self, where: RegionSettings) -> Pipeline:
        eyes, catalogue = load_eyes_from(str(self.road.model), str(self.road.catalogue))
        plan = {"cam": CameraPlan(where, ChangeSettings())}
        return Pipeline(eyes, catalogue, plan, DecisionSettings(looks=1, window=1), TrackingSettings())

    def _say(self, _camera: str, state: str, reason: str) -> None:
        self.said.append((state, reason))

    def _wake(self) -> None:
        self.woken += 1

    def _feed(self) -> None:
        self.fed += 1

    def show(self, *products: int) -> None:
        """Each product in a frame of its own, taken in one by one; then the process is asked to stop."""
        for product in products:
            self.seq += 1
            frame = Frame(
                "cam", self.seq, self.clock.at, self.clock.utc(), picture(product, self.seq), cut=True
            )
            self.recogniser._handle(frame)
            self.clock.at += 1.0

    def finish(self) -> None:
        self.clock.stop()
        self.recogniser.run(1.0)

    def stored(self) -> list[tuple[str, str | None]]:
        self.outbox.sync()  # only what survives a power cut is handed out
        payloads = [json.loads(item.message.payload) for item in self.outbox.pending(limit=10_000)]
        return [(payload["phase"], payload["sku"]) for payload in payloads]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    made = Road(tmp_path_factory.mktemp("recognising"))
    made.build()
    return made


@pytest.fixture
def setting(road: Road, tmp_path: Path) -> Setting:
    return Setting(road, tmp_path)


def test_what_is_decided_is_in_the_outbox_and_the_publisher_is_woken(setting: Setting) -> None:
    setting.show(3, 4)
    assert setting.stored() == [("new", "sku-03"), ("end", "sku-03"), ("new", "sku-04")]
    assert setting.woken == 2
    assert setting.metrics.snapshot()["facts.decided"] == 3


def test_the_end_of_the_process_ends_what_is_seen_after_the_mailbox_is_empty(setting: Setting) -> None:
    setting.mailbox.put("cam", Frame("cam", 0, 1.0, 1.0, picture(5, 1)))
    setting.finish()
    assert setting.stored() == [("new", "sku-05"), ("end", "sku-05")]
    assert setting.fed >= 1, "the watchdog is fed by this loop"


def test_facts_wait_in_memory_while_the_disk_refuses_and_none_is_lost(setting: Setting) -> None:
    setting.outbox.full = True
    setting.show(1, 2, 3)
    assert setting.stored() == []
    setting.outbox.full = False
    setting.show(4)
    assert [sku for phase, sku in setting.stored() if phase == "new"] == [
        "sku-01",
        "sku-02",
        "sku-03",
        "sku-04",
    ]
    assert "facts.lost" not in setting.metrics.snapshot()


def test_beyond_its_bound_the_oldest_go_and_are_counted(setting: Setting) -> None:
    setting.outbox.full = True
    messages = [Message("t", b"{}", str(number), 0.0) for number in range(UNSAVED_LIMIT + 7)]
    setting.recogniser._save(messages)
    assert setting.metrics.snapshot()["facts.lost"] == 7


def test_a_lost_camera_ends_its_tracks(setting: Setting) -> None:
    setting.show(6)
    setting.recogniser._handle(Lost("cam", 5.0, 5.0))
    assert setting.stored() == [("new", "sku-06"), ("end", "sku-06")]


def test_regions_that_do_not_fit_refuse_the_picture_and_the_status_says_so(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    far = RegionSettings(mode="slots", slots=(SlotSettings(name="far", box=(5000, 0, 5100, 100)),))
    setting.recogniser._switch(setting.pipeline(far), ("cam",))
    setting.show(1, 2)
    assert setting.metrics.snapshot()["frames.refused.cam"] == 2
    assert [r.levelname for r in caplog.records if "far" in r.message] == ["ERROR"], "said once"
    assert [state for state, _ in setting.said] == ["stalled"]
    assert "far" in setting.said[0][1]


def test_a_fact_that_is_too_large_is_lost_alone_and_said(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    large = Message("spotter/site/dev/cam/recognition", b"x" * 200_000, "large", 0.0)
    setting.recogniser._save([large])
    setting.show(2)
    assert setting.stored() == [("new", "sku-02")]
    assert setting.metrics.snapshot()["facts.lost"] == 1
    assert [r.levelname for r in caplog.records if "a fact is lost" in r.message] == ["ERROR"]


def test_another_pipeline_takes_over_between_two_frames(setting: Setting) -> None:
    setting.show(1)
    setting.recogniser.replace(setting.pipeline(RegionSettings(mode="centre", centre=0.9)), ["cam"])
    setting.finish()
    assert setting.stored() == [("new", "sku-01"), ("end", "sku-01")]


def test_a_frame_of_a_camera_that_was_taken_out_is_ignored(setting: Setting) -> None:
    setting.recogniser._handle(Frame("gone", 0, 1.0, 1.0, picture(1, 1)))
    assert setting.stored() == []
