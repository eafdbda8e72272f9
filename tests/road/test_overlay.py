"""A running device is taught by the command line and over MQTT, and what it learned goes to head office."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest

from agent.core.wire import schemas
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.pictures import coded
from tests.support.road import ONE_LOOK, Road, photos_camera, picture, recognitions, spotter, told, until
from tests.support.tflite_note import without_note

ROOT_TOPIC = "spotter/test/dev-1"
NEW = 70
"""A product that no catalogue here has."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Road, Mosquitto]]:
    folder = tmp_path_factory.mktemp("overlay")
    with Mosquitto(folder / "broker") as broker:
        road = Road(folder, broker.port)
        road.build(products=5)
        yield road, broker


@pytest.fixture
def road(built: tuple[Road, Mosquitto], tmp_path: Path) -> Road:
    """A camera that shows a product of the catalogue and one that nobody knows, again and again."""
    road, _ = built
    road.state = tmp_path / "state"
    photos = tmp_path / "photos"
    photos.mkdir()
    for product in (3, NEW):
        for view in range(3):
            cv2.imwrite(str(photos / f"{product:02d}-{view}.png"), picture(product, 60 + view))
    camera = photos_camera(photos, loop=True, fps=20)
    road.configure(camera, decision=ONE_LOOK, commands={"allow": ["enrol", "forget"]})
    return road


def photo(folder: Path, product: int, view: int) -> str:
    path = folder / f"shown-{product}-{view}.png"
    cv2.imwrite(str(path), picture(product, view))
    return str(path)


def latest(heard: Subscriber) -> set[str | None]:
    """What the last round of pictures was recognised as."""
    return {found["sku"] for found in recognitions(heard.heard)[-6:]}


def index(heard: Subscriber) -> dict[str, int]:
    said = json.loads(heard.on(f"{ROOT_TOPIC}/index")[-1].payload)
    jsonschema.validate(said, schemas()["index"])
    return dict(said["learned"])


def test_the_command_line_teaches_a_running_device(
    built: tuple[Road, Mosquitto], road: Road, tmp_path: Path
) -> None:
    config = ("-c", str(road.config))
    with Subscriber(built[1].port, f"{ROOT_TOPIC}/#") as heard, road.start() as daemon:
        until(lambda: latest(heard) == {"sku-03", None}, 30, daemon.text)
        said = told(
            "enrol", "new", photo(tmp_path, NEW, 1), photo(tmp_path, NEW, 2), "--name", "New", *config
        )
        assert (said["added"], said["in_release"], said["warnings"]) == (2, False, [])
        until(lambda: latest(heard) == {"sku-03", "new"}, 20, daemon.text)
        until(lambda: index(heard) == {"references": 2, "products": 1, "forgotten": 0, "taken": 0}, 20)
        assert told("forget", "sku-03", *config)["in_release"]
        until(lambda: latest(heard) == {None, "new"}, 20, daemon.text)
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()
    with Subscriber(built[1].port, f"{ROOT_TOPIC}/#") as heard, road.start() as daemon:
        until(lambda: len(recognitions(heard.heard)) >= 6, 30, daemon.text)
        assert latest(heard) == {None, "new"}, "it survives a restart"
        told("forget", "sku-03", "--undo", *config)
        until(lambda: latest(heard) == {"sku-03", "new"}, 20, daemon.text)
        assert told("overlay", "clear", *config) == {"references": 2, "forgotten": 0}
        until(lambda: latest(heard) == {"sku-03", None}, 20, daemon.text)
        assert daemon.stop() == 0


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_commands_over_mqtt(built: tuple[Road, Mosquitto], road: Road, protocol: str) -> None:
    url = f"mqtt://127.0.0.1:{road.broker_port}"
    road.configure(
        photos_camera(road.config.parent / "none", watch=True), mqtt={"url": url, "protocol": protocol},
        commands={"allow": ["enrol", "forget"]},
    )  # fmt: skip
    with Subscriber(built[1].port, f"{ROOT_TOPIC}/#", "back/#") as heard, road.start() as daemon:
        daemon.wait_for("the broker has us")
        until(lambda: heard.on(f"{ROOT_TOPIC}/info"), 20)
        assert {"command/enrol", "command/forget"} < set(
            json.loads(heard.on(f"{ROOT_TOPIC}/info")[-1].payload)["capabilities"]
        )
        image = base64.b64encode(coded(picture(NEW, 1), ".png")).decode()
        request = json.dumps({"id": "r1", "sku": "new", "image": image}).encode()
        heard.send(f"{ROOT_TOPIC}/command/enrol", request, answer_to="back/1", correlation=b"\x07")
        topic = "back/1" if protocol == "5" else f"{ROOT_TOPIC}/command/enrol/result"
        until(lambda: heard.on(topic), 20, daemon.text)
        answer = heard.on(topic)[0]
        said = json.loads(answer.payload)
        jsonschema.validate(said, schemas()["command_result"])
        assert (said["id"], said["ok"], said["result"]["added"]) == ("r1", True, 1)
        assert answer.correlation == (b"\x07" if protocol == "5" else b"")
        heard.send(f"{ROOT_TOPIC}/command/resync", b'{"id": "r2"}')  # not allowed
        heard.send(f"{ROOT_TOPIC}/command/forget", b'{"id": "r3", "sku": "never"}')
        until(lambda: heard.on(f"{ROOT_TOPIC}/command/forget/result"), 20, daemon.text)
        said = json.loads(heard.on(f"{ROOT_TOPIC}/command/forget/result")[0].payload)
        assert (said["id"], said["ok"]) == ("r3", False)
        assert "expected one that is known here, found 'never'" in said["error"]
        assert heard.on(f"{ROOT_TOPIC}/command/resync/result") == []
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()


