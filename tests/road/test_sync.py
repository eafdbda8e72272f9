"""Releases on a running device: the verbs, the switch between two frames, and kill -9 at random moments."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from agent.adapters.catalogue import open_catalogue, read_manifest, write_manifest, write_planograms
from agent.adapters.library import Library
from agent.config import load_config
from agent.core.wire import schemas
from agent.parts import load_eyes_from
from agent.planograms import gather_site
from tests.support.head_office import DIMENSION, FINGERPRINT, HeadOffice, draw_catalogue
from tests.support.live_loop import LiveLoop
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import (
    COLOURS,
    ONE_LOOK,
    Road,
    photos_camera,
    picture,
    recognitions,
    spotter,
    told,
    until,
)
from tests.support.static_host import StaticHost
from tests.support.sync_child import Forker

KILLS = int(os.environ.get("SPOTTER_KILLS", "60"))


class Store:
    """A device, its head office with two releases, and the host between them."""

    def __init__(self, folder: Path, host: StaticHost, broker_port: int) -> None:
        self.host = host
        self.road = Road(folder, broker_port)
        self.road.build()
        self.first = self.road.catalogue
        name = folder / "products" / "sku-99"
        name.mkdir()
        for view in range(3):
            cv2.imwrite(str(name / f"{view}.png"), picture(99, view))
        self.second = folder / "second"
        done = spotter(
            "catalog", "build", str(folder / "products"),
            "--model", str(self.road.model), "-o", str(self.second), "--jobs", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.road.draw_photos()

    def begin(self, state: Path) -> HeadOffice:
        """A new device and a new head office."""
        for name in ("metadata", "targets"):
            shutil.rmtree(self.host.folder / name, ignore_errors=True)
        office = HeadOffice(self.host.folder)
        self.road.state = state
        (state.parent / "root.json").write_bytes(office.root_bytes)
        return office

    def configure(self, *cameras: dict[str, Any], **more: Any) -> None:
        sync = {
            "url": self.host.url,
            "root": str(self.road.state.parent / "root.json"),
            "interval_s": 1,
            **more,
        }
        settings = self.road.settings(*cameras, decision=ONE_LOOK, sync=sync, log={"level": "debug"})
        del settings["catalogue"]
        self.road.config.write_text(json.dumps(settings))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("store")
    (folder / "www").mkdir()
    with StaticHost(folder / "www") as host:
        yield Store(folder, host, broker.port)


def test_the_verbs(store: Store, tmp_path: Path) -> None:
    office = store.begin(tmp_path / "state")
    store.configure(photos_camera(store.road.folder / "photos"))
    config = ("-c", str(store.road.config))

    status = told("status", *config)
    assert (status["release"], status["references"], status["last_sync"]) == (None, 0, None)
    assert "run `spotter sync`" in spotter("check", "-c", str(store.road.config)).stderr
    failed = spotter("sync", *config)
    assert failed.returncode == 1
    assert "expected status 200, found 404" in failed.stderr
    assert "found 404" in told("status", *config)["error"]

    for number, catalogue in enumerate((store.first, store.second), 1):
        release = office.publish(catalogue, number)
        assert told("sync", *config)["result"] == "taken"
        status = told("status", *config)
        assert {"release", "model", "references", "last_sync", "error"} <= set(status)
        assert (status["release"], status["number"], status["error"]) == (release.release, number, None)
    assert status["references"] == 3 * (COLOURS + 1)
    assert told("sync", *config)["result"] == "unchanged"
    assert told("check", *config)["release"] == release.release

    assert told("rollback", *config)["number"] == 1
    assert told("sync", *config)["result"] == "waiting"
    again = spotter("rollback", *config)
    assert again.returncode == 1
    assert "expected a generation before the current one" in again.stderr


def test_verbs_without_sync_in_the_configuration(store: Store, tmp_path: Path) -> None:
    store.road.state = tmp_path / "state"
    store.road.configure(photos_camera(store.road.folder / "photos"))
    config = ("-c", str(store.road.config))
    assert told("status", *config)["references"] == 3 * COLOURS
    for verb in ("sync", "rollback"):
        failed = spotter(verb, *config)
        assert failed.returncode == 78
        assert "sync: expected the server that releases come from" in failed.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_changes_nothing_where_the_daemon_is_another_user(store: Store, tmp_path: Path) -> None:
    office = store.begin(tmp_path / "state")
    store.configure(photos_camera(store.road.folder / "photos"))
    office.publish(store.first, 1)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lock").touch()
    os.chown(tmp_path / "state" / "lock", 12345, 12345)
    for verb in (["sync"], ["rollback"], ["forget", "sku-01"], ["overlay", "clear"]):
        failed = spotter(*verb, "-c", str(store.road.config))
        assert failed.returncode == 1
        assert "expected user 12345 to change" in failed.stderr
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["lock"]
    os.chown(tmp_path / "state" / "lock", 0, 0)
    assert told("sync", "-c", str(store.road.config))["result"] == "taken"


def test_a_running_device_follows_head_office(store: Store, broker: Mosquitto, tmp_path: Path) -> None:
    """It begins with nothing, takes two releases, and follows a rollback, without a restart."""
    import jsonschema

    office = store.begin(tmp_path / "state")
    store.configure(photos_camera(store.road.folder / "photos", loop=True, fps=20))
    with Subscriber(broker.port, "spotter/test/dev-1/#") as heard, store.road.start() as daemon:
        daemon.wait_for("ready")

        def releases() -> list[str | None]:
            return [found["release"] for found in recognitions(heard.heard)]

        def said(topic: str) -> list[dict[str, Any]]:
            return [json.loads(m.payload) for m in heard.heard if m.topic.endswith(topic)]

        until(lambda: None in releases(), 20, daemon.text)
        until(lambda: any("found 404" in index["error"] for index in said("/index")), 20, daemon.text)
        assert {found["verdict"] for found in recognitions(heard.heard)} == {"unknown"}
        for number, catalogue in enumerate((store.first, store.second), 1):
            release = office.publish(catalogue, number).release
            until(lambda release=release: release in releases(), 30, daemon.text)
        done = spotter("rollback", "-c", str(store.road.config))
        assert done.returncode == 0, done.stderr
        first = told("status", "-c", str(store.road.config))["release"]
        until(lambda: releases()[-1] == first, 20, daemon.text)

        until(lambda: "waiting for a newer one" in said("/index")[-1]["note"], 20)
        assert said("/index")[-1]["number"] == 1
        for topic in ("index", "health"):
            for payload in said(f"/{topic}"):
                jsonschema.validate(payload, schemas()[topic])
        assert {"degraded", "ok"} == {payload["state"] for payload in said("/health")}
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()
    wrong = [f for f in recognitions(heard.heard) if f["release"] and f["verdict"] != "known"]
    assert wrong == []


def with_planogram(catalogue: Path, out: Path, slot: str) -> Path:
    """The catalogue, and a planogram of one slot for the shelf `bay-4`."""
    shutil.copytree(catalogue, out)
    plans = out.parent / f"{out.name}-plans"
    plans.mkdir()
    (plans / "bay-4.yaml").write_text(f"slots: [{{name: {slot}, sku: sku-01, box: [0, 0, 90, 90]}}]\n")
    entry = write_planograms(out, gather_site(plans))
    write_manifest(out, replace(read_manifest(out), planograms=entry))
    return out


def test_a_shelf_takes_its_planogram_from_the_release(
    store: Store, broker: Mosquitto, tmp_path: Path
) -> None:
    office = store.begin(tmp_path / "state")
    shelf = {"planogram": "release:bay-4", "dwell_s": 0.5}
    store.configure(photos_camera(store.road.folder / "photos", loop=True, fps=5, shelf=shelf))
    topic = "spotter/test/dev-1/cam/shelf"
    with Subscriber(broker.port, "spotter/test/dev-1/#") as heard, store.road.start() as daemon:
        daemon.wait_for("ready")

        def causes() -> dict[str, str]:
            told = [m.content for m in heard.heard if m.topic.endswith("/health")]
            return {cause["part"]: cause["reason"] for cause in told[-1]["causes"]} if told else {}

        def said(slot: str) -> list[bytes]:
            return [m.payload for m in heard.heard if m.topic == f"{topic}/{slot}"]

        office.publish(store.first, 1)
        until(lambda: "expected planogram 'bay-4'" in causes().get("planogram of cam", ""), 30, daemon.text)
        office.publish(with_planogram(store.first, tmp_path / "a", "a1"), 2)
        until(lambda: said("a1"), 30, daemon.text)
        until(lambda: "planogram of cam" not in causes(), 20, daemon.text)
        office.publish(with_planogram(store.second, tmp_path / "b", "b1"), 3)
        until(lambda: said("b1"), 30, daemon.text)
        until(lambda: said("a1")[-1] == b"", 20, daemon.text)
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()


def test_a_device_whose_note_of_what_is_current_rotted_comes_up_and_says_so(
    store: Store, broker: Mosquitto, tmp_path: Path
) -> None:
    office = store.begin(tmp_path / "state")
    store.configure(photos_camera(store.road.folder / "photos", loop=True, fps=20), interval_s=3600)
    config = ("-c", str(store.road.config))
    for number, catalogue in enumerate((store.first, store.second), 1):
        newest = office.publish(catalogue, number).release
        assert told("sync", *config)["result"] == "taken"
    pointer = tmp_path / "state" / "current"
    good = pointer.read_bytes()
    pointer.write_bytes(good.replace(b'"number": 2', b'"number": 3'))

    with Subscriber(broker.port, "spotter/test/dev-1/#") as heard, store.road.start() as daemon:
        until(lambda: recognitions(heard.heard), 20, daemon.text)
        until(lambda: heard.on("spotter/test/dev-1/health"), 20, daemon.text)
        assert daemon.stop() == 0

    assert {found["release"] for found in recognitions(heard.heard)} == {newest}
    health = json.loads(heard.on("spotter/test/dev-1/health")[-1].payload)
    assert health["state"] == "degraded"
    assert "release 2, the newest that is whole, is used" in str(health["causes"])
    assert pointer.read_bytes() == good
    assert told("sync", *config)["result"] == "unchanged"
    assert told("status", *config)["error"] is None


def test_no_frame_is_dropped_because_of_a_switch(store: Store, tmp_path: Path) -> None:
    """A live camera, whose unread frames are replaced; catalogues are opened beside and adopted all the while."""
    store.road.state = tmp_path
    store.road.configure({"id": "cam", "source": "folder:/none"}, decision=ONE_LOOK)
    settings = load_config(store.road.config)
    eyes, first = load_eyes_from(str(store.road.model), str(store.first))
    live = LiveLoop(settings, eyes, first)
    switches, stop = 0, threading.Event()

    def switch() -> None:
        nonlocal switches
        while not stop.wait(0.05):
            folder = (store.second, store.first)[switches % 2]
            live.recogniser.adopt(open_catalogue(folder, eyes.fingerprint, eyes.dimension), eyes)
            switches += 1

    switcher = threading.Thread(target=switch)
    switcher.start()
    while switches < 20:
        live.show_next()
        time.sleep(0.02)
    stop.set()
    switcher.join()
    live.finish()
    assert live.mailbox.dropped("cam") == 0
    new = live.new()
    assert len(new) == live.frames
    assert {payload["verdict"] for payload in new} == {"known"}
    assert {payload["release"] for payload in new} == {
        open_catalogue(folder, eyes.fingerprint, eyes.dimension).release
        for folder in (store.first, store.second)
    }


@pytest.mark.timeout(900)
def test_kill_at_any_moment_leaves_a_whole_generation(tmp_path: Path) -> None:
    """Old or new, never none and never half; and the next round goes on."""
    (tmp_path / "www").mkdir()
    catalogues = [draw_catalogue(tmp_path / f"catalogue-{seed}", seed, products=200) for seed in range(4)]
    state, rng = tmp_path / "state", random.Random(7)
    library = Library(state)
    with StaticHost(tmp_path / "www") as host:
        office = HeadOffice(host.folder)
        (tmp_path / "root.json").write_bytes(office.root_bytes)
        forker = Forker(
            url=host.url, root=str(tmp_path / "root.json"), state=str(state),
            fingerprint=FINGERPRINT, dimension=DIMENSION,
        )  # fmt: skip
        ends = []
        try:
            office.publish(catalogues[0], 1)
            forker.start()
            began = time.monotonic()
            assert forker.ended() == 0
            whole_s = time.monotonic() - began
            held = 1
            for number in range(2, KILLS + 2):
                before = catalogues[(number - 2) % len(catalogues)]
                office.publish(catalogues[(number - 1) % len(catalogues)], number, patches_from=before)
                child = forker.start()
                time.sleep(rng.uniform(0, 1.1 * whole_s))
                os.kill(child, signal.SIGKILL)  # where it has ended already, its end was 0
                ends.append(forker.ended())
                current = library.current()
                assert current is not None
                assert held <= current.number <= number
                opened = open_catalogue(library.folder(current), FINGERPRINT, DIMENSION)
                assert opened.release == current.release
                opened.close()
                held = current.number
            forker.start()
            assert forker.ended() == 0
            current = library.current()
            assert current is not None
            assert current.number == KILLS + 1
        finally:
            forker.close()
    assert set(ends) <= {0, -9}
    assert ends.count(-9) > KILLS / 3, "it was busy when it was killed"
    assert len(list((state / "generations").iterdir())) == 2
