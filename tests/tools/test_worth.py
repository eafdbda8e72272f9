"""What a model's similarities are worth: fitted, judged and written into its description."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.core.looking import sharpness
from agent.core.model_spec import parse_spec
from agent.core.others import unpack
from agent.core.types import Region
from tools.train import worth
from tools.train.haze import FULL, WAYS, Hazy, fit_haze
from tools.train.protocol import Pictures, Seen
from tools.train.recipes import MODELS


def drawn(views: int, spread: float, seed: int, products: int = 30) -> Pictures:
    """Pictures scattered around one point per product, a product's side by side."""
    centres = np.random.default_rng(0).normal(size=(products, 1, 24))
    rows = centres + spread * np.random.default_rng(seed).normal(size=(products, views, 24))
    rows = rows.reshape(-1, 24) / np.linalg.norm(rows.reshape(-1, 24), axis=1, keepdims=True)
    return Pictures(rows.astype(np.float32), np.repeat([f"p{n:02d}" for n in range(products)], views))


def elsewhere(seed: int) -> np.ndarray:
    """Pictures of one kind of things that are no products: around one point, nearly all of them."""
    dice = np.random.default_rng(seed)
    rows = dice.normal(size=24) + 0.5 * dice.normal(size=(40, 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch) -> worth.Photos:
    monkeypatch.setattr(worth, "SPLITS", 2)
    monkeypatch.setattr(worth, "UNKNOWN", 8)
    monkeypatch.setattr(worth, "RESAMPLED", 20)
    return worth.Photos(drawn(6, 0.3, 1), drawn(4, 0.8, 2))  # new photos lie farther than the gallery's


@pytest.mark.parametrize(("count", "things"), [(1, 2 * 30 * 4), (3, 2 * 30 * worth.DRAWS)])
def test_everything_is_judged_by_what_it_was_not_fitted_on(
    photos: worth.Photos, count: int, things: int
) -> None:
    judged = worth.judged(photos, count, {})
    assert len(judged) == things
    assert {each.known for each in judged} == {True, False}
    figures = worth.figures(judged)
    for value, low, high in figures.values():
        assert 0 <= low <= high <= 1
        assert 0 <= value <= 1
    assert figures["auroc"][0] > 0.7
    assert figures["named of the unknown"][0] < 0.1
    assert not any(each.known is False and each.right for each in judged)


def test_what_is_fitted_is_written_into_the_description(
    tmp_path: Path, photos: worth.Photos, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "m.json"
    before = json.loads((MODELS / "base.json").read_text())
    spec.write_text(json.dumps(before))
    far = {"one kind": elsewhere(5), "another": elsewhere(6)}
    ways = {
        "sharp": Hazy(drawn(4, 0.8, 2), np.full(120, 80.0)),
        "hazy": Hazy(drawn(4, 1.2, 7), np.full(120, 20.0)),
    }
    found = Seen(drawn(6, 0.3, 1), drawn(1, 0.1, 3), drawn(4, 0.8, 2))
    worth.describe(tmp_path / "m.tflite", found, far, ways)
    written = json.loads(spec.read_text())
    assert {**written, "calibration": 0, "new_photos": 0} == {**before, "calibration": 0, "new_photos": 0}
    new = parse_spec(spec.read_bytes(), "m.json").new_photos
    assert new is not None
    assert new.own[5] == pytest.approx(written["calibration"]["nearest"], abs=1e-6), "the middle"
    assert 0 < np.median(new.others) < new.own[5]
    fit = photos.fitted(np.ones(120, np.bool_), "120 photos that the model was not trained on")
    directions = written["calibration"].pop("others")
    haze = {name: written["calibration"].pop(name) for name in ("full", "flatter", "raised")}
    assert written["calibration"] == fit.document
    assert haze["full"] == FULL
    assert haze["raised"] > 0, "hazy ones lie farther from their product, and are no less likely of it"
    assert unpack(directions) @ far["one kind"].mean(axis=0) == pytest.approx([1.0, 0.0], abs=0.4)
    *looks, away, hazy = map(json.loads, capsys.readouterr().out.splitlines())
    assert [each["looks"] for each in looks] == [1, 5]
    for told in away["far"].values():
        assert 0.5 < told["without"] <= told["with"] <= 1
    assert hazy["haze"]["sharp"][0] == hazy["haze"]["sharp"][1]
    assert hazy["haze"]["hazy"][1] < 0.7 * hazy["haze"]["hazy"][0]


@pytest.mark.parametrize(("flatter", "raised"), [(0.0, 0.0), (1.0, 1.2), (0.5, 2.0)])
def test_what_haze_does_is_found_again(flatter: float, raised: float) -> None:
    dice = np.random.default_rng(3)
    log_odds, lacking = dice.normal(0.5, 3, 20_000), dice.choice([0.0, 0.4, 0.8], 20_000)
    odds = log_odds / (1 + flatter * lacking) + raised * lacking
    known = dice.random(20_000) < 1 / (1 + np.exp(-odds))
    found = fit_haze(log_odds, known, lacking)
    assert found == pytest.approx((flatter, raised), abs=0.2)


def test_what_is_as_sharp_as_it_can_be_says_nothing_of_haze() -> None:
    assert fit_haze(np.array([1.0, -1.0]), np.array([True, False]), np.zeros(2)) == (0.0, 0.0)


def test_each_way_makes_a_picture_less_sharp() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (400, 300, 3), dtype=np.uint8)
    where = Region((0, 0, 300, 400))
    assert sharpness(WAYS["as it is"](picture), where) == sharpness(picture, where)
    for name, way in WAYS.items():
        made = way(picture)
        height, width = made.shape[:2]
        if name.endswith(" px"):
            assert min(height, width) == int(name.split()[0])
    small, smaller = (
        sharpness(made, Region((0, 0, made.shape[1], made.shape[0])))
        for made in (WAYS["70 px"](picture), WAYS["40 px"](picture))
    )
    assert smaller < small
