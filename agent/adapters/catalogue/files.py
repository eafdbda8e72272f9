"""The small files of a catalogue directory: the manifest, and what is read whole."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from agent.adapters.durable import open_verified, settle, write_whole
from agent.core.errors import CatalogueError, DeviceError, ModelError, quoted
from agent.core.manifest import (
    MANIFEST_LIMIT_BYTES,
    MANIFEST_NAME,
    PLANOGRAMS_LIMIT_BYTES,
    dump_manifest,
    parse_manifest,
)
from agent.core.model_spec import MODEL_LIMIT_BYTES, SPEC_LIMIT_BYTES, parse_spec
from agent.core.probes import PROBES_LIMIT_BYTES, dump_probes, parse_probes
from agent.core.projection import PROJECTION_LIMIT_BYTES, dump_projection, parse_projection
from agent.core.text_model import TEXT_MODEL_LIMIT_BYTES, dump_text_model, parse_text_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.core.manifest import FileEntry, Manifest
    from agent.core.model_spec import ModelSpec
    from agent.core.probes import Probes
    from agent.core.projection import Projection
    from agent.core.text_model import TextModel

_Parsed = TypeVar("_Parsed")


def write_projection(folder: Path, projection: Projection) -> FileEntry:
    """Put a projection into a catalogue directory, under a name that its content gives it.

    Raises:
        DeviceError: the disk failed or is full.
    """
    return _write(folder, "projection", ".bin", dump_projection(projection))


def read_projection(folder: Path, manifest: Manifest) -> Projection | None:
    """The projection of a catalogue directory; None where it has none.

    Raises:
        CatalogueError: the file is damaged, or is for other embeddings or vectors.
    """
    entry = manifest.projection
    if entry is None:
        return None
    path = folder / entry.path
    projection = _parsed(folder, entry, PROJECTION_LIMIT_BYTES, parse_projection)
    expected, found = (manifest.model.dimension, manifest.dimension), (projection.inputs, projection.outputs)
    if found != expected:
        raise CatalogueError(
            f"{path}: expected a projection of {expected[0]} onto {expected[1]} numbers, "
            f"found {found[0]} onto {found[1]}"
        )
    return projection


def write_probes(folder: Path, probes: Probes) -> FileEntry:
    """Put probes into a catalogue directory, under a name that their content gives them.

    Raises:
        DeviceError: the disk failed or is full.
    """
    return _write(folder, "probes", ".json", dump_probes(probes))


def read_probes(folder: Path, manifest: Manifest) -> Probes | None:
    """The probes of a catalogue directory; None where it has none.

    Raises:
        CatalogueError: the file is damaged, or is for another model.
    """
    entry = manifest.probes
    if entry is None:
        return None
    probes = _parsed(folder, entry, PROBES_LIMIT_BYTES, parse_probes)
    found = probes.embeddings.shape[1]
    if found != manifest.model.dimension:
        raise CatalogueError(
            f"{folder / entry.path}: expected embeddings of {manifest.model.dimension} numbers, found {found}"
        )
    return probes


def write_text_model(folder: Path, model: TextModel) -> FileEntry:
    """Put a text model into a catalogue directory, under a name that its content gives it.

    Raises:
        DeviceError: the disk failed or is full.
    """
    return _write(folder, "words", ".bin", dump_text_model(model))


def read_text_model(folder: Path, manifest: Manifest) -> TextModel | None:
    """The text model of a catalogue directory; None where it has none.

    Raises:
        CatalogueError: the file is damaged, or is for other vectors.
    """
    entry = manifest.text_model
    if entry is None:
        return None
    model = _parsed(folder, entry, TEXT_MODEL_LIMIT_BYTES, parse_text_model)
    if model.outputs != manifest.dimension:
        raise CatalogueError(
            f"{folder / entry.path}: expected vectors of {manifest.dimension} numbers, found {model.outputs}"
        )
    return model


def write_planograms(folder: Path, data: bytes) -> FileEntry:
    """Put planograms, see agent/planograms.py, into a catalogue directory.

    Raises:
        DeviceError: the disk failed or is full.
    """
    return _write(folder, "planograms", ".json", data)


def read_planograms(folder: Path, manifest: Manifest) -> bytes | None:
    """The verified bytes of the planograms of a catalogue directory; None where it has none.

    Raises:
        CatalogueError: the file is damaged.
    """
    entry = manifest.planograms
    if entry is None:
        return None
    return _parsed(folder, entry, PLANOGRAMS_LIMIT_BYTES, bytes)


def write_model_files(folder: Path, data: bytes, spec: ModelSpec) -> tuple[FileEntry, FileEntry]:
    """Put a model and its spec into a catalogue directory, under names that their content gives them.

    Raises:
        DeviceError: the disk failed or is full.
    """
    entry = _write(folder, "model", ".tflite", data)
    document = replace(spec, file=entry.path).document()
    return entry, _write(folder, "spec", ".json", json.dumps(document, indent=1).encode())


def read_model_files(folder: Path, manifest: Manifest) -> tuple[bytes, ModelSpec]:
    """The verified bytes of the model that a catalogue directory carries, and what is said of it.

    Raises:
        CatalogueError: it carries none, a file is damaged, or it is not the model that made the vectors.
    """
    model, beside = manifest.model_file, manifest.model_spec
    if model is None or beside is None:
        raise CatalogueError(f"{folder}: expected a catalogue that carries its model, found none")
    try:
        spec = parse_spec(_read(folder, beside, SPEC_LIMIT_BYTES), str(folder / beside.path))
    except ModelError as error:
        raise CatalogueError(str(error)) from None
    for field, expected, found in (
        ("file", model.path, spec.file),
        ("sha256", model.sha256, spec.sha256),
        ("fingerprint", manifest.model.fingerprint, spec.fingerprint),
    ):
        if found != expected:
            raise CatalogueError(
                f"{folder / beside.path}: {field}: expected {quoted(expected)}, found {quoted(found)}"
            )
    return _read(folder, model, MODEL_LIMIT_BYTES), spec


def read_manifest(folder: Path) -> Manifest:
    """What a catalogue directory says of itself.

    Raises:
        CatalogueError: there is no manifest, or it is wrong.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            data = file.read(MANIFEST_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise CatalogueError(f"{path}: expected a catalogue directory, found no manifest") from None
    except (OSError, ValueError) as error:
        raise CatalogueError(f"{path}: cannot be read: {error}") from None
    return parse_manifest(data, str(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a directory, whose other files are complete, this catalogue, at once.

    Raises:
        DeviceError: the disk failed or is full.
    """
    write_whole(folder / MANIFEST_NAME, dump_manifest(manifest))


def _write(folder: Path, stem: str, suffix: str, data: bytes) -> FileEntry:
    temporary = folder / f".{stem}.partial"
    try:
        temporary.write_bytes(data)
    except OSError as error:
        raise DeviceError(f"{temporary}: cannot be written: {error.strerror}") from None
    return settle(temporary, stem, suffix)


def _parsed(folder: Path, entry: FileEntry, limit_bytes: int, parse: Callable[[bytes], _Parsed]) -> _Parsed:
    data = _read(folder, entry, limit_bytes)
    try:
        return parse(data)
    except ValueError as error:
        raise CatalogueError(f"{folder / entry.path}: {error}") from None


def _read(folder: Path, entry: FileEntry, limit_bytes: int) -> bytes:
    if entry.size > limit_bytes:
        raise CatalogueError(
            f"{folder / entry.path}: expected at most {limit_bytes} bytes, found {entry.size}"
        )
    with open_verified(folder / entry.path, entry) as file:
        return file.read()
