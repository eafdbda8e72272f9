"""A public model becomes a file and its description in a folder: both are right, or neither is there."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from agent.adapters.durable import replace, write_whole
from agent.adapters.server import FileServer, fetch_file
from agent.core.errors import ConfigError, DeviceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.public_models import PublicModel


def fetch_model(
    model: PublicModel,
    folder: Path,
    clock: Clock,
    *,
    mirror: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The path of the model in `folder`, which is made where it is missing.

    What came of an interrupted transfer is kept beside it (`….part`) and gone on with. A file that is there
    already and is the right one is not fetched again. `mirror` is the URL of another folder to take it from.

    Raises:
        UsageError: `mirror` is no URL.
        ConfigError: another model or description of that name is there; neither is ever overwritten.
        TransferError: it did not come.
        VerifyError: what came is something else; nothing of it is kept.
        DeviceError: the disk failed or is full.
    """
    try:
        server = FileServer(url=mirror or model.base)
    except ValueError as error:
        raise UsageError(f"--mirror: {str(error).removeprefix('url: ')}") from None
    target = folder / model.spec.file
    description = target.with_suffix(".json")
    spec = (json.dumps(model.spec.document(), indent=2, ensure_ascii=False) + "\n").encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = _digest(target)
        described = _digest(description)
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be used: {error.strerror}") from None
    if found == model.spec.sha256 and described:  # somebody may have changed how it is described
        return target
    wanted = {target: (found, model.spec.sha256), description: (described, hashlib.sha256(spec).hexdigest())}
    for path, (there, right) in wanted.items():
        if there not in {"", right}:
            raise ConfigError(f"{path}: expected no file or one of sha256 {right[:16]}…, found {there[:16]}…")
    if not found:
        part = target.with_name(f"{target.name}.part")
        fetch_file(server, model.spec.file, model.spec.sha256, model.size, part, clock, progress)
    write_whole(description, spec)
    if not found:
        try:
            replace(part, target)
        except OSError as error:
            raise DeviceError(f"{target}: cannot be written: {error.strerror}") from None
    return target


def _digest(path: Path) -> str:
    """The sha256 of a file; empty where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
