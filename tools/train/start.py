"""The public weights that a run starts from: a local file, or fetched; verified either way."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tools.train.recipes import Start

TIMEOUT_S = 30


def starting_file(start: Start, local: Path, work: Path) -> Path:
    """The file in `local`, else in `work`, where it is fetched to.

    Raises:
        OSError: it is in neither and cannot be fetched; says from where by hand.
        ValueError: the bytes are others.
    """
    for folder in (local, work):
        path = folder / start.file
        if path.is_file():
            verify(path.read_bytes(), start, str(path))
            return path
    try:
        with urllib.request.urlopen(
            start.url, timeout=TIMEOUT_S
        ) as answer:  # https, a constant of the recipe
            data = answer.read(start.size + 1)
    except urllib.error.URLError as error:
        raise OSError(
            f"{start.file}: not in {local}, and {start.url} cannot be fetched ({error.reason}); "
            f"put the file there by hand"
        ) from error
    verify(data, start, start.url)
    work.mkdir(parents=True, exist_ok=True)
    path = work / start.file
    path.write_bytes(data)
    return path


def verify(data: bytes, start: Start, name: str) -> None:
    """Refuse bytes that are not those of the recipe.

    Raises:
        ValueError: with what was expected and found.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != start.sha256:
        raise ValueError(f"{name}: expected the sha256 {start.sha256}, found {digest} in {len(data)} bytes")
