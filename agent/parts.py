"""The parts that the daemon and the verbs build alike: eyes, catalogue, pipeline, outbox."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from agent.adapters.catalogue import open_catalogue
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.outbox import Outbox
from agent.adapters.system import Lock
from agent.config import Settings, load_config
from agent.core.errors import ConfigError, DeviceError
from agent.pipeline import CameraPlan, Pipeline

if TYPE_CHECKING:
    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder


def load_eyes(config: Settings | str) -> tuple[Embedder, Catalogue]:
    """The embedder and the catalogue that a configuration (or its file) names.

    Raises:
        ConfigError: the configuration, the model or the catalogue is wrong, or they do not belong together.
    """
    settings = load_config(config) if isinstance(config, str) else config
    return _load(settings.model, settings.catalogue.path)


def load_eyes_from(model: str, release: str) -> tuple[Embedder, Catalogue]:
    """The same from two paths. Raises as `load_eyes`."""
    return _load(EmbedderSettings(file=model), release)


def _load(model: EmbedderSettings, path: str) -> tuple[Embedder, Catalogue]:
    eyes = load_embedder(model)
    return eyes, open_catalogue(Path(path), eyes.fingerprint, eyes.dimension)


def make_pipeline(settings: Settings, eyes: Embedder, catalogue: Catalogue) -> Pipeline:
    """The pipeline of a configuration."""
    plans = {camera.id: CameraPlan(camera.regions, camera.changes) for camera in settings.cameras}
    return Pipeline(eyes, catalogue, plans, settings.decision, settings.tracking)


def lock_state(settings: Settings) -> Lock:
    """Make the state directory where it is missing, and hold it: two daemons would send each fact twice.

    Raises:
        ConfigError: another process holds it.
        DeviceError: it cannot be made or written.
    """
    folder = Path(settings.state_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Lock(folder / "lock")
    except BlockingIOError:
        raise ConfigError(
            f"state_dir: expected a directory of this process alone, found {folder} in use by another"
        ) from None
    except OSError as error:
        raise DeviceError(
            f"state_dir: expected a directory that can be written, found {folder}: {error.strerror}"
        ) from None


def check_state(settings: Settings) -> None:
    """Refuse a state directory that this user could not make or write; nothing is made or left behind.

    Raises:
        DeviceError: it cannot be made or written, or a file in it belongs to somebody else.
    """
    folder = where = Path(settings.state_dir)
    try:
        where = next(path for path in (folder, *folder.parents) if path.exists())
        TemporaryFile(dir=where).close()  # has no name: not even a kill leaves it behind
        for file in (*folder.glob("outbox.db*"), *folder.glob("lock")):
            where = file
            file.open("r+b").close()
    except OSError as error:
        raise DeviceError(
            f"state_dir: expected {folder} to be writable for user {os.getuid()}, "
            f"found {where}: {error.strerror}"
        ) from None


def open_outbox(settings: Settings) -> Outbox:
    """The disk queue in the state directory. Raises DeviceError when the disk refuses."""
    return Outbox(Path(settings.state_dir) / "outbox.db", settings.outbox)
