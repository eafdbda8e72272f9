"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import ConfigError, UsageError, quoted
from agent.core.settings import check_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.embedder import EmbedderSettings
    from agent.config import CameraEntry, Settings

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  it has no public name

DEFAULT_CONFIG = "/etc/spotter/spotter.yaml"


def add_verb(
    verbs: Verbs, name: str, help_line: str, example: str, do: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """A verb whose `--help` ends in an example that can be copied."""
    parser = verbs.add_parser(
        name,
        help=help_line,
        description=f"{help_line[0].upper()}{help_line[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(do=do)
    return parser


def add_config(parser: argparse.ArgumentParser, default: str | None = DEFAULT_CONFIG) -> None:
    """`-c FILE`."""
    parser.add_argument(
        "-c", "--config", default=default, metavar="FILE", help=f"configuration file (default: {default})"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_model(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """`--model FILE`."""
    parser.add_argument(
        "--model",
        required=required,
        metavar="FILE",
        help="embedding model (.tflite, with its .json beside it)",
    )


def add_crop(parser: argparse.ArgumentParser, help_line: str, default: float | None = None) -> None:
    """`--crop SHARE`."""
    parser.add_argument("--crop", type=float, default=default, metavar="SHARE", help=help_line)


def add_page(parser: argparse.ArgumentParser, help_line: str) -> None:
    """`--html FILE`."""
    parser.add_argument("--html", type=Path, metavar="FILE", help=help_line)


def model_argument(file: str) -> EmbedderSettings:
    """What `--model` names, with the settings a configuration would leave out.

    Raises:
        ConfigError: it cannot be a model.
    """
    from agent.adapters.embedder import EmbedderSettings

    try:
        return EmbedderSettings(file=file)
    except ValueError as error:
        raise ConfigError(f"--model: {str(error).removeprefix('file: ')}") from None


def check_argument(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside [low, high], NaN included; `name` is the option as it is typed.

    Raises:
        UsageError: with the option, the range and the value.
    """
    try:
        check_range(name, value, low, high)
    except ValueError as error:
        raise UsageError(str(error)) from None


def chosen_camera(settings: Settings, wanted: str | None) -> CameraEntry:
    """The camera that `--camera` names; without it the first. UsageError: there is none of this name."""
    by_id = {camera.id: camera for camera in settings.cameras}
    name = settings.cameras[0].id if wanted is None else wanted
    if name not in by_id:
        raise UsageError(f"--camera: expected one of {', '.join(by_id)}, found {quoted(name)}")
    return by_id[name]


def check_crop(crop: float | None) -> None:
    """Refuse a `--crop` that nothing could be seen of. Raises UsageError."""
    from agent.core.regions import MIN_CROP

    if crop is not None:
        check_argument("--crop", crop, MIN_CROP, 1)


def check_page(path: Path | None) -> None:
    """Refuse an `--html` that cannot be written: now, not after an hour of work. Raises UsageError."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise UsageError(f"--html: expected a folder that is there, found {path.parent}")
    if path.is_dir():
        raise UsageError(f"--html: expected a file, found the directory {path}")


def whole(text: str, low: int, high: int) -> int:
    """The value of an option that is a whole number from `low` to `high`.

    Raises:
        ArgumentTypeError: it is something else.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, found {text!r}")
    return int(text)


def complain(sentence: str) -> None:
    """`spotter: …` on stderr, in one line whatever a file's name holds."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in sentence)
    with suppress(OSError):  # stderr may be full; the exit code still tells
        print(f"spotter: {line}", file=sys.stderr)


def print_json(value: Any) -> None:
    """One object on one line, written at once."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False), flush=True)


class Progress:
    """A bar on stderr when that is a terminal; silent otherwise."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Show `done` of `total`."""
        if not self._shown or total <= 0:
            return
        filled = 30 * done // total
        end = "\n" if done >= total else ""
        bar = "█" * filled + "·" * (30 - filled)
        print(f"\r{self._label} {bar} {done}/{total}", end=end, file=sys.stderr, flush=True)
