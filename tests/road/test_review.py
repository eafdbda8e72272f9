"""A running device keeps what is worth a second look, and what people say of it becomes a catalogue."""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.adapters.decisions import Decisions
from agent.core.review import Answer
from tests.support.road import ONE_LOOK, Road, photos_camera, picture, spotter, told, until

NEW = 70
"""A product that no catalogue here has."""


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    """A device whose camera showed a known thing and a strange one, and that was stopped."""
    made = Road(tmp_path_factory.mktemp("review"), 9)
    made.build(products=5)
    photos = made.folder / "photos"
    photos.mkdir()
    for product in (3, NEW):
        cv2.imwrite(str(photos / f"{product:02d}.png"), picture(product, 60))
    camera = photos_camera(photos, privacy={"masks": [[0, 0, 1, 0.5]]})
    review = {"keep": 20, "pictures": True, "sample": 1}
    made.configure(camera, decision=ONE_LOOK, review=review)
    with made.start() as daemon:
        until(lambda: len(rows(made)) == 2, 40, daemon.text)
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()
    return made


def rows(road: Road) -> list[dict[str, Any]]:
    done = spotter("review", "list", "--json", "-c", str(road.config))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_hard_and_sure_decisions_are_kept_as_others_may_see_them(road: Road) -> None:
    strange, sure = rows(road)
    assert (strange["kind"], strange["sku"], strange["camera"]) == ("unknown", None, "cam")
    assert (sure["kind"], sure["sku"], sure["answer"], sure["picture"]) == ("sure", "sku-03", "open", True)
    assert sure["options"][0]["reference"].startswith("sku-03/")
    assert {each["source"] for each in sure["evidence"]} == {"catalogue", "pictures", "clues", "rivals"}
    with closing(Decisions(road.state / "review")) as store:
        kept = store.get(sure["decision"])
        assert kept is not None
        image = cv2.imread(str(store.pictures.path(kept.picture)))
        assert int(kept.body["options"][0]["key"]) > 0
    steps = [np.abs(np.diff(half.mean(axis=0), axis=0)).max() for half in (image[:40], image[56:])]
    assert steps[0] < steps[1] / 2, "of the edge in the masked half little is left"
    plain = spotter("review", "list", "-c", str(road.config)).stdout
    assert "unknown: unknown" in plain
    assert "sure: known sku-03" in plain


def test_what_people_said_is_exported_and_built(road: Road, tmp_path: Path) -> None:
    config = ("-c", str(road.config))
    strange, sure = rows(road)
    with closing(Decisions(road.state / "review")) as store:
        store.answer(strange["decision"], Answer.IS, "sku-02")
        store.answer(sure["decision"], Answer.RIGHT)
        out = tmp_path / "reviewed"
        said = told("review", "export", str(out), *config)
        assert said == {"decisions": 2, "corrections": 1, "products": 1, "pictures": 1, "problems": 0}
        kept = store.get(strange["decision"])
        assert kept is not None
        name = f"images/sku-02/review-{kept.picture[:16]}.jpg"
    again = spotter("review", "export", str(out), *config)
    assert (again.returncode, "expected a new or an empty folder" in again.stderr) == (1, True)
    with (out / "review-dev-1.csv").open(newline="") as file:
        table = {row["kind"]: row for row in csv.DictReader(file)}
    assert (table["unknown"]["answer"], table["unknown"]["sku"], table["unknown"]["picture"]) == (
        "is", "sku-02", name,
    )  # fmt: skip
    assert (table["sure"]["answer"], table["sure"]["picture"]) == ("right", "")

    products = tmp_path / "products"
    shutil.copytree(road.folder / "products", products / "images")
    shutil.copytree(out, products, dirs_exist_ok=True)
    (products / "products.csv").write_text("sku\n" + "".join(f"sku-0{n}\n" for n in (0, 1, 3, 4)))
    release = tmp_path / "release"
    done = spotter(
        "catalog", "build", str(products), "--model", str(road.model), "-o", str(release), "--jobs", "1"
    )
    assert done.returncode == 0, done.stderr
    photo = tmp_path / "photo.png"
    with closing(Decisions(road.state / "review")) as store:
        cv2.imwrite(str(photo), cv2.imread(str(store.pictures.path(kept.picture))))
    (found,) = told("find", str(photo), "--release", str(release), "--model", str(road.model))["regions"]
    assert found["candidates"][0]["sku"] == "sku-02"
    assert found["candidates"][0]["reference"] == name


def test_without_a_name_a_picture_becomes_one_of_no_product(road: Road, tmp_path: Path) -> None:
    strange, sure = rows(road)
    with closing(Decisions(road.state / "review")) as store:
        store.answer(strange["decision"], Answer.OPEN)
        store.answer(sure["decision"], Answer.WRONG)
    out = tmp_path / "reviewed"
    said = told("review", "export", str(out), "-c", str(road.config))
    assert (said["corrections"], said["products"], said["pictures"]) == (1, 0, 2)
    assert len(list((out / "review-dev-1").glob("*.jpg"))) == 2
    assert not (out / "images").exists()
    assert not list(out.glob("products-*.csv"))


def test_a_damaged_picture_is_said_and_left_out(road: Road, tmp_path: Path) -> None:
    (strange, _) = rows(road)
    with closing(Decisions(road.state / "review")) as store:
        kept = store.get(strange["decision"])
        assert kept is not None
        path = store.pictures.path(kept.picture)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    done = spotter("review", "export", str(tmp_path / "reviewed"), "-c", str(road.config))
    path.write_bytes(whole)
    assert (done.returncode, "the picture is damaged" in done.stderr) == (1, True)


def test_all_of_it_can_be_given_up(road: Road) -> None:
    assert told("review", "clear", "-c", str(road.config)) == {"decisions": 2}
    assert rows(road) == []
    assert list((road.state / "review" / "pictures").iterdir()) == []
    assert "no decision is kept" in spotter("review", "list", "-c", str(road.config)).stdout
