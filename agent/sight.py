"""A catalogue directory with the eyes that belong to it: the device's own model, or one that it carries."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.adapters.catalogue import open_catalogue, read_manifest, read_model_files
from agent.adapters.embedder import (
    Embedder,
    EmbedderSettings,
    load_embedder,
    read_spec,
    refuse_crashing,
)
from agent.core.errors import CatalogueError, ModelError
from agent.probing import try_probes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.adapters.catalogue import Catalogue
    from agent.core.manifest import Manifest


def open_folder(
    folder: Path, model: EmbedderSettings | None, in_use: Embedder | None = None
) -> tuple[Embedder, Catalogue]:
    """Open a catalogue directory, and the eyes that it was made for.

    Args:
        folder: the directory.
        model: the device's own; a model that the catalogue carries runs on as many threads, and on the same
            delegate. None where there is no device: the catalogue must carry its model.
        in_use: eyes to use again if they are the right ones.

    Raises:
        CatalogueError: it is damaged, was made with a model that is neither the device's own nor carried, or
            carries one that cannot be used.
        ModelError: the device's own model is needed, and is wrong.
        DeviceError: the inference failed.
    """
    manifest = read_manifest(folder)
    if in_use is not None and in_use.fingerprint == manifest.model.fingerprint:
        eyes = in_use
    elif _brings(manifest, model):
        eyes = _carried(folder, manifest, model)
        eyes.invoke_once()  # now, so that no frame waits for what TFLite makes at the first call
    elif model is not None:
        eyes = load_embedder(model)
        eyes.invoke_once()
    else:
        raise CatalogueError(f"{folder}: expected a catalogue that carries its model, found one without")
    return eyes, open_catalogue(folder, eyes.fingerprint, eyes.dimension)


def try_folder(
    folder: Path, model: EmbedderSettings, in_use: Embedder | None, rest: Callable[[], object]
) -> str:
    """Open a catalogue directory as recognising will, and try its probes; the release id.

    A model that it brings is first run in a process of its own: what makes TFLite crash must not be met by
    the device, at every start again. `rest()` is called after each probe, so that recognising goes first.

    Raises:
        CatalogueError: it cannot be used here, or this device sees or answers otherwise than head office.
        ModelError: the device's own model is needed, and is wrong.
        DeviceError: the inference failed.
    """
    manifest = read_manifest(folder)
    known = in_use is not None and in_use.fingerprint == manifest.model.fingerprint
    if not known and _brings(manifest, model):
        data, spec = read_model_files(folder, manifest)
        try:
            refuse_crashing(data, spec.file)
        except ModelError as error:
            raise CatalogueError(str(error)) from None
    eyes, opened = open_folder(folder, model, in_use)
    with closing(opened) as catalogue:
        try_probes(eyes, catalogue, rest)
        return catalogue.release


def _brings(manifest: Manifest, model: EmbedderSettings | None) -> bool:
    """Whether a catalogue is to be seen by the model that it carries: the device has none, or another."""
    carries = manifest.model_file is not None
    return carries and (model is None or read_spec(model).fingerprint != manifest.model.fingerprint)


def _carried(folder: Path, manifest: Manifest, model: EmbedderSettings | None) -> Embedder:
    data, spec = read_model_files(folder, manifest)
    file = str(folder / spec.file)
    try:
        return Embedder(data, spec, replace(model, file=file) if model else EmbedderSettings(file=file))
    except ModelError as error:
        raise CatalogueError(str(error)) from None
