"""A model's file and the description beside it: bounded, and believed only when the digest fits."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from agent.core.errors import ModelError, quoted
from agent.core.model_spec import MODEL_LIMIT_BYTES, SPEC_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


class Description(Protocol):
    """What `parse` makes of the file beside a model."""

    @property
    def file(self) -> str:
        """Name of the model file."""


D = TypeVar("D", bound=Description)


def read_description(model: str, parse: Callable[[bytes, str], D]) -> D:
    """What is said of a model in the file beside it; `parse(data, name)` reads that.

    Raises:
        ModelError: one line with the file, what was expected and what was found.
    """
    path = Path(model)
    beside = path.with_suffix(".json")
    spec = parse(_read(beside, SPEC_LIMIT_BYTES, "the description of the model"), str(beside))
    if spec.file != path.name:
        raise ModelError(f"{beside}: file: expected {quoted(path.name)}, found {quoted(spec.file)}")
    return spec


def read_verified(model: str, sha256: str) -> bytes:
    """The bytes of a model, which are those that its description says. Raises as `read_description`."""
    path = Path(model)
    data = _read(path, MODEL_LIMIT_BYTES, "a model")
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise ModelError(
            f"{path}: expected the sha256 {sha256} of its spec, found {digest} in {len(data)} bytes"
        )
    return data


def _read(path: Path, limit: int, what: str) -> bytes:
    """All bytes of a regular file of at most `limit` bytes.

    Raises:
        ModelError: it cannot be read, is no file, or is larger.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ModelError(f"{path}: expected {what}, found no regular file")
        if status.st_size > limit:
            raise ModelError(f"{path}: expected {what} of at most {limit} bytes, found {status.st_size}")
        with path.open("rb") as file:
            data = file.read(limit + 1)  # it may have grown meanwhile
    except OSError as error:
        raise ModelError(f"{path}: expected {what}, found: {error.strerror}") from error
    if len(data) > limit:
        raise ModelError(f"{path}: expected {what} of at most {limit} bytes, found more")
    return data
