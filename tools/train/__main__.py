"""`python -m tools.train`: trains an embedder from the recipe and writes it where it ships."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import AgentError
from tools.train.data import clothing, data_folder, drawn, grocery, grocery_classes, trashnet, unseen_products
from tools.train.recipes import RECIPES, SMALL, SMOKE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.train.data import Group
    from tools.train.layers import Layer
    from tools.train.network import Network
    from tools.train.recipes import Recipe

MODELS = Path(__file__).resolve().parents[2] / "models"


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the model is written, 1 when something is missing or the smoke run learned nothing."""
    args = _arguments(argv)
    for module in ("torch", "ai_edge_quantizer"):
        if importlib.util.find_spec(module) is None:
            print(f"train: {module} is not installed: pip install 'spotter-agent[train]'", file=sys.stderr)
            return 1
    try:
        return _smoke(args) if args.smoke else _train(args)
    except (AgentError, OSError, ValueError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.train",
        description="Train an embedder by its recipe, quantise it, write it with description and log. "
        "A run that was interrupted goes on from its last checkpoint.",
        epilog="example: python -m tools.train base --threads 2",
    )
    parser.add_argument("recipe", nargs="?", choices=sorted(RECIPES), help="what to train")
    parser.add_argument(
        "--smoke", action="store_true", help="a small one on drawn products alone, in minutes"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", default=data_folder(), help="the photographs")
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="checkpoints (default: a folder for temporary files)"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="default: models/ of this repository")
    parser.add_argument(
        "--refit", action="store_true", help="train nothing: fit the head anew on the layers that ship"
    )
    parser.add_argument("--unseen", action="store_true", help="leave out the products of P4; nothing ships")
    parser.add_argument(
        "--pictures", type=int, metavar="N", help="how many to train on, in place of the recipe's"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another chance (default: 0)")
    parser.add_argument("--device", default="cpu", help="cpu (default), or cuda where there is a GPU")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of the CPU (default: 2)")
    args = parser.parse_args(argv)
    if not args.smoke and args.recipe is None:
        parser.error("expected base, small or --smoke")
    if args.refit and (args.smoke or args.unseen):
        parser.error("--refit: expected base or small alone, whose layers ship")
    if args.unseen and not args.smoke and RECIPES[args.recipe].teacher:
        parser.error(f"--unseen: expected base, the teacher of {args.recipe} was trained on those products")
    return args


def _train(args: argparse.Namespace) -> int:
    recipe = _changed(RECIPES[args.recipe], args)
    work = (args.work or Path(tempfile.gettempdir(), "spotter-train")) / recipe.name
    left_out = unseen_products(grocery_classes(args.data)) if args.unseen else frozenset()
    groups = _groups(args.data, recipe, left_out)
    _say(f"{recipe.name}: " + ", ".join(f"{len(group.pictures)} {group.name}" for group in groups))
    work.mkdir(parents=True, exist_ok=True)
    network = _shipped(recipe, args) if args.refit else _trained_anew(recipe, groups, work, args)
    out = args.out or (work if args.unseen else MODELS)
    from tools.train.head import refit
    from tools.train.ship import ship, write_float

    refit(network, groups, recipe.side)
    path = ship(network, recipe, groups, out)
    write_float(network, recipe, work)
    if not args.refit:
        shutil.copyfile(work / "log.csv", out / f"{recipe.name}-log.csv")
    _say(
        f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB; compare it: python -m tools.train.protocol {path}"
    )
    return 0


def _smoke(args: argparse.Namespace) -> int:
    from tools.train.head import refit
    from tools.train.ship import ship
    from tools.train.smoke import PRODUCTS, trial

    recipe = _changed(SMOKE, args)
    with tempfile.TemporaryDirectory(prefix="spotter-smoke-") as folder:
        work = args.work or Path(folder)
        groups = list(drawn(recipe.drawn, args.seed))
        network, _ = _begun(recipe, work, args)
        before = trial(ship(network, recipe, groups, work))
        network = _trained(network, recipe, groups, work, args)
        refit(network, groups, recipe.side)
        after = trial(ship(network, recipe, groups, work))
    _say(
        f"smoke: right among {PRODUCTS} drawn products never trained on: "
        f"{100 * before:.1f} % before training, {100 * after:.1f} % after"
    )
    return 0 if after > before else 1


def _begun(recipe: Recipe, work: Path, args: argparse.Namespace) -> tuple[Network, list[Layer]]:
    """The network as training begins, and the public layers in it."""
    from tools.train.start import starting_file

    shipped = MODELS / f"{SMALL.name}.tflite"
    source = starting_file(recipe.start, args.data / "models", work) if recipe.start else shipped
    return _with_layers_of(source, recipe, args)


def _with_layers_of(source: Path, recipe: Recipe, args: argparse.Namespace) -> tuple[Network, list[Layer]]:
    import torch

    from tools.train.layers import read_layers
    from tools.train.network import Network

    torch.set_num_threads(args.threads)
    torch.manual_seed(recipe.schedule.seed)
    network = Network(recipe.width, recipe.dimension)
    layers = read_layers(source)
    network.start_from(layers)
    return network, layers


def _shipped(recipe: Recipe, args: argparse.Namespace) -> Network:
    """The layers that ship: int8 weights as real numbers, which quantising turns into the same again."""
    network, _ = _with_layers_of(MODELS / f"{recipe.name}.tflite", recipe, args)
    return network


def _trained_anew(recipe: Recipe, groups: Sequence[Group], work: Path, args: argparse.Namespace) -> Network:
    """The network after the training.

    Raises:
        ValueError: a layer is as it was.
    """
    network, layers = _begun(recipe, work, args)
    network = _trained(network, recipe, groups, work, args, _teacher(recipe, groups, args))
    same = _unchanged(network, layers)
    if same:
        raise ValueError(f"expected every layer trained, found these as they were: {same}")
    return network


def _teacher(recipe: Recipe, groups: Sequence[Group], args: argparse.Namespace) -> Network | None:
    """The model that teaches, its head fitted anew: what quantising took from it is not taught."""
    if recipe.teacher is None:
        return None
    from tools.train.head import refit

    teacher = RECIPES[recipe.teacher]
    _say(f"{recipe.name}: {teacher.name} teaches; its head is fitted, which takes minutes")
    network = _shipped(teacher, args)
    refit(network, groups, teacher.side)
    return network


def _trained(
    network: Network,
    recipe: Recipe,
    groups: Sequence[Group],
    work: Path,
    args: argparse.Namespace,
    teacher: Network | None = None,
) -> Network:
    import cv2

    from tools.train.data import Sampler
    from tools.train.run import train

    cv2.setNumThreads(1)  # batches are made beside the training, not in its way
    sampler = Sampler(groups, recipe.schedule.seed)
    return train(network, sampler, recipe.schedule, work, args.device, teacher)


def _unchanged(network: Network, layers: list[Layer]) -> list[int]:
    from tools.train.ship import unchanged

    return unchanged(network, layers)


def _groups(data: Path, recipe: Recipe, left_out: frozenset[str]) -> list[Group]:
    if not (data / "grocery").is_dir():
        raise OSError(
            f"{data}: expected the photographs (grocery, clothing, trashnet); set SPOTTER_DATA or --data"
        )
    scenes, studio = drawn(recipe.drawn, recipe.schedule.seed)
    return [*grocery(data, left_out), clothing(data), trashnet(data), scenes, studio]


def _changed(recipe: Recipe, args: argparse.Namespace) -> Recipe:
    pictures = args.pictures or recipe.schedule.pictures
    name = f"{recipe.name}-unseen" if args.unseen else recipe.name
    return replace(recipe, name=name, schedule=replace(recipe.schedule, seed=args.seed, pictures=pictures))


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
