"""`spotter model`: embedding models and detectors, and the file that Spotter wants beside each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import Progress, add_json, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.core.public_models import PublicModel


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    parser = verbs.add_parser("model", help="fetch or describe a model")
    inner = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    spec = add_verb(
        inner,
        "spec",
        "draft the description (.json) of a .tflite, or of a YuNet (.onnx), that you trust",
        "spotter model spec embedder.tflite --write --provenance 'our own' --licence Apache-2.0",
        do_spec,
    )
    spec.add_argument("model", metavar="MODEL", help="model file; it is opened, so use one that you trust")
    spec.add_argument("--provenance", default="", metavar="TEXT", help="where the model comes from")
    spec.add_argument("--licence", default="", metavar="NAME", help="licence of the model")
    spec.add_argument("--write", action="store_true", help="write it beside the model instead of printing it")
    fetch = add_verb(
        inner,
        "fetch",
        "fetch a well-known public model and write its description",
        "spotter model fetch mobilenet-v1 -o models",
        do_fetch,
    )
    fetch.add_argument("name", nargs="?", metavar="NAME", help="one of those that --list names")
    fetch.add_argument("-o", "--out", default=".", metavar="DIR", help="where to put it (default: here)")
    fetch.add_argument("--list", action="store_true", help="name the models, with size, licence and source")
    fetch.add_argument(
        "--mirror", default="", metavar="URL", help="take the file from this folder of a server of your own"
    )
    add_json(fetch)


def do_fetch(args: argparse.Namespace) -> int:
    """Fetch one model; going on where an earlier attempt was interrupted."""
    from agent.adapters.system import SystemClock
    from agent.core.errors import UsageError, quoted
    from agent.core.public_models import PUBLIC_MODELS
    from agent.fetching import fetch_model

    if args.list:
        for name, model in PUBLIC_MODELS.items():
            _show(name, model, as_json=args.json)
        return 0
    if args.name not in PUBLIC_MODELS:
        found = quoted(args.name) if args.name else "no name"
        raise UsageError(f"expected one of {', '.join(PUBLIC_MODELS)}, or --list, found {found}")
    model = PUBLIC_MODELS[args.name]
    progress = Progress(args.name)
    path = fetch_model(model, Path(args.out), SystemClock(), mirror=args.mirror, progress=progress)
    if args.json:
        print_json({"model": str(path), "sha256": model.spec.sha256, "licence": model.spec.licence})
    else:
        print(path)
    return 0


def _show(name: str, model: PublicModel, *, as_json: bool) -> None:
    from agent.core.model_spec import ModelSpec

    spec = model.spec
    if as_json:
        facts = {"name": name, "url": model.url, "size": model.size, "sha256": spec.sha256}
        print_json({**facts, "licence": spec.licence, "about": model.about})
        return
    shape = f"{spec.input.width} px, {spec.dimension} numbers, " if isinstance(spec, ModelSpec) else ""
    print(f"{name}: {model.about}\n  {model.size / 1e6:.1f} MB, {shape}{spec.licence}\n  {model.url}")


def do_spec(args: argparse.Namespace) -> int:
    """Print or write the draft; an existing description is never overwritten."""
    from agent.adapters.detector import draft_description
    from agent.adapters.faces import draft_faces
    from agent.adapters.images import read_bytes
    from agent.core.errors import ConfigError

    model = Path(args.model)
    data = read_bytes(model, 256 << 20)
    draft = draft_faces(data, model.name) if model.suffix == ".onnx" else draft_description(data, model.name)
    draft.update({key: value for key in ("provenance", "licence") if (value := getattr(args, key))})
    text = json.dumps(draft, indent=2, ensure_ascii=False) + "\n"
    if not args.write:
        print(text, end="")
        return 0
    target = model.with_suffix(".json")
    try:
        # Half of a character, from an argument that is not UTF-8, becomes the escape that JSON has for it.
        with target.open("x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"{target}: expected no file here yet, found one; remove it to draft it again"
        ) from None
    except OSError as error:
        raise ConfigError(f"{target}: expected a place that can be written: {error.strerror}") from None
    print(target, file=sys.stderr)
    return 0
