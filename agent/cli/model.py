"""`spotter model`: what a `.tflite` is, in the file that Spotter wants beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import add_verb

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    parser = verbs.add_parser("model", help="describe an embedding model")
    inner = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    spec = add_verb(
        inner,
        "spec",
        "draft the description (.json) of a .tflite that you trust",
        "spotter model spec embedder.tflite --write --provenance 'our own' --licence Apache-2.0",
        do_spec,
    )
    spec.add_argument("model", metavar="MODEL", help="model file; it is opened, so use one that you trust")
    spec.add_argument("--provenance", default="", metavar="TEXT", help="where the model comes from")
    spec.add_argument("--licence", default="", metavar="NAME", help="licence of the model")
    spec.add_argument("--write", action="store_true", help="write it beside the model instead of printing it")


def do_spec(args: argparse.Namespace) -> int:
    """Print or write the draft; an existing description is never overwritten."""
    from agent.adapters.embedder import draft_spec
    from agent.adapters.images import read_bytes
    from agent.core.errors import ConfigError

    model = Path(args.model)
    draft = draft_spec(read_bytes(model, 256 << 20), model.name)
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
