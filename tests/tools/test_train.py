"""The recipe of the embedders: pictures and schedules repeat, a run resumes, files are what was trained."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.tiny_models import tiny_model_bytes
from tests.support.training import needs_torch
from tools.train import augment
from tools.train.data import Group, Sampler, drawn, unseen_products
from tools.train.protocol import Pictures, compared, labels, open_set, prototypes
from tools.train.recipes import MODELS, RECIPES, SMOKE, Schedule, Start
from tools.train.start import starting_file
from tools.train.surgery import without_classifier

ROOT = Path(__file__).resolve().parents[2]


def picture(seed: int = 0, height: int = 90, width: int = 120) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 4))


# What is shown


@pytest.mark.parametrize("side", [64, 96, 192])
@pytest.mark.parametrize("studio", [False, True])
def test_a_picture_taken_is_a_square_that_the_same_chance_takes_again(side: int, studio: bool) -> None:
    camera = augment.Camera(0)
    for seed in range(40):
        one, other = (
            camera.take(picture(), side, np.random.default_rng(seed), least=0.5, studio=studio)
            for _ in range(2)
        )
        assert one.shape == (side, side, 3)
        assert one.dtype == np.uint8
        assert (one == other).all()


def test_pictures_taken_differ_and_the_picture_itself_stays() -> None:
    original = picture()
    kept = original.copy()
    camera, rng = augment.Camera(0), np.random.default_rng(1)
    taken = [camera.take(original, 64, rng, studio=True) for _ in range(20)]
    assert (original == kept).all()
    assert len({one.tobytes() for one in taken}) == 20


def test_only_the_ground_of_a_studio_picture_changes_its_colour() -> None:
    studio = np.full((80, 80, 3), 255, np.uint8)
    studio[20:60, 20:60] = (40, 90, 200)
    studio[35:45, 35:45] = 255  # a white label on the product
    grounded = augment.grounded(studio, np.random.default_rng(3))
    assert (grounded[30:34, 30:34] == (40, 90, 200)).all()
    assert (grounded[38:42, 38:42] == 255).all()
    assert (grounded[:10, :10] < 250).any()


def sampler(seed: int = 0) -> Sampler:
    many, few = Group("many", 0.75, 0.25), Group("few", 0.25, 0.5, studio=True)
    for number in range(40):
        many.add(picture(number), "a" if number else "b")
    few.add(picture(99), "a")
    return Sampler([many, few, Group("empty", 0.5, 0.5)], seed)


def test_a_step_shows_the_same_batch_whenever_it_is_asked_for() -> None:
    one, other = sampler().batch(7, 16), sampler().batch(7, 16)
    assert (one[1] == other[1]).all()
    assert all((a[0] == b[0]).all() for a, b in zip(one[0], other[0], strict=True))
    assert not (sampler().batch(8, 16)[1] == one[1]).all()
    assert not (sampler(seed=1).batch(7, 16)[1] == one[1]).all()


def test_a_batch_has_its_share_of_every_group_and_rare_classes_more_than_theirs() -> None:
    made = sampler()
    names = [group.name for step in range(50) for _, group in made.batch(step, 16)[0]]
    assert names.count("many") == pytest.approx(600, abs=10)
    assert "empty" not in names
    labels = np.concatenate([made.batch(step, 16)[1] for step in range(50)])
    rare = np.mean(labels == made.classes.index("b"))
    assert rare > 2 / 40 * 0.75, "one of forty pictures, yet shown more than twice as often as that"


def test_large_pictures_are_kept_smaller() -> None:
    group = Group("photos", 1.0, 0.25)
    group.add(np.zeros((600, 1200, 3), np.uint8), "a")
    assert group.pictures[0].shape == (176, 352, 3)


def test_drawn_products_have_a_class_each_and_both_kinds_of_picture() -> None:
    scenes, studio = drawn(4, 0)
    assert set(scenes.names) == set(studio.names) == {f"drawn/{number}" for number in range(4)}


def test_the_products_left_out_are_the_same_whatever_the_order_of_their_names() -> None:
    names = [f"product {number}" for number in range(81)]
    assert unseen_products(names) == unseen_products(reversed(names))
    assert len(unseen_products(names)) == 20


# How long, how large, how fast


def test_a_schedule_warms_up_slows_down_and_ends_with_large_pictures() -> None:
    schedule = Schedule(pictures=6400, batch=64)
    paces = [schedule.pace(step) for step in range(schedule.steps)]
    assert schedule.steps == 100
    assert paces[0] < 0.1
    assert max(paces) == pytest.approx(1.0, abs=0.01)
    assert paces[-1] < 0.01
    assert [schedule.side(step) for step in (0, 49, 50, 84, 85, 99)] == [128, 128, 160, 160, 192, 192]


@pytest.mark.parametrize("recipe", [*RECIPES.values(), SMOKE], ids=lambda recipe: recipe.name)
def test_every_side_survives_five_halvings(recipe) -> None:
    assert all(side % 32 == 0 for _, side in (*recipe.schedule.sides, (1.0, recipe.side)))


# What training starts from


def start_of(data: bytes, url: str = "http://127.0.0.1:9/none") -> Start:
    return Start("start.tflite", url, hashlib.sha256(data).hexdigest(), len(data))


def test_weights_beside_the_photographs_are_taken_from_there(tmp_path: Path) -> None:
    (tmp_path / "start.tflite").write_bytes(b"weights")
    assert starting_file(start_of(b"weights"), tmp_path, tmp_path / "work") == tmp_path / "start.tflite"


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "start.tflite").write_bytes(b"weighty")
    with pytest.raises(ValueError, match=r"start\.tflite: expected the sha256 .* in 7 bytes"):
        starting_file(start_of(b"weights"), tmp_path, tmp_path / "work")


def test_weights_that_cannot_be_fetched_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="put the file there by hand"):
        starting_file(start_of(b"weights"), tmp_path, tmp_path / "work")


def test_weights_are_fetched_once(tmp_path: Path) -> None:
    (tmp_path / "far").write_bytes(b"weights")
    start, work = start_of(b"weights", (tmp_path / "far").as_uri()), tmp_path / "work"
    assert starting_file(start, tmp_path, work).read_bytes() == b"weights"
    (tmp_path / "far").unlink()
    assert starting_file(start, tmp_path, work) == work / "start.tflite"


def test_a_run_without_pytorch_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; from tools.train.__main__ import main; sys.exit(main(['base']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "train: torch is not installed: pip install 'spotter-agent[train]'\n",
    )


# What is measured


def rows(*angles_deg: float) -> np.ndarray:
    angles = np.deg2rad(angles_deg)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_nearest_neighbour_and_prototypes_of_a_gallery_worked_by_hand() -> None:
    gallery = Pictures(rows(0, 20, 90), np.array(["a", "a", "b"]))
    queries = Pictures(rows(5, 52, 80, 54), np.array(["a", "a", "b", "b"]))
    found = compared(gallery, queries)
    assert found["nearest"] == 75.0, "52° is nearer to 20° than to 90°, and so is 54°"
    assert found["prototypes"] == 75.0, "the mean of a lies at 10°: 52° is nearer to 90°, 54° too"
    assert prototypes(gallery).rows == pytest.approx(rows(10, 90), abs=1e-6)


def test_an_open_set_is_told_apart_by_the_best_similarity() -> None:
    gallery = Pictures(rows(0, 90), np.array(["a", "b"]))
    queries = Pictures(rows(2, 88, 45, 50), np.array(["a", "b", "c", "d"]))
    assert open_set(gallery, queries) == {"auroc": 1.0, "false accepts": 0.0}


def test_two_models_of_one_file_name_both_stand_in_the_table() -> None:
    old, new, other = Path("old/base.tflite"), Path("new/base.tflite"), Path("new/small.tflite")
    assert labels([old, new, other]) == {old: str(old), new: str(new), other: "small.tflite"}


def test_a_classifier_is_cut_behind_its_pooling() -> None:
    from ai_edge_litert.interpreter import Interpreter

    cut = Interpreter(model_content=without_classifier(tiny_model_bytes("uint8", 32, 4)))
    cut.allocate_tensors()
    (output,) = cut.get_output_details()
    assert list(output["shape"]) == [1, 4, 4, 3]


# What is trained


@needs_torch
@pytest.mark.parametrize("taught", [False, True], ids=["alone", "with a teacher"])
def test_a_run_that_was_interrupted_ends_where_it_would_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taught: bool
) -> None:
    import torch

    from tools.train import run
    from tools.train.network import Network

    class StoppedError(Exception):
        pass

    class Breaking(Sampler):
        def batch(self, step: int, size: int):
            if step == 3:
                raise StoppedError
            return super().batch(step, size)

    def network() -> Network:
        torch.manual_seed(0)
        return Network(0.25, 16)

    def trained(sampler: Sampler, folder: str) -> Network:
        teachers = [network()] if taught else []
        return run.train(network(), sampler, schedule, tmp_path / folder, "cpu", teachers)

    monkeypatch.setattr(run, "SAVE_S", 0.0)
    schedule = Schedule(pictures=48, batch=8, sides=((1.0, 32),))
    groups = sampler().groups
    whole = trained(Sampler(groups, 0), "whole")
    with pytest.raises(StoppedError):
        trained(Breaking(groups, 0), "parts")
    parts = trained(Sampler(groups, 0), "parts")
    assert all(
        torch.equal(one, other) for one, other in zip(whole.parameters(), parts.parameters(), strict=True)
    )
    assert (tmp_path / "parts" / "log.csv").read_text().count("\n") == 2


@needs_torch
@pytest.mark.parametrize("depths", [(26,), (10, 14, 26)], ids=["the last layer", "three depths"])
def test_the_file_computes_what_the_network_computes(depths: tuple[int, ...]) -> None:
    import torch
    from ai_edge_litert.interpreter import Interpreter

    from tools.train.convert import float_model
    from tools.train.network import Network

    torch.manual_seed(0)
    network = Network(0.25, 16)
    assert network.look_from(depths) == ((256,) if len(depths) == 1 else (64, 128, 256))
    torch.nn.init.normal_(network.head.weight)
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    interpreter = Interpreter(model_content=float_model(network, 64, "test"))
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], pixels)
    interpreter.invoke()
    with torch.no_grad():
        expected = network(torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
    assert interpreter.get_tensor(made["index"]) == pytest.approx(expected, abs=1e-5)


@needs_torch
def test_quantising_cuts_nothing_off_a_picture_whose_numbers_are_the_largest(tmp_path: Path) -> None:
    import torch
    from ai_edge_litert.interpreter import Interpreter

    from tools.train.convert import float_model, quantised
    from tools.train.network import Network

    torch.manual_seed(0)
    network = Network(0.25, 16)
    with torch.no_grad():
        for step in network.steps:
            step.convolution.weight *= 3  # so that what is in the picture arrives at the end
            step.convolution.bias.zero_()
    # Eleven pictures of twelve are grey: a mean of the ranges would be theirs.
    pixels = np.random.default_rng(0).uniform(-1, 1, (12, 1, 64, 64, 3)).astype(np.float32)
    pixels[1:] *= 0.02
    interpreter = Interpreter(model_content=quantised(float_model(network, 64, "test"), pixels, tmp_path))
    interpreter.allocate_tensors()
    scale, zero = interpreter.get_output_details()[0]["quantization"]
    with torch.no_grad():
        made = network(torch.from_numpy(pixels[0]).permute(0, 3, 1, 2)).numpy()
    assert (-128 - zero) * scale == pytest.approx(made.min(), abs=scale)
    assert (127 - zero) * scale == pytest.approx(made.max(), abs=scale)


@needs_torch
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_smoke_run_learns_something_and_writes_a_model(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tools.train",
        "--smoke",
        "--data",
        str(tmp_path),
        "--work",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "smoke: right among 40 drawn products" in done.stderr
    assert json.loads((tmp_path / "smoke.json").read_text())["dimension"] == SMOKE.dimension


# The head


def seen_in_two_shops(rng: np.random.Generator, shop: float) -> tuple[np.ndarray, np.ndarray]:
    """`(200, 32)` features of ten products, told apart by 8 small numbers under 24 that change with the picture."""
    classes = np.repeat(np.arange(10), 20)
    product = np.random.default_rng(5).normal(0, 1, (10, 8))
    picture = rng.normal(shop, 2, (200, 24))
    return np.hstack([product[classes] + rng.normal(0, 0.1, (200, 8)), picture]), classes


@needs_torch
def test_a_fitted_head_sees_the_product_in_place_of_the_picture() -> None:
    from tools.train.head import fitted

    rng = np.random.default_rng(6)
    known, classes = seen_in_two_shops(rng, 0)
    asked, truth = seen_in_two_shops(rng, 2)
    matrix, bias = fitted(known, classes, np.ones(200), 16)
    assert matrix.shape == (16, 32)
    assert bias.shape == (16,)

    def right(gallery: np.ndarray, queries: np.ndarray) -> float:
        gallery, queries = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (gallery, queries))
        return float(np.mean(classes[(queries @ gallery.T).argmax(axis=1)] == truth))

    assert right(known, asked) < 0.3
    assert right(known @ matrix.T + bias, asked @ matrix.T + bias) > 0.8


@needs_torch
def test_a_picture_that_counts_twice_is_two_pictures_to_the_head() -> None:
    from tools.train.head import fitted

    known, classes = seen_in_two_shops(np.random.default_rng(6), 0)
    counts = np.where(np.arange(200) % 3 == 0, 2, 1)
    once, _ = fitted(known, classes, counts.astype(float), 8)
    twice, _ = fitted(np.repeat(known, counts, axis=0), np.repeat(classes, counts), np.ones(counts.sum()), 8)
    one, other = (np.abs(each) / np.linalg.norm(each) for each in (once, twice))  # the sign is free
    assert one == pytest.approx(other, abs=1e-4)


@needs_torch
def test_a_depth_of_small_numbers_has_its_say_in_the_head() -> None:
    from tools.train.head import fitted

    known, classes = seen_in_two_shops(np.random.default_rng(6), 0)
    small = known * np.repeat((1e-3, 1.0), (8, 24))  # what tells the products apart is a thousandth
    even, _ = fitted(known, classes, np.ones(200), 16, (8, 24))
    scaled, _ = fitted(small, classes, np.ones(200), 16, (8, 24))
    assert np.abs(scaled[:, :8] * 1e-3) == pytest.approx(np.abs(even[:, :8]), abs=1e-4)
    alone, _ = fitted(small, classes, np.ones(200), 16)
    assert np.abs(alone[:, :8] * 1e-3).max() < np.abs(even[:, :8]).max() / 10, "what the test is about"


def photographs(folder: Path) -> Path:
    """A folder as the recipe expects it: three products, four photos of each and one from the studio."""
    grocery = folder / "grocery"
    classes = ["Class Name (str),Class ID (int),Iconic Image Path (str)"]
    listed = []
    for number in range(3):
        for name in ("studio", *"abcd"):
            path = grocery / f"{number}" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture(10 * number + ord(name[0])))
        classes.append(f"product-{number},{number},/{number}/studio.jpg")
        listed += [f"{number}/{name}.jpg, {number}, 0" for name in "abcd"]
    (grocery / "classes.csv").write_text("\n".join(classes) + "\n")
    (grocery / "train.txt").write_text("\n".join(listed) + "\n")
    (folder / "clothing").mkdir()
    (folder / "clothing" / "images.csv").write_text("image,sender_id,label,kids\n")
    return folder


@needs_torch
def test_a_head_is_fitted_anew_on_the_layers_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.adapters.embedder import EmbedderSettings, load_embedder
    from agent.core.types import Region
    from tools.train import __main__ as command
    from tools.train.layers import read_layers

    monkeypatch.setitem(RECIPES, "small", replace(RECIPES["small"], drawn=4))
    out, work, data = tmp_path / "out", tmp_path / "work", photographs(tmp_path / "data")
    given = ["small", "--refit", "--data", str(data), "--work", str(work), "--out", str(out)]
    assert command.main(given) == 0
    shipped, made = read_layers(MODELS / "small.tflite"), read_layers(out / "small.tflite")
    for before, after in zip(shipped, made, strict=True):
        step = float(np.abs(before.weights).max()) / 127
        assert after.weights == pytest.approx(before.weights, abs=step), "the layers stay"
    eyes, other = (
        load_embedder(EmbedderSettings(file=str(folder / "small.tflite"))) for folder in (out, MODELS)
    )
    where = [Region((0, 0, 120, 90))]
    assert not np.allclose(eyes.embed(picture(), where), other.embed(picture(), where), atol=0.1)
    assert (work / "small" / "small-float.tflite").is_file(), "what quantisation is measured against"


@needs_torch
def test_layers_that_training_left_as_they_were_are_named() -> None:
    import torch

    from tools.train.layers import Layer
    from tools.train.network import Network
    from tools.train.ship import unchanged

    network = Network(0.25, 16)
    layers = []
    for step in network.steps:
        weights, bias = (value.detach().numpy().copy() for value in step.convolution.parameters())
        depthwise = step.convolution.groups > 1
        layers.append(Layer(weights.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)), bias, depthwise))
    with torch.no_grad():
        for number, step in enumerate(network.steps):
            if number != 5:
                step.convolution.weight += 0.1
                step.convolution.bias += 0.1
    assert unchanged(network, layers) == [5]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_be_made_shorter_without_changing_its_rates(name: str) -> None:
    schedule = RECIPES[name].schedule
    shorter = replace(schedule, pictures=schedule.pictures // 2)
    assert shorter.pace(shorter.steps // 2) == pytest.approx(schedule.pace(schedule.steps // 2), abs=0.01)
