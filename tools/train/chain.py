"""A model, and before it those that teach it: each is trained on the same pictures and finished once."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import torch

from tools.train.data import Sampler
from tools.train.head import refit
from tools.train.layers import read_layers
from tools.train.network import DEPTHS, Network
from tools.train.recipes import MODELS
from tools.train.run import train
from tools.train.ship import ship, unchanged, write_float
from tools.train.start import starting_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.train.data import Group
    from tools.train.layers import Layer
    from tools.train.recipes import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a training runs."""

    data: Path  # the photographs; the public weights may lie in its `models`
    work: Path  # has a folder for each model of the chain
    device: str  # "cpu" or "cuda"
    threads: int  # of the CPU


def made(recipe: Recipe, groups: Sequence[Group], place: Place) -> Path:
    """Train those that teach it, train it, quantise it; the `.tflite`, in its own folder of `work`.

    Description, curve and float model lie beside it. What an earlier run has finished is not trained again,
    and one that was interrupted goes on.

    Raises:
        ValueError: a layer is as it was.
    """
    folder = place.work / recipe.name
    network = _trained(recipe, groups, place)
    path = _written(network, recipe, groups, folder, place)
    part = folder / "finished.part"
    torch.save(network.state_dict(), part)
    part.replace(_finished(recipe, place))
    return path


def refitted(recipe: Recipe, groups: Sequence[Group], place: Place, out: Path) -> Path:
    """The layers that ship with a head and ranges made anew, as a `.tflite` in `out`; nothing is trained."""
    # int8 weights as real numbers, which quantising turns into the same again
    network, _ = _with_layers_of(MODELS / f"{recipe.name}.tflite", recipe, place)
    return _written(network, recipe, groups, out, place)


def begun(recipe: Recipe, place: Place) -> tuple[Network, list[Layer]]:
    """The network of a recipe as training begins, and the public layers in it."""
    if recipe.start is None:
        source = MODELS / "small.tflite"
    else:
        source = starting_file(recipe.start, place.data / "models", place.work)
    return _with_layers_of(source, recipe, place)


def copied(path: Path, out: Path) -> Path:
    """The model with its description and curve in another folder."""
    out.mkdir(parents=True, exist_ok=True)
    for source, name in (
        (path, path.name),
        (path.with_suffix(".json"), f"{path.stem}.json"),
        (path.with_name("log.csv"), f"{path.stem}-log.csv"),
    ):
        shutil.copyfile(source, out / name)
    return out / path.name


def say(words: str) -> None:
    """To whoever watches."""
    print(words, file=sys.stderr, flush=True)


def _trained(recipe: Recipe, groups: Sequence[Group], place: Place) -> Network:
    teachers = [_teacher(each, groups, place) for each in recipe.teachers]
    network, layers = begun(recipe, place)
    say(f"{recipe.name} is trained" + "".join(f", {each.name} teaches" for each in recipe.teachers))
    cv2.setNumThreads(1)  # batches are made beside the training, not in its way
    sampler = Sampler(groups, recipe.schedule.seed)
    network = train(network, sampler, recipe.schedule, place.work / recipe.name, place.device, teachers)
    same = unchanged(network, layers)
    if same:
        raise ValueError(f"expected every layer trained, found these as they were: {same}")
    return network


def _written(network: Network, recipe: Recipe, groups: Sequence[Group], out: Path, place: Place) -> Path:
    """The `.tflite` in `out`, with a head fitted to what the layers see; the float model in `work`."""
    refit(network, groups, recipe.side)
    path = ship(network, recipe, groups, out)
    folder = place.work / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    write_float(network, recipe, folder)
    return path


def _with_layers_of(source: Path, recipe: Recipe, place: Place) -> tuple[Network, list[Layer]]:
    torch.set_num_threads(place.threads)
    torch.manual_seed(recipe.schedule.seed)
    network = Network(recipe.width, recipe.dimension)
    layers = read_layers(source)
    network.start_from(layers)
    return network, layers


def _teacher(recipe: Recipe, groups: Sequence[Group], place: Place) -> Network:
    """A finished network with its fitted head, in real numbers: what quantising takes is not taught."""
    file = _finished(recipe, place)
    if not file.is_file():
        made(recipe, groups, place)
    network = Network(recipe.width, recipe.dimension)
    network.look_from(DEPTHS)
    network.load_state_dict(torch.load(file, weights_only=True, map_location="cpu"))
    return network


def _finished(recipe: Recipe, place: Place) -> Path:
    return place.work / recipe.name / "finished.pt"