def test_what_was_learned_is_exported_built_and_taken_in(road: Road, tmp_path: Path) -> None:
    config = ("-c", str(road.config))
    told("enrol", "new", photo(tmp_path, NEW, 1), "--name", "New", "--gtin", "4006381333931", *config)
    told("enrol", "sku-02", photo(tmp_path, 2, 9), *config)
    told("forget", "sku-03", *config)
    (found,) = told("find", photo(tmp_path, NEW, 5), *config)["regions"]
    assert found["candidates"][0]["sku"] == "new"
    assert "sku-03" not in {candidate["sku"] for candidate in found["candidates"]}
    status = told("status", *config)
    assert status["learned"] == {"references": 2, "products": 2, "forgotten": 1, "taken": 0}

    products = tmp_path / "products"
    out = tmp_path / "learned"
    assert told("overlay", "export", str(out), *config) == {
        "products": 2,
        "pictures": 2,
        "forgotten": 1,
        "problems": 0,
    }
    again = spotter("overlay", "export", str(out), *config)
    assert (again.returncode, "expected a new or an empty folder" in again.stderr) == (1, True)
    shutil.copytree(road.folder / "products", products / "images")
    shutil.copytree(out, products, dirs_exist_ok=True)
    (products / "products.csv").write_text("sku\n" + "".join(f"sku-0{n}\n" for n in (0, 1, 2, 4)))
    shutil.rmtree(products / "images" / "sku-03")
    release = tmp_path / "release"
    done = spotter(
        "catalog", "build", str(products), "--model", str(road.model), "-o", str(release), "--jobs", "1"
    )
    assert done.returncode == 0, done.stderr
    assert "forgotten-dev-1.csv:2: sku 'sku-03'" in done.stderr

    settings = road.settings(photos_camera(tmp_path / "photos"), decision=ONE_LOOK)
    settings["catalogue"] = {"path": str(release)}
    road.config.write_text(json.dumps(settings))
    with road.start() as daemon:
        daemon.wait_for("has taken in what was learned of ['new', 'sku-02', 'sku-03']")
        assert daemon.stop() == 0
    listed = spotter("overlay", "list", *config, "--json").stdout.splitlines()
    assert [json.loads(line) for line in listed] == [
        {"sku": "new", "name": "New", "references": 1, "forgotten": False, "taken": 1},
        {"sku": "sku-02", "name": "", "references": 1, "forgotten": False, "taken": 1},
        {"sku": "sku-03", "name": "", "references": 0, "forgotten": True, "taken": 1},
    ]
    (found,) = told("find", photo(tmp_path, NEW, 5), *config)["regions"]
    assert found["candidates"][0]["reference"].startswith("images/new/learned-"), "now from the release"
    assert told("status", *config)["learned"]["references"] == 0


def test_a_damaged_file_is_set_aside_said_and_recognition_goes_on(
    built: tuple[Road, Mosquitto], road: Road
) -> None:
    (road.state / "overlay").mkdir(parents=True)
    (road.state / "overlay" / "overlay.db").write_bytes(b"\xff" * 9000)
    with Subscriber(built[1].port, f"{ROOT_TOPIC}/#") as heard, road.start() as daemon:
        until(lambda: latest(heard) == {"sku-03", None}, 30, daemon.text)
        until(lambda: b"overlay.db.corrupt-1" in heard.on(f"{ROOT_TOPIC}/health")[-1].payload, 20)
        assert daemon.stop() == 0


REFUSED = {
    "a picture that is not there": (["enrol", "x", "none.png"], 1, "none.png: cannot be read"),
    "what is no picture": (["enrol", "x", __file__], 1, "expected a JPEG, PNG, WebP or BMP picture"),
    "a picture in which the model sees nothing": (["enrol", "x", "GREY"], 1, "the model sees nothing"),
    "an sku that is a path": (["enrol", "../x", "GREY"], 1, "sku: expected no slash"),
    "an sku that nobody knows": (["forget", "x"], 1, "sku: expected one that is known here, found 'x'"),
    "an sku that was not forgotten": (["forget", "sku-01", "--undo"], 1, "expected one that was forgotten"),
}


@pytest.mark.parametrize("story", REFUSED)
def test_is_refused_in_one_line(story: str, road: Road, tmp_path: Path) -> None:
    verb, code, says = REFUSED[story]
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((96, 96, 3), 128, np.uint8))
    done = spotter(
        *(str(tmp_path / "grey.png") if word == "GREY" else word for word in verb), "-c", str(road.config)
    )
    lines = without_note(done.stderr)
    assert (done.returncode, len(lines)) == (code, 1), done.stderr
    assert lines[0].startswith("spotter: ")
    assert says in lines[0]


def test_a_picture_that_looks_like_another_product_is_taken_with_a_warning(
    road: Road, tmp_path: Path
) -> None:
    done = spotter("enrol", "new", photo(tmp_path, 3, 9), "-c", str(road.config))
    assert done.returncode == 0, done.stderr
    assert "spotter: warning: " in done.stderr
    assert "nearer to 'sku-03'" in done.stderr
    assert done.stdout == "new: 1 new pictures, 1 on this device\n"
