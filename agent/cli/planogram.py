"""`spotter planogram`: what stands where on a shelf, taken over from other programs or learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli import planogram_learn
from agent.cli.options import add_verb, complain

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verbs."""
    parser = verbs.add_parser("planogram", help="what stands where on a shelf")
    inner = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    taken = add_verb(
        inner,
        "import",
        "write a planogram file from Azure's planogram JSON or from CSV",
        "spotter planogram import planogram.json -o planogram.yaml --points 40,60 1240,70 1230,690 45,680",
        do_import,
    )
    taken.add_argument("file", type=Path, metavar="FILE", help="a .json or .csv file")
    taken.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the YAML file to write"
    )
    taken.add_argument(
        "--points",
        nargs=4,
        metavar="X,Y",
        help="where the corners of the planogram are in the camera's picture, pixels, clockwise from the "
        "upper left (default: those of the picture)",
    )
    planogram_learn.add(inner)


def do_import(args: argparse.Namespace) -> int:
    """Read, check as the daemon will, and write."""
    import yaml

    from agent.adapters.durable import write_whole
    from agent.adapters.images import read_bytes
    from agent.core.errors import InputError, UsageError
    from agent.core.planogram import Planogram
    from agent.core.planogram_import import BYTES_LIMIT, from_azure, from_csv
    from agent.settings_fill import fill
    from agent.yamlfile import Document

    points = [_point(text) for text in args.points] if args.points else None
    if args.file.suffix.lower() not in {".json", ".csv"}:
        raise UsageError(f"FILE: expected a .json or .csv file, found {args.file.name}")
    data = read_bytes(args.file, BYTES_LIMIT)
    try:
        plan = from_azure(data) if args.file.suffix.lower() == ".json" else from_csv(_text(data))
    except InputError as error:
        lines = str(error).splitlines()
        for line in lines[:-1]:
            complain(f"{args.file}: {line}")
        raise InputError(f"{args.file}: {lines[-1]}") from None
    if points is not None:
        if "fixtures" not in plan:
            raise UsageError("--points: expected for a planogram in centimetres, found one in pixels")
        plan["unit"] = "px"
        plan["fixtures"][0]["points"] = points
    fill(Document(str(args.file), plan, {(): 1}), Planogram, {})
    text = yaml.safe_dump(plan, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    write_whole(args.output, text.encode())
    complain(f"{args.output}: {len(plan['slots'])} slots")
    return 0


def _point(text: str) -> list[float]:
    from agent.core.errors import UsageError

    parts: list[Any] = text.split(",")
    try:
        x, y = (float(part) for part in parts)
    except ValueError:
        raise UsageError(f"--points: expected X,Y in pixels, found {text!r}") from None
    return [x, y]


def _text(data: bytes) -> str:
    from agent.core.errors import InputError

    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"expected UTF-8 text, found byte 0x{data[error.start]:02x}") from None
