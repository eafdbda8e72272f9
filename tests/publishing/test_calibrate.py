"""The curve fitted on a catalogue tells right from wrong, and falls back where there is too little to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.core.calibration import DEFAULT_CALIBRATION, KNOWN_SHARE, Calibration
from agent.core.evidence import ONE_LOOK, WEIGHED, decide
from agent.core.matching import group, key_of
from agent.core.model_spec import InputSpec, ModelSpec, NewPhotos
from agent.core.others import USUAL_SHARE, pack
from agent.core.types import Look
from agent.publishing import asked as module
from agent.publishing.asked import ask_photos, ask_references
from agent.publishing.calibrate import (
    beside_others,
    calibrate,
    calibrate_on,
    new_photos,
    through_haze,
    usual_cosine,
)
from agent.publishing.logistic import fit_choice, fit_logistic

DIMENSION = 32
Vectors = Callable[[NDArray[np.uint64]], NDArray[np.float32]]


def catalogue(
    products: int, views: int, spread: float = 0.6, seed: int = 0
) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Keys and unit rows: views scattered around one point per product."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(products, 1, DIMENSION))
    rows = (centres + spread * rng.normal(size=(products, views, DIMENSION))).reshape(-1, DIMENSION)
    keys = [key_of(product, view) for product in range(1, products + 1) for view in range(views)]
    return np.array(keys, np.uint64), (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def fitted(keys: NDArray[np.uint64], rows: NDArray[np.float32]) -> Calibration:
    return calibrate(keys, rows_of(keys, rows))


def test_a_clear_answer_is_probable_and_a_doubtful_one_is_not() -> None:
    curve = fitted(*catalogue(60, 6))
    assert curve.source == "360 of 360 references of 60 products, half of the siblings left out"
    assert curve.probability(0.9, 0.4) > 0.95
    assert curve.probability(0.3, 0.0) < 0.1


FEW = catalogue(4, 50)
APART = catalogue(40, 6, spread=0.3)  # siblings come within 0.9
LOOSE = catalogue(40, 6, spread=1.0)  # … within 0.5
TWINS = (APART[0], np.concatenate([APART[1][:120], APART[1][:120]]))
ITS = Calibration(-6.0, 8.0, 0.0, "the model's", nearest=0.7)
NEW = NewPhotos(own=(0.5, 0.7, 0.9), others=(0.0, 0.3), nearer=0.05)


def spec(calibration: Calibration | None, new: NewPhotos | None = None) -> ModelSpec:
    size = InputSpec(height=96, width=96, dtype="uint8", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return ModelSpec(
        name="a model",
        file="m.tflite",
        sha256="0" * 64,
        input=size,
        dimension=DIMENSION,
        calibration=calibration,
        new_photos=new,
    )


Answers = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]


def answers(
    keys: NDArray[np.uint64], rows: NDArray[np.float32], curve: Calibration, new: NDArray[np.float32]
) -> Answers:
    """To as many new views of each product, in their order: probability, right, named, lacking.

    The product of every fourth is taken out of the catalogue: what `KNOWN_SHARE` takes for granted.
    """
    products = keys >> np.uint64(24)
    own = np.repeat(np.unique(products), len(new) // len(np.unique(products)))
    lacking = np.arange(len(new)) % 4 == 0
    told = []
    for row, product, without in zip(new, own, lacking, strict=True):
        left = (products != product) | ~without
        look = Look(group(keys[left], rows[left] @ row, WEIGHED))
        decision = decide([look], curve, replace(ONE_LOOK, false_accept=0.05))
        right = decision.options[0].product == product and not without
        told.append((decision.probability, right, decision.product is not None))
    p, right, named = (np.array(each) for each in zip(*told, strict=True))
    return p, right.astype(np.bool_), named.astype(np.bool_), lacking


def new_views(products: int, views: int, spread: float, seed: int) -> NDArray[np.float32]:
    """Of the products that `catalogue` draws by this seed."""
    centres = np.random.default_rng(seed).normal(size=(products, 1, DIMENSION))
    scatter = np.random.default_rng(9).normal(size=(products, views, DIMENSION))
    new = (centres + spread * scatter).reshape(-1, DIMENSION)
    return (new / np.linalg.norm(new, axis=1, keepdims=True)).astype(np.float32)


def test_answers_to_new_views_are_as_sure_as_they_are_right() -> None:
    """New views scatter as far from the references as the farther half of these from each other."""
    keys, rows = catalogue(80, 8, spread=1.0, seed=1)
    p, right, named, lacking = answers(keys, rows, fitted(keys, rows), new_views(80, 8, 1.2, seed=1))
    assert p.mean() == pytest.approx(right.mean(), abs=0.08)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        chosen = (p >= low) & (p < high)
        if chosen.sum() > 40:
            assert p[chosen].mean() == pytest.approx(right[chosen].mean(), abs=0.15)
    assert named[lacking].mean() < 0.1, "asked for were 5 %"
    assert named[~lacking].mean() > 0.3


def test_pictures_of_one_kind_are_judged_by_how_new_ones_come_to_the_model() -> None:
    """Studio pictures lie closer together than any photo comes to them: they say nothing of photos."""
    trained, photos = catalogue(60, 8, spread=0.2, seed=2), new_views(60, 4, 1.0, seed=2)
    usual = ask_references(trained[0], rows_of(*trained))
    shown = np.repeat(np.arange(1, 61, dtype=np.uint64), 4)
    found = ask_photos(photos, shown, trained[0], rows_of(*trained))
    model = spec(calibrate_on(found, "photos"), new_photos(found, usual))

    keys, rows = catalogue(60, 4, spread=0.2, seed=3)
    alone, told = fitted(keys, rows), calibrate(keys, rows_of(keys, rows), model)
    assert told.source == f"{alone.source}, as near as new photos of the model come"
    new = new_views(60, 8, 1.0, seed=3)
    p, right, named, lacking = answers(keys, rows, told, new)
    assert p.mean() == pytest.approx(right.mean(), abs=0.08)
    assert named[lacking].mean() < 0.15, "asked for were 5 %"
    assert named[~lacking].mean() > 0.8
    shy, *_ = answers(keys, rows, alone, new)
    assert abs(shy.mean() - right.mean()) > 2 * abs(p.mean() - right.mean())


def test_new_photos_come_no_nearer_and_their_neighbours_do() -> None:
    keys, rows = APART
    found = ask_references(keys, rows_of(keys, rows))
    moved = found.as_new(NEW)
    order = np.argsort(found.own[:, 0], kind="stable")
    assert np.quantile(moved.own[:, 0], [0.25, 0.5, 0.75]) == pytest.approx([0.6, 0.7, 0.8], abs=0.01)
    assert (np.diff(moved.own[order, 0]) >= 0).all()
    assert found.others - moved.others == pytest.approx(-0.05)
    assert ((moved.own > -1) == (found.own > -1)).all(), "what is not there stays away"
    nearer = NewPhotos(own=(0.99, 1.0), others=(0.0, 0.3), nearer=0.0)
    assert (found.as_new(nearer).own == found.own).all()


def test_few_products_say_little_of_what_is_lacking() -> None:
    far = NewPhotos(own=(0.5, 0.9), others=(0.7, 0.8), nearer=0.0)
    few, many = (ask_references(*of(products, 20)) for products in (10, 200))
    lacking = few.as_lacking(far)
    usual = np.median(few.others[:, 0])
    assert np.median(lacking.others[:, 0]) == pytest.approx((10 * usual + 20 * 0.75) / 30, abs=0.02)
    assert (lacking.own == few.own).all()
    assert (lacking.others[:, 1:] == few.others[:, 1:]).all()
    moved = lacking.others[:, 0] - few.others[:, 0]
    assert lacking.support - few.support == pytest.approx(moved)
    assert 0 < (many.as_lacking(far).support - many.support).mean() < 0.2 * moved.mean()
    near = NewPhotos(own=(0.5, 0.9), others=(-1.0, -0.9), nearer=0.0)
    assert (few.as_lacking(near).others == few.others).all(), "strangers are never farther than what is seen"


def test_ten_products_that_were_chosen_far_apart_do_not_make_strangers_known() -> None:
    """Where a shop picks ten that are unlike each other, others are more like one of them."""
    keys, rows = catalogue(10, 8, spread=0.3, seed=6)
    products = np.arange(10).repeat(8)
    apart = np.eye(10, DIMENSION)
    rows = apart[products] + 0.1 * rows
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    like_one = (apart + 1.3 * np.eye(10, DIMENSION, k=10)).astype(np.float32)
    like_one /= np.linalg.norm(like_one, axis=1, keepdims=True)
    usual = NewPhotos(
        own=tuple(np.linspace(0.7, 1, 11).tolist()),
        others=tuple(np.linspace(0.4, 0.99, 11).tolist()),
        nearer=0.0,
    )
    it = replace(ITS, nearest=1.0)
    settings = replace(ONE_LOOK, false_accept=0.01)

    def named(model: ModelSpec) -> list[bool]:
        curve = calibrate(keys, rows_of(keys, rows), model)
        asked = np.concatenate([like_one, rows[::8]])
        looks = [Look(group(keys, rows @ row, WEIGHED)) for row in asked]
        return [decide([look], curve, settings).product is not None for look in looks]

    assert named(spec(it)) == [True] * 20, "what the catalogue says alone"
    assert named(spec(it, usual)) == [False] * 10 + [True] * 10


def of(products: int, views: int) -> tuple[NDArray[np.uint64], Vectors]:
    keys, rows = catalogue(products, views)
    return keys, rows_of(keys, rows)


def rows_of(keys: NDArray[np.uint64], rows: NDArray[np.float32]) -> Vectors:
    return lambda wanted: rows[np.searchsorted(keys, wanted)]


TOO_LITTLE = {
    "nothing": (0, 0),
    "one product": (1, 50),
    "four products": (4, 50),
    "one view each": (100, 1),
    "19 views with a sibling": (6, 3),
}


@pytest.mark.parametrize(("products", "views"), TOO_LITTLE.values(), ids=TOO_LITTLE.keys())
def test_too_little_to_learn_from_gives_the_default(products: int, views: int) -> None:
    assert fitted(*catalogue(products, views)) == DEFAULT_CALIBRATION


DEGENERATE = {
    "all views of a product are one": {"spread": 0.0},
    "products cannot be told apart": {"spread": 100.0},
}


@pytest.mark.parametrize("more", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_degenerate_catalogues_give_a_finite_curve(more: dict[str, float]) -> None:
    curve = fitted(*catalogue(30, 4, **more))
    assert 0 <= curve.probability(1.0, 0.0) <= curve.probability(1.0, 1.0) <= 1


def test_all_references_alike_give_a_finite_curve() -> None:
    keys, rows = catalogue(30, 4)
    rows[:] = rows[0]
    curve = fitted(keys, rows)
    assert curve.probability(1.0, 0.0) == pytest.approx(KNOWN_SHARE, abs=0.01), "nothing can be learned"
    assert curve.false_accept(curve.evidence(1.0, 0.0, 1.0), looks=2) > 0.5


def test_the_curve_is_the_same_every_time_and_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, rows = catalogue(60, 8)
    whole = fitted(keys, rows)
    assert fitted(keys, rows) == whole
    monkeypatch.setattr(module, "_BLOCK", 37)  # products larger and smaller than a block change nothing
    in_blocks = fitted(keys, rows)
    assert in_blocks.similarity == pytest.approx(whole.similarity, rel=1e-3)
    monkeypatch.setattr(module, "SAMPLE", 200)
    sampled = fitted(keys, rows)
    assert sampled.source.startswith("200 of 480 references")
    assert sampled.probability(0.7, 0.2) == pytest.approx(whole.probability(0.7, 0.2), abs=0.1)


def test_products_without_siblings_play_no_query_but_are_found() -> None:
    keys, rows = catalogue(20, 4)
    more, others = catalogue(300, 1, seed=5)
    more = more + np.uint64(key_of(20, 0))
    curve = fitted(np.concatenate([keys, more]), np.concatenate([rows, others]))
    assert curve.source == "80 of 380 references of 320 products, half of the siblings left out"


def test_nearest_siblings_are_left_out_and_the_rest_counts() -> None:
    """Of five in two bursts of the same picture, two are left out: what is left is the other burst."""
    keys = np.array([key_of(p, v) for p in range(1, 7) for v in range(5)], np.uint64)
    rows = np.zeros((30, 40), np.float32)
    for place in range(30):
        product, view = divmod(place, 5)
        rows[place, 2 * product] = 1.0 if view < 3 else 0.6
        rows[place, 2 * product + 1] = 0.0 if view < 3 else 0.8
    own = module.ask_references(keys, rows_of(keys, rows)).own[:5]
    assert own[:, 0].tolist() == pytest.approx([0.6] * 3 + [0.6] * 2)


def test_the_usual_cosine_is_that_of_two_photos_of_one_product() -> None:
    keys, rows = catalogue(40, 6, spread=0.5)
    products = keys >> np.uint64(24)
    usual = usual_cosine(products, lambda places: rows[places])
    pairs = np.array([rows[n] @ rows[n + 3] for n in range(0, len(rows), 6)])
    assert usual == pytest.approx(float(np.median(pairs)), abs=0.05)
    assert usual_cosine(products[::6], lambda places: rows[::6][places]) == 0.0, "one photo each"


def test_a_choice_finds_the_sharpness_that_made_it() -> None:
    rng = np.random.default_rng(0)
    similarities = rng.uniform(0, 1, (20_000, 5))
    chosen = (30 * similarities + rng.gumbel(size=similarities.shape)).argmax(axis=1)
    right = similarities[np.arange(len(chosen)), chosen]
    others = np.sort(np.where(np.arange(5) == chosen[:, None], -1, similarities))[:, :0:-1]
    assert fit_choice(right, others) == pytest.approx(30, rel=0.05)
    assert fit_choice(np.array([0.1]), np.array([[0.9, 0.8]])) == 1.0, "the right one is never among them"


def test_logistic_regression_finds_the_curve_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform([0, 0], [1, 0.5], (40_000, 2))
    p = 1 / (1 + np.exp(-(-4 + 5 * features[:, 0] + 6 * features[:, 1])))
    bias, (similarity, margin) = fit_logistic(features, rng.random(len(p)) < p, np.ones(len(p)))
    assert (bias, similarity, margin) == pytest.approx((-4, 5, 6), abs=0.3)


def test_features_that_hardly_differ_get_no_slope_without_bounds() -> None:
    features = np.where(np.arange(100) < 50, 0.9, 0.9 + 1e-7)[:, None]
    _, (slope,) = fit_logistic(features, np.arange(100) < 50, np.ones(100))
    assert slope < 1e4
    _, (slope,) = fit_logistic(features, np.arange(100) >= 50, np.ones(100))
    assert slope < 1e4


def test_a_slope_that_would_fall_is_left_out() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (5000, 2))
    ones = np.ones(5000)
    noise = 0.2 * rng.normal(size=5000)
    _, (similarity, margin) = fit_logistic(features, features[:, 1] > features[:, 0] + noise, ones)
    assert similarity == 0
    assert margin > 1
    bias, (similarity, margin) = fit_logistic(features, features.sum(axis=1) < 0.5, ones)
    assert (similarity, margin) == (0, 0)
    assert 1 / (1 + np.exp(-bias)) == pytest.approx(1 / 8, abs=0.02)


USED = {
    "the catalogue's where nobody measured the model": (APART, spec(None), False, "half of the siblings"),
    "the catalogue's where its pictures lie as new ones do": (
        LOOSE,
        spec(ITS, NEW),
        False,
        "siblings left out",
    ),
    "the model's where no more is known of new ones": (APART, spec(ITS), False, "the model's"),
    "both where more is known": (APART, spec(ITS, NEW), False, "as near as new photos of the model come"),
    "the model's where the catalogue has too few": (FEW, spec(ITS, NEW), False, "the model's"),
    "the model's where products are each other's twins": (TWINS, spec(ITS, NEW), False, "the model's"),
    "the catalogue's where a projection makes other similarities": (APART, spec(ITS, NEW), True, "left out"),
}


@pytest.mark.parametrize(("pictures", "model", "projected", "used"), USED.values(), ids=USED.keys())
def test_whose_numbers_are_used(
    pictures: tuple[NDArray[np.uint64], NDArray[np.float32]], model: ModelSpec, projected: bool, used: str
) -> None:
    keys, rows = pictures
    made = calibrate(keys, rows_of(keys, rows), model, projected=projected)
    assert made.source.endswith(used) or (used == "half of the siblings" and used in made.source)


def test_photos_that_are_no_references_are_judged_as_they_are() -> None:
    keys, rows = catalogue(40, 6)
    curve = calibrate_on(ask_photos(rows, keys >> np.uint64(24), keys, rows_of(keys, rows)), "themselves")
    assert (curve.source, curve.nearest) == ("themselves", 1.0)
    assert curve.probability(1.0, 0.5, 1.0) > 0.9


def test_a_catalogue_has_the_directions_of_its_model_and_where_its_own_pictures_end() -> None:
    _, rows = catalogue(6, 4)
    model = replace(DEFAULT_CALIBRATION, others=pack(np.eye(2, DIMENSION, dtype=np.float32)))
    own = replace(DEFAULT_CALIBRATION, alike=0.5)
    made = beside_others(own, model, lambda places: rows[places], len(rows))
    assert replace(made, others="", others_from=1.0) == own
    assert made.others == model.others
    nearest = rows[:, :2].max(axis=1)
    assert made.others_from == pytest.approx(np.quantile(nearest, USUAL_SHARE), abs=1e-2)
    for lacking in (None, DEFAULT_CALIBRATION):
        assert beside_others(own, lacking, lambda places: rows[places], len(rows)) == own


def test_a_catalogue_sees_through_haze_as_its_model_does() -> None:
    model = replace(DEFAULT_CALIBRATION, full=50.0, flatter=1.0, raised=1.2)
    own = replace(DEFAULT_CALIBRATION, similarity=12.0)
    made = through_haze(own, model)
    assert (made.similarity, made.full, made.flatter, made.raised) == (12.0, 50.0, 1.0, 1.2)
    assert through_haze(made, None) == own, "also where all of a model's numbers stand in"
