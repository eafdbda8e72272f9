"""`python -m tools.train`: trains an embedder from the recipe and writes it where it ships."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import AgentError
from tools.train.data import clothing, data_folder, drawn, grocery, grocery_classes, trashnet, unseen_products
from tools.train.recipes import MODELS, RECIPES, SMOKE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.train.chain import Place
    from tools.train.data import Group
    from tools.train.recipes import Recipe


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
        description="Train an embedder by its recipe, and first those that teach it; quantise it, write it "
        "with description and log. A run that was interrupted goes on from its last checkpoint.",
        epilog="example: python -m tools.train base --threads 2",
    )
    parser.add_argument("recipe", nargs="?", choices=sorted(RECIPES), help="what to train")
    parser.add_argument(
        "--smoke", action="store_true", help="a small one on drawn products alone, in minutes"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", default=data_folder(), help="the photographs")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="checkpoints and finished teachers (default: a folder for temporary files)",
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
    return args


def _train(args: argparse.Namespace) -> int:
    from tools.train.chain import copied, made, refitted, say

    recipe = _changed(RECIPES[args.recipe], args)
    place = _place(args, Path(tempfile.gettempdir(), "spotter-train"))
    left_out = unseen_products(grocery_classes(args.data)) if args.unseen else frozenset()
    groups = _groups(args.data, recipe, left_out)
    say(f"{recipe.name}: " + ", ".join(f"{len(group.pictures)} {group.name}" for group in groups))
    if args.refit:
        path = refitted(recipe, groups, place, args.out or MODELS)
    else:
        path = made(recipe, groups, place)
        if args.out or not args.unseen:
            path = copied(path, args.out or MODELS)
    say(
        f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB; compare it: python -m tools.train.protocol {path}"
    )
    return 0


def _smoke(args: argparse.Namespace) -> int:
    from tools.train.chain import begun, made, say
    from tools.train.ship import ship
    from tools.train.smoke import PRODUCTS, trial

    recipe = _changed(SMOKE, args)
    with tempfile.TemporaryDirectory(prefix="spotter-smoke-") as folder:
        place = _place(args, Path(folder))
        groups = list(drawn(recipe.drawn, args.seed))
        network, _ = begun(recipe, place)
        before = trial(ship(network, recipe, groups, place.work))
        after = trial(made(recipe, groups, place))
    say(
        f"smoke: right among {PRODUCTS} drawn products never trained on: "
        f"{100 * before:.1f} % before training, {100 * after:.1f} % after"
    )
    return 0 if after > before else 1


def _place(args: argparse.Namespace, work: Path) -> Place:
    from tools.train.chain import Place

    return Place(data=args.data, work=args.work or work, device=args.device, threads=args.threads)


def _groups(data: Path, recipe: Recipe, left_out: frozenset[str]) -> list[Group]:
    if not (data / "grocery").is_dir():
        raise OSError(
            f"{data}: expected the photographs (grocery, clothing, trashnet); set SPOTTER_DATA or --data"
        )
    scenes, studio = drawn(recipe.drawn, recipe.schedule.seed)
    return [*grocery(data, left_out), clothing(data), trashnet(data), scenes, studio]


def _changed(recipe: Recipe, args: argparse.Namespace) -> Recipe:
    """As asked for, and all that teach it too."""
    pictures = args.pictures or recipe.schedule.pictures
    return replace(
        recipe,
        name=f"{recipe.name}-unseen" if args.unseen else recipe.name,
        schedule=replace(recipe.schedule, seed=args.seed, pictures=pictures),
        teachers=tuple(_changed(each, args) for each in recipe.teachers),
    )


if __name__ == "__main__":
    sys.exit(main())
