"""`spotter evaluate` counts what `spotter find` answers, on galleries and photos of every shape."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Command
from tests.support.road import ROOT, picture
from tests.support.tiny_models import write_tiny_model
from tools.synth.flavours import flavour
from tools.synth.kiosk import held_up
from tools.synth.views import studio_view

PRODUCTS = 6
"""At least five, so that the curve is fitted on the gallery itself."""


def write_photos(folder: Path, products: range, views: range) -> Path:
    for product in products:
        (folder / f"sku-{product}").mkdir(parents=True)
        for view in views:
            cv2.imwrite(str(folder / f"sku-{product}" / f"{view}.png"), picture(product, view))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product folder with a table; products 0 to 2 are of one category, 3 to 5 of another."""
    root = tmp_path_factory.mktemp("gallery")
    write_photos(root / "images", range(PRODUCTS), range(4))
    with (root / "products.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "name", "category"])
        table.writerows([f"sku-{n}", f"Product <{n}>", "low" if n < 3 else "high"] for n in range(PRODUCTS))
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("photos"), range(PRODUCTS), range(4, 7))


def evaluated(command: Command, *arguments: str | Path) -> dict:
    done = command("evaluate", *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_it_gives_every_figure_that_was_promised(
    command: Command, gallery: Path, photos: Path, model: Path
) -> None:
    result = evaluated(command, gallery, photos, "--model", model)
    assert (result["queries"], result["known"], result["unknown"], result["refused"]) == (18, 18, 0, 0)
    assert result["top1"] == result["top5"] == result["coarse_top1"] == result["macro_f1"] == 1.0
    assert result["auroc"] is None
    assert result["far_at_95_tar"] is None
    assert 0 <= result["ece"] <= 1
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p95"]
    assert result["confusions"] == []
    assert [item["queries"] for item in result["products"]] == [3] * PRODUCTS
    assert result["intervals_95"]["top1"] == pytest.approx([0.824, 1.0], abs=1e-3)
    assert sum(item["count"] for item in result["reliability"]) == 18


def test_a_folder_its_table_and_the_catalogue_built_from_it_give_the_same_figures(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    built = tmp_path / "catalogue"
    assert command("catalog", "build", gallery, "--model", model, "-o", built).code == 0
    results = [
        evaluated(command, where, photos, "--model", model)
        for where in (gallery, gallery / "products.csv", built)
    ]
    for result in results:
        del result["latency_ms"], result["release"]  # a release carries the time it was built
    assert results[0] == results[1] == results[2]


def test_its_answers_are_those_of_find(command: Command, gallery: Path, model: Path, tmp_path: Path) -> None:
    """Photos of one product under the name of another: the figures count what `find` says."""
    built, photos = tmp_path / "catalogue", tmp_path / "photos"
    assert command("catalog", "build", gallery, "--model", model, "-o", built).code == 0
    write_photos(photos, range(2), range(4, 6))
    (photos / "sku-0").rename(photos / "sku-4")
    done = command("find", "--model", model, "--release", built, "--json", *sorted(photos.glob("*/*.png")))
    said = [json.loads(line)["regions"][0] for line in done.out.splitlines()]
    result = evaluated(command, built, photos, "--model", model)
    assert [answer["candidates"][0]["sku"] for answer in said] == ["sku-1", "sku-1", "sku-0", "sku-0"]
    assert result["top1"] == 0.5
    assert result["coarse_top1"] == 0.5
    assert result["confusions"] == [{"sku": "sku-4", "taken_for": "sku-0", "count": 2}]
    by_sku = {item["sku"]: item for item in result["products"]}
    assert (by_sku["sku-1"]["f1"], by_sku["sku-4"]["f1"], result["macro_f1"]) == (1.0, 0.0, 0.5)
    right = np.array([True, True, False, False])
    claimed = np.array([answer["probability"] for answer in said])
    named = sum(answer["verdict"] == "known" for answer in said)
    assert result["verdicts"]["known"]["named"] == named
    assert result["ece"] <= np.abs(claimed - right).mean() + 1e-6


def test_photos_of_a_product_are_one_thing_that_is_looked_at_several_times(
    command: Command, gallery: Path, photos: Path, model: Path
) -> None:
    left_out = ("--unknown-skus", "sku-5")
    result = evaluated(command, gallery, photos, "--model", model, "--tracks", "2", *left_out)
    assert (result["tracks"], result["refused"]) == (2, 0)
    assert (result["queries"], result["known"], result["unknown"]) == (12, 10, 2), "two and one of each three"
    assert result["top1"] == 1.0
    assert 0 <= result["ece_known_debiased"] <= result["ece_known"] <= 1
    assert 0 < result["ece_known_by_chance"] < 0.5
    assert set(result["open_set"]) == {"in_catalogue", "probability", "similarity"}
    low, high = result["verdicts"]["unknown"]["named_95"]
    assert 0 <= low <= result["verdicts"]["unknown"]["named"] / 2 <= high <= 1


def test_what_may_be_wrong_decides_what_is_named(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    doubtful = tmp_path / "doubtful" / "sku-1"
    doubtful.mkdir(parents=True)
    for share in range(3, 8):  # between its product and another
        blend = cv2.addWeighted(picture(1, 9), share / 10, picture(2, 9), 1 - share / 10, 0)
        cv2.imwrite(str(doubtful / f"{share}.png"), blend)
    named = [
        evaluated(command, gallery, doubtful.parent, "--model", model, "--false-accept", rate)["verdicts"]
        for rate in ("0.00001", "0.5")
    ]
    assert named[0]["known"]["named"] < named[1]["known"]["named"]


def test_products_left_out_of_the_gallery_are_the_unknown(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    listed = evaluated(command, gallery, photos, "--model", model, "--unknown-skus", "sku-1, sku-5")
    assert (listed["known"], listed["unknown"], listed["references"]) == (12, 6, 16)
    assert listed["auroc"] > 0.5
    assert 0 <= listed["far_at_95_tar"] <= 1
    assert listed["open_set"]["similarity"]["auroc"] > 0.9
    assert listed["verdicts"]["unknown"]["queries"] == 6
    (tmp_path / "skus.txt").write_text("sku-1\nsku-5\n\n")
    filed = evaluated(command, gallery, photos, "--model", model, "--unknown-skus", tmp_path / "skus.txt")
    for result in (listed, filed):
        del result["latency_ms"], result["release"]
    assert listed == filed


def test_a_folder_of_anything_else_is_unknown_too(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number, where in enumerate((tmp_path, tmp_path / "deep", tmp_path / "deep" / "er")):
        cv2.imwrite(str(where / f"{number}.jpg"), picture(7, number))
    result = evaluated(command, gallery, photos, "--model", model, "--unknown", tmp_path)
    assert (result["known"], result["unknown"]) == (18, 3)
    assert result["auroc"] is not None


def test_a_photo_that_cannot_be_read_is_left_out_and_said(
    command: Command, gallery: Path, model: Path, tmp_path: Path
) -> None:
    photos = write_photos(tmp_path / "photos", range(2), range(4, 6))
    (photos / "sku-0" / "4.png").write_bytes(b"no picture")
    done = command("evaluate", gallery, photos, "--model", model, "--json")
    result = json.loads(done.out)
    assert (result["queries"], result["refused"]) == (3, 1)
    assert any("4.png" in line and line.startswith("left out: ") for line in done.lines)


def test_the_page_needs_nothing_from_outside_and_shows_what_was_confused(
    command: Command, gallery: Path, model: Path, tmp_path: Path
) -> None:
    photos, page = write_photos(tmp_path / "photos", range(2), range(4, 6)), tmp_path / "page.html"
    (photos / "sku-0").rename(photos / "sku-4")
    done = command("evaluate", gallery, photos, "--model", model, "--html", page, "--unknown-skus", "sku-5")
    assert done.code == 0, done.err
    html = page.read_text()
    assert "<b>Product &lt;4&gt;</b> was taken for <b>Product &lt;0&gt;</b>" in html
    assert html.count('src="data:image/jpeg;base64,') == 3
    assert "Product <" not in html, "names are escaped"
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)|url\(|<script|@import""", html)
    assert "<svg" in html


def test_a_page_of_photos_that_are_all_right_says_so(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    assert command("evaluate", gallery, photos, "--model", model, "--html", page).code == 0
    assert "Nothing: every product was recognised in every photo." in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["{gallery}", "{empty}"], 1, "expected photos in a folder per product, found none"),
        (["{empty}", "{photos}"], 1, "expected pictures of products, found none"),
        (["{gallery}", "{missing}"], 1, "missing: expected a folder"),
        (["{gallery}", "{photos}", "--unknown", "{empty}"], 1, "expected photos of unknown things, found none"),
        (["{gallery}", "{photos}", "--unknown", "{missing}"], 1, "missing: cannot be read"),
        (["{gallery}", "{photos}", "--unknown-skus", "sku-9"], 2, "expected products of {gallery}, found 'sku-9'"),
        (["{gallery}", "{photos}", "--crop", "2"], 2, "--crop: expected a number from 0.1 to 1, found 2"),
        (["{gallery}", "{photos}", "--html", "{missing}/page.html"], 2, "--html: expected a folder that is there"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_refused_in_one_line(
    arguments: list[str], code: int, sentence: str,
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "empty").mkdir()
    places = {
        "gallery": gallery,
        "photos": photos,
        "empty": tmp_path / "empty",
        "missing": tmp_path / "missing",
    }
    done = command("evaluate", *[text.format(**places) for text in arguments], "--model", model)
    assert done.code == code, done.err
    assert sentence.format(**places) in done.lines[-1]


def test_products_cannot_be_left_out_of_a_catalogue_that_is_built(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    built = tmp_path / "catalogue"
    assert command("catalog", "build", gallery, "--model", model, "-o", built).code == 0
    done = command("evaluate", built, photos, "--model", model, "--unknown-skus", "sku-1")
    assert done.code == 2
    assert "expected a product folder to leave them out of" in done.lines[-1]


def test_a_catalogue_that_carries_its_model_needs_no_other(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    build = ("catalog", "build", gallery, "--model", model, "--with-model", "-o", tmp_path / "catalogue")
    assert command(*build).code == 0
    assert evaluated(command, tmp_path / "catalogue", photos)["top1"] == 1.0


def test_without_any_model_it_says_what_is_missing(
    command: Command, gallery: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    done = command("evaluate", gallery, photos)
    assert done.code == 2
    assert "--model: expected a model to build a catalogue" in done.lines[-1]
    built = tmp_path / "catalogue"
    assert command("catalog", "build", gallery, "--model", model, "-o", built).code == 0
    done = command("evaluate", built, photos)
    assert done.code == 78
    assert "expected a catalogue that carries its model, found one without" in done.lines[-1]


@pytest.mark.slow
def test_closer_looks_are_taken_as_by_find_and_the_first_looks_stand_beside_them(
    command: Command, tmp_path: Path
) -> None:
    model = ROOT / "models" / "base.tflite"
    shop, held = tmp_path / "shop", tmp_path / "held"
    for product in range(8):
        for folder, count in ((shop, 3), (held, 2)):
            (folder / f"p{product}").mkdir(parents=True)
            for number in range(count):
                item = flavour(product, 5)
                shown = studio_view(item, number) if folder is shop else held_up(item, number)
                cv2.imwrite(str(folder / f"p{product}" / f"{number}.png"), shown)
    built = tmp_path / "catalogue"
    assert command("catalog", "build", shop, "--model", model, "-o", built).code == 0
    looked = evaluated(command, built, held, "--model", model)
    plain = evaluated(command, built, held, "--model", model, "--no-second-look")
    beside = looked["second_look"]
    assert plain["second_look"] is None
    assert beside["top1_without"] == plain["top1"]
    assert beside["named_without"] == sum(each["named"] for each in plain["verdicts"].values())
    assert beside["compared"] == round(16 * beside["share"]) > 0
    mended = beside["errors_compared"]["without"] - beside["errors_compared"]["with"]
    assert looked["top1"] - plain["top1"] == pytest.approx(mended / 16, abs=1e-6)
