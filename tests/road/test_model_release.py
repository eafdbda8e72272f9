"""A release that brings its model, and releases that this device must not use, on a running device."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.catalogue import read_manifest, write_manifest
from agent.adapters.embedder import EmbedderSettings
from agent.config import load_config
from agent.core.wire import schemas
from agent.sight import open_folder, try_folder
from tests.support.bent_catalogue import otherwise, with_first_probe, with_model
from tests.support.head_office import HeadOffice
from tests.support.live_loop import LiveLoop
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import (
    COLOURS,
    ONE_LOOK,
    Road,
    photos_camera,
    recognitions,
    spotter,
    told,
    until,
)
from tests.support.static_host import StaticHost
from tests.support.tiny_models import write_tiny_model


class Store:
    """A device, two catalogues: of its own model, and of another one that it carries; and the host."""

    def __init__(self, folder: Path, host: StaticHost, broker_port: int) -> None:
        self.host = host
        self.road = Road(folder, broker_port)
        self.road.build()
        self.road.draw_photos()
        self.own = self.road.catalogue
        self.other_model = write_tiny_model(folder / "model", cells=8, name="other")
        self.carrying = folder / "carrying"
        done = spotter(
            "catalog", "build", str(folder / "products"), "--with-model", "--no-cache",
            "--model", str(self.other_model), "-o", str(self.carrying), "--jobs", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def begin(self, state: Path, **more: Any) -> HeadOffice:
        """A new device with a camera, and a new head office."""
        for name in ("metadata", "targets"):
            shutil.rmtree(self.host.folder / name, ignore_errors=True)
        office = HeadOffice(self.host.folder)
        self.road.state = state
        root = state.parent / "root.json"
        root.write_bytes(office.root_bytes)
        sync = {"url": self.host.url, "root": str(root), "interval_s": 1, **more}
        camera = photos_camera(self.road.folder / "photos", loop=True, fps=20)
        settings = self.road.settings(camera, decision=ONE_LOOK, sync=sync, log={"level": "debug"})
        del settings["catalogue"]
        self.road.config.write_text(json.dumps(settings))
        return office

    @property
    def status(self) -> dict[str, Any]:
        return told("status", "-c", str(self.road.config))


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


def test_model_and_catalogue_go_over_together_and_back(
    store: Store, broker: Mosquitto, tmp_path: Path
) -> None:
    """By sync, by a rollback, and after a restart; every answer of every release is right."""
    import jsonschema

    office = store.begin(tmp_path / "state")
    own = office.publish(store.own, 1).release
    with Subscriber(broker.port, "spotter/test/dev-1/#") as heard, store.road.start() as daemon:

        def said(topic: str) -> dict[str, Any]:
            found = [json.loads(m.payload) for m in heard.heard if m.topic.endswith(topic)]
            return found[-1] if found else {}

        def last_release() -> str | None:
            found = recognitions(heard.heard)
            return found[-1]["release"] if found else None

        until(lambda: last_release() == own, 30, daemon.text)
        carrying = office.publish(store.carrying, 2).release
        until(lambda: last_release() == carrying, 30, daemon.text)
        until(lambda: said("/index").get("number") == 2, 20, daemon.text)
        assert said("/index")["model"].startswith("other ")
        assert said("/info")["model"].startswith("other ")
        for topic in ("index", "info"):
            jsonschema.validate(said(f"/{topic}"), schemas()[topic])

        done = spotter("rollback", "-c", str(store.road.config))
        assert done.returncode == 0, done.stderr
        until(lambda: last_release() == own, 20, daemon.text)
        until(lambda: said("/info")["model"].startswith("tiny "), 20, daemon.text)
        until(lambda: said("/index")["number"] == 1, 20, daemon.text)

        office.publish(store.carrying, 3)
        until(lambda: last_release() == carrying, 30, daemon.text)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.text()
    wrong = [f for f in recognitions(heard.heard) if f["release"] and f["verdict"] != "known"]
    assert wrong == []

    assert store.status["model"].startswith("other ")
    with Subscriber(broker.port, "spotter/test/dev-1/cam/recognition") as heard, store.road.start() as daemon:
        until(lambda: len(recognitions(heard.heard)) > 3, 30, daemon.text)
        assert {f["release"] for f in recognitions(heard.heard)} == {carrying}
        assert {f["verdict"] for f in recognitions(heard.heard)} == {"known"}
        assert daemon.stop() == 0


def test_a_live_camera_loses_no_frame_while_eyes_and_catalogue_change(store: Store) -> None:
    """A live camera, whose unread frames are replaced; releases are tried, opened and adopted all the while."""
    own = EmbedderSettings(file=str(store.road.model))
    settings = load_config(
        store.road.configure(photos_camera(store.road.folder / "photos"), decision=ONE_LOOK)
    )
    eyes, catalogue = open_folder(store.own, own)
    live = LiveLoop(settings, eyes, catalogue)
    switched: list[str] = []

    def switch() -> None:
        in_use = eyes
        for folder in (store.carrying, store.own) * 5:
            try_folder(folder, own, in_use, lambda: time.sleep(0.005))
            in_use, opened = open_folder(folder, own, in_use)
            live.recogniser.adopt(opened, in_use)
            switched.append(in_use.spec.name)

    switcher = threading.Thread(target=switch)
    switcher.start()
    while switcher.is_alive() or live.frames < 20:
        live.show_next()
        time.sleep(0.1)  # the other processes of a busy machine take some of it
    switcher.join()
    live.finish()
    assert switched == ["other", "tiny"] * 5
    assert live.mailbox.dropped("cam") == 0
    new = live.new()
    assert [found["sku"] for found in new] == [f"sku-{number % COLOURS:02d}" for number in range(live.frames)]
    assert len({found["release"] for found in new}) == 2


def test_verbs_look_with_the_model_of_the_release(store: Store, tmp_path: Path) -> None:
    office = store.begin(tmp_path / "state")
    office.publish(store.carrying, 1)
    config = ("-c", str(store.road.config))
    assert told("sync", *config)["result"] == "taken"
    checked = told("check", *config)
    assert (checked["model"], checked["probes"]) == ("other", 12)
    photo = next((store.road.folder / "photos").glob("*sku-07.png"))
    assert told("find", *config, str(photo))["regions"][0]["sku"] == "sku-07"
    assert store.status["model"].startswith("other ")


def test_a_directory_may_carry_its_model_too(store: Store, tmp_path: Path) -> None:
    store.road.state = tmp_path / "state"
    settings = store.road.settings(
        photos_camera(store.road.folder / "photos"), catalogue={"path": str(store.carrying)}
    )
    store.road.config.write_text(json.dumps(settings))
    assert told("check", "-c", str(store.road.config))["model"] == "other"


def _without_model(store: Store, out: Path) -> Path:
    shutil.copytree(store.carrying, out)
    write_manifest(out, replace(read_manifest(out), model_file=None, model_spec=None))
    return out


def _other_answer(store: Store, out: Path) -> Path:
    return with_first_probe(store.own, out, lambda probe: replace(probe, sku="sku-05"))


REFUSED = {
    "of a model that it does not bring": (_without_model, {}, "expected vectors of the model of fingerprint"),
    "with a model where the operator forbids that": (
        lambda store, out: shutil.copytree(store.carrying, out),
        {"models": False},
        "which sync.models forbids",
    ),
    "with a wrong golden answer": (_other_answer, {}, "'sku-05': expected the similarity"),
    "with a wrong golden embedding": (
        lambda store, out: with_first_probe(store.own, out, otherwise),
        {},
        "this device does not see what head office saw",
    ),
    "with a model that is none": (
        lambda store, out: with_model(store.carrying, out, lambda _data: b"not a model" * 20),
        {},
        "expected a model that ai-edge-litert",
    ),
}


@pytest.mark.parametrize(("make", "sync", "says"), REFUSED.values(), ids=REFUSED)
def test_a_running_device_keeps_the_old_release_and_refuses_one(
    store: Store, broker: Mosquitto, tmp_path: Path, make: Any, sync: dict[str, Any], says: str
) -> None:
    office = store.begin(tmp_path / "state", **sync)
    own = office.publish(store.own, 1).release
    with Subscriber(broker.port, "spotter/test/dev-1/#") as heard, store.road.start() as daemon:

        def said(topic: str) -> dict[str, Any]:
            found = [json.loads(m.payload) for m in heard.heard if m.topic.endswith(topic)]
            return found[-1] if found else {}

        until(lambda: own in {f["release"] for f in recognitions(heard.heard)}, 30, daemon.text)
        office.publish(make(store, tmp_path / "bent"), 2)
        until(lambda: says in said("/index")["error"], 30, daemon.text)
        assert said("/index")["release"] == own
        assert (said("/index")["number"], said("/index")["last_sync_result"]) == (1, "failed")
        until(lambda: said("/health")["state"] == "degraded", 10)
        assert says in said("/health")["causes"][0]["reason"]
        before = len(recognitions(heard.heard))
        until(lambda: len(recognitions(heard.heard)) > before + 5, 20, daemon.text)
        assert daemon.stop() == 0
    status = store.status
    assert says in status["error"]
    assert (status["release"], status["number"], status["last_sync_result"]) == (own, 1, "failed")
    assert status["next_poll"] is not None
    assert status["size_bytes"] == sum(
        path.stat().st_size for path in (store.road.state / "generations" / "1").iterdir()
    )
    assert {f["release"] for f in recognitions(heard.heard)} <= {None, own}
    assert "Traceback" not in daemon.text()
