"""The recognise loop: what is seen becomes facts in the outbox, and what cannot be used is said."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from agent.adapters.outbox import Outbox
from agent.apps.watch import Watch, told
from agent.capturing import Lost
from agent.channel import Latest
from agent.core.changes import ChangeSettings
from agent.core.errors import InputError
from agent.core.evidence import DecisionSettings
from agent.core.regions import FixedRegions, RegionSettings, SlotSettings
from agent.core.scene import Scene
from agent.core.tracking import TrackingSettings
from agent.core.types import Event, Frame
from agent.core.wire import Wire
from agent.metrics import Metrics
from agent.parts import load_eyes_from
from agent.pipeline import Pipeline
from agent.recognising import Recogniser
from agent.viewing import CameraPlan
from tests.support.clock import ManualClock
from tests.support.road import Road, picture


class Setting:
    """A recogniser with everything real around it but time, and the mailbox filled by hand."""

    def __init__(self, road: Road, folder: Path) -> None:
        self.road = road
        self.clock = ManualClock()
        self.outbox = Outbox(folder / "outbox.db")
        self.mailbox: Latest[Frame | Lost] = Latest()
        self.metrics = Metrics()
        self.fed = 0
        self.said: list[tuple[str, str]] = []
        self.recogniser = Recogniser(
            self.pipeline(RegionSettings()), {"cam": Watch()}, self.mailbox, self.outbox,
            Wire("spotter", "site", "dev").event, self._say, self._feed, self.clock, self.metrics,
        )  # fmt: skip
        self.seq = 0

    def pipeline(self, where: RegionSettings) -> Pipeline:
        eyes, catalogue = load_eyes_from(str(self.road.model), str(self.road.catalogue))
        plan = {"cam": CameraPlan(FixedRegions(where), ChangeSettings())}
        return Pipeline(eyes, catalogue, plan, DecisionSettings(looks=1, window=1), TrackingSettings())

    def _say(self, _camera: str, state: str, reason: str) -> None:
        self.said.append((state, reason))

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


def test_what_is_decided_is_in_the_outbox(setting: Setting) -> None:
    setting.show(3, 4)
    assert setting.stored() == [("new", "sku-03"), ("end", "sku-03"), ("new", "sku-04")]
    assert setting.metrics.snapshot()["facts.decided"] == 3


def test_the_end_of_the_process_ends_what_is_seen_after_the_mailbox_is_empty(setting: Setting) -> None:
    setting.mailbox.put("cam", Frame("cam", 0, 1.0, 1.0, picture(5, 1)))
    setting.finish()
    assert setting.stored() == [("new", "sku-05"), ("end", "sku-05")]
    assert setting.fed >= 1, "the watchdog is fed by this loop"


def test_a_lost_camera_ends_its_tracks(setting: Setting) -> None:
    setting.show(6)
    setting.recogniser._handle(Lost("cam", 5.0, 5.0))
    assert setting.stored() == [("new", "sku-06"), ("end", "sku-06")]


def test_regions_that_do_not_fit_refuse_the_picture_and_the_status_says_so(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    far = RegionSettings(mode="slots", slots=(SlotSettings(name="far", box=(5000, 0, 5100, 100)),))
    setting.recogniser._switch(setting.pipeline(far), {"cam": Watch()})
    setting.show(1, 2)
    assert setting.metrics.snapshot()["frames.refused.cam"] == 2
    assert [r.levelname for r in caplog.records if "far" in r.message] == ["ERROR"], "said once"
    assert [state for state, _ in setting.said] == ["stalled"]
    assert "far" in setting.said[0][1]


def test_another_pipeline_takes_over_between_two_frames(setting: Setting) -> None:
    setting.show(1)
    setting.recogniser.replace(setting.pipeline(RegionSettings(mode="centre", centre=0.9)), {"cam": Watch()})
    setting.finish()
    assert setting.stored() == [("new", "sku-01"), ("end", "sku-01")]


def test_a_frame_of_a_camera_that_was_taken_out_is_ignored(setting: Setting) -> None:
    setting.recogniser._handle(Frame("gone", 0, 1.0, 1.0, picture(1, 1)))
    assert setting.stored() == []


class Bell:
    """An application that says what it was asked to, and counts the scenes it was given."""

    def __init__(self) -> None:
        self.scenes: list[Scene] = []
        self.rung = 0

    def update(self, scene: Scene) -> tuple[Event, ...]:
        self.scenes.append(scene)
        return told(scene)

    def kept(self) -> dict[str, int]:
        return {"rung": self.rung}

    def ring(self, at: float, utc: float) -> tuple[int, tuple[Event, ...]]:
        if self.rung == 2:
            raise InputError("bell: expected two times at most, found a third")
        self.rung += 1
        return self.rung, ()


def test_an_application_is_given_every_frame_and_the_end(setting: Setting) -> None:
    bell = Bell()
    setting.recogniser._switch(setting.pipeline(RegionSettings()), {"cam": bell})
    setting.show(3, 3)
    setting.recogniser._handle(Lost("cam", 5.0, 5.0))
    frames = [scene.frame is not None for scene in bell.scenes]
    assert frames == [True, True, False]
    assert [len(scene.tracks) for scene in bell.scenes] == [1, 1, 0]
    assert setting.recogniser.kept == {"cam": {"rung": 0}}


def test_an_application_is_asked_between_two_frames(setting: Setting) -> None:
    bell = Bell()
    setting.recogniser._switch(setting.pipeline(RegionSettings()), {"cam": bell})
    loop = threading.Thread(target=setting.recogniser.run, args=(10.0,))
    loop.start()
    try:
        ring = Bell.ring
        assert [setting.recogniser.ask("cam", ring) for _ in range(2)] == [1, 2]
        with pytest.raises(InputError, match="found a third"):
            setting.recogniser.ask("cam", ring)
        with pytest.raises(InputError, match=r"camera: expected one of cam, found 'door'"):
            setting.recogniser.ask("door", ring)
    finally:
        setting.clock.stop()
        setting.mailbox.wake()
        loop.join()
