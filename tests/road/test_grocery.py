"""Real photographs: the road loses nothing against a plain script, and all arrives through a real broker."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.grocery import SIZE, photos, product_folder, reference_model
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, Daemon, Road, photos_camera, spotter, until

EVERY = 3
"""A third of the training photos says as much as all of them, for a third of the time."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def plain_embeddings(model: Path, paths: list[Path]) -> np.ndarray:
    """What a script of ten lines would do, with nothing of ours in it."""
    from ai_edge_litert.interpreter import Interpreter

    def embed(part: list[Path]) -> list[np.ndarray]:
        interpreter = Interpreter(str(model), num_threads=1)
        interpreter.allocate_tensors()
        (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
        scale, zero = made["quantization"]
        rows = []
        for path in part:
            image = cv2.resize(cv2.imread(str(path)), (SIZE, SIZE))
            interpreter.set_tensor(given["index"], cv2.cvtColor(image, cv2.COLOR_BGR2RGB)[None])
            interpreter.invoke()
            rows.append((interpreter.get_tensor(made["index"]).reshape(-1).astype(np.float32) - zero) * scale)
        return rows

    half = len(paths) // 2
    with ThreadPoolExecutor(2) as pool:
        rows = np.array([row for part in pool.map(embed, [paths[:half], paths[half:]]) for row in part])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def grocery(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Road:
    road = Road(tmp_path_factory.mktemp("grocery"))
    road.model = reference_model(shared_data, road.folder / "reference")
    folder = product_folder(shared_data, road.folder / "products", EVERY)
    done = spotter(
        "catalog", "build", str(folder), "--model", str(road.model), "-o", str(road.catalogue), "--json",
        timeout_s=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["products"], report["references"], report["problems"]) == (81, 880, 0)
    return road


@pytest.fixture(scope="module")
def found(grocery: Road, shared_data: Path) -> dict[str, dict]:
    """`spotter find` on every validation photo: path → answer."""
    paths = [str(path) for path, _ in photos(shared_data, "val")]
    done = spotter(
        "find", "--model", str(grocery.model), "--release", str(grocery.catalogue), "--json", *paths,
        timeout_s=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {answer["image"]: answer["regions"][0] for answer in answers}


def test_find_is_as_right_as_an_exact_search_in_numpy(grocery: Road, shared_data: Path, found: dict) -> None:
    train, queries = photos(shared_data, "train", EVERY), photos(shared_data, "val")
    gallery = plain_embeddings(grocery.model, [path for path, _ in train])
    asked = plain_embeddings(grocery.model, [path for path, _ in queries])
    nearest = (asked @ gallery.T).argmax(axis=1)
    plain = np.mean([train[row][1] == sku for row, (_, sku) in zip(nearest, queries, strict=True)])
    ours = np.mean([found[str(path)]["candidates"][0]["sku"] == sku for path, sku in queries])
    print(f"top-1 of {len(queries)}: exact numpy {plain:.4f}, spotter find {ours:.4f}")
    assert plain > 0.5, "the plain script itself works"
    assert ours >= plain - 0.01


def test_a_higher_probability_is_more_often_right(shared_data: Path, found: dict) -> None:
    queries = photos(shared_data, "val")
    answers = [(found[str(path)], found[str(path)]["candidates"][0]["sku"] == sku) for path, sku in queries]
    sure = sorted(answers, key=lambda item: -item[0]["probability"])
    quarter = len(sure) // 4
    top, bottom = (np.mean([right for _, right in part]) for part in (sure[:quarter], sure[-quarter:]))
    known = [right for answer, right in answers if answer["verdict"] == "known"]
    print(
        f"right: surest quarter {top:.3f}, least sure {bottom:.3f}; known {len(known)}, of them {sum(known)}"
    )
    assert top - bottom > 0.3
    assert known
    assert np.mean(known) >= 0.9, "what is called known at 0.9 is right nine times in ten"


def test_every_photo_arrives_through_the_broker_with_the_same_answer(
    grocery: Road, shared_data: Path, found: dict, tmp_path: Path
) -> None:
    queries = photos(shared_data, "val")
    folder = tmp_path / "photos"
    folder.mkdir()
    by_name = {f"{number:04d}.jpg": path for number, (path, _) in enumerate(queries)}
    for name, path in by_name.items():
        (folder / name).symlink_to(path)
    with Mosquitto(tmp_path / "broker") as broker, Subscriber(broker.port, "spotter/#") as witness:
        grocery.broker_port = broker.port
        grocery.state = tmp_path / "state"
        grocery.configure(photos_camera(folder, fps=0), decision=ONE_LOOK)

        def told() -> list[dict]:
            payloads = [json.loads(m.payload) for m in witness.heard if m.topic.endswith("/recognition")]
            return [payload for payload in payloads if payload["phase"] == "new"]

        with Daemon(grocery.config, tmp_path / "log") as daemon:
            until(lambda: len(told()) >= len(queries), 60, lambda: (len(told()), daemon.text()))
            assert daemon.stop() == 0
    topics = [m.topic.rpartition("/")[2] for m in witness.heard]
    assert topics[0] == "availability", "birth before anything else"
    assert {"info", "status", "recognition"} <= set(topics)
    payloads = told()
    assert len(payloads) == len(queries), "one recognition a photo"
    for payload, path in zip(payloads, by_name.values(), strict=True):
        answer = found[str(path)]
        assert payload["verdict"] == answer["verdict"]
        assert payload["options"][0]["sku"] == answer["candidates"][0]["sku"]
        assert payload["probability"] == pytest.approx(answer["probability"], abs=1e-4)
