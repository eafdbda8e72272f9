"""The parts that the daemon and the verbs build alike: eyes, catalogue, pipeline, outbox, sync."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from agent.adapters.barcodes import read_barcodes
from agent.adapters.embedder import EmbedderSettings, library_name, load_embedder, read_spec
from agent.adapters.library import Library
from agent.adapters.outbox import Half, Outbox, Twofold
from agent.adapters.overlay import Overlay
from agent.adapters.server import IndexServer
from agent.config import Settings, load_config
from agent.core.errors import AgentError, CatalogueError, ConfigError, DeviceError, ModelError
from agent.learning import Teacher
from agent.memory import DeviceMemory
from agent.nothing import Nothing
from agent.pipeline import Pipeline
from agent.planning import make_plans
from agent.searching import search_release
from agent.second_look import SecondLook
from agent.sight import open_folder, try_folder
from agent.state import check_user
from agent.sync import Sync, Taker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder
    from agent.core.clock import Clock
    from agent.core.manifest import ModelEntry
    from agent.core.second_look import SecondLookSettings
    from agent.core.syncing import Generation
    from agent.memory import Base
    from agent.metrics import Metrics
    from agent.pipeline import Memory
    from agent.searching import TextSearch
    from agent.viewing import Proposer

log = logging.getLogger(__name__)

_Opened = TypeVar("_Opened")

PROBE_REST_S = 0.1
"""Between two probes of a release: a frame then waits for one inference at most. Without it a camera at 0.7
of full speed lost every sixth frame while a release was tried; with it none, and nobody waits for a trial."""

OVERLAY_FOLDER = "overlay"
"""Within the state directory: what this device learned itself."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Eyes, and what their embeddings are compared with: they belong together, and change together."""

    eyes: Embedder
    memory: DeviceMemory


def load_eyes(config: Settings | str) -> tuple[Embedder, Catalogue]:
    """The embedder and the catalogue that a configuration (or its file) names.

    Raises:
        ConfigError: the configuration, the model or the catalogue is wrong, or they do not belong together.
    """
    settings = load_config(config) if isinstance(config, str) else config
    return open_current(settings)


def load_eyes_from(model: str, release: str) -> tuple[Embedder, Catalogue]:
    """The same from two paths. Raises as `load_eyes`."""
    return open_folder(Path(release), EmbedderSettings(file=model))


def open_current(settings: Settings) -> tuple[Embedder, Catalogue]:
    """What to recognise with: the current generation where there is sync, otherwise the configured directory.

    A generation that cannot be used is passed over: the one before, and then the directory, take its place.

    Raises:
        CatalogueError: there is nothing that can be used.
        ModelError: the configured model is needed, and is wrong.
        DeviceError: the inference failed.
    """
    return _first_usable(settings, lambda folder: open_folder(folder, settings.model))


def search_device(settings: Settings) -> TextSearch:
    """Search by text what this device holds and has learned. Raises as `open_current`."""

    def learned_beside(catalogue: Catalogue) -> DeviceMemory:
        return with_learned(settings, catalogue.manifest.model, catalogue, begin=False)

    return _first_usable(settings, lambda folder: search_release(folder, learned_beside))


def _first_usable(settings: Settings, opened: Callable[[Path], _Opened]) -> _Opened:
    problems = []
    for _, folder in catalogue_folders(settings):
        try:
            return opened(folder)
        except CatalogueError as error:
            problems.append(str(error))
    for problem in problems[:-1]:
        log.error("passed over: %s", problem)
    if problems:
        raise CatalogueError(problems[-1])
    raise CatalogueError(f"{settings.state_dir}: expected a release, found none yet: run `spotter sync`")


def open_generation(settings: Settings, in_use: Embedder, generation: Generation) -> Sight:
    """One that is on the disk; eyes in use stay when they are the right ones. Raises as `open_current`."""
    eyes, catalogue = open_folder(library_of(settings).folder(generation), settings.model, in_use)
    return Sight(eyes, with_learned(settings, eyes, catalogue))


def open_sight(settings: Settings) -> Sight:
    """What the daemon begins with: where there is sync, without a catalogue perhaps, which will come.

    The model has run once, so that the first frame waits for nothing.

    Raises:
        ConfigError: the model is wrong, or there is no catalogue that can be used, and no sync to get it.
        DeviceError: the inference failed.
    """
    base: Base
    if settings.sync is not None:
        try:
            library_of(settings).mend()
        except DeviceError as error:  # what is whole is found without, as long as the disk can be read
            log.error("%s", error)
    try:
        eyes, base = open_current(settings)
    except CatalogueError as error:
        if settings.sync is None:
            raise
        log.warning("everything but what was learned is unknown until a release is synced: %s", error)
        eyes, base = load_embedder(settings.model), Nothing()
        eyes.invoke_once()
    return Sight(eyes, with_learned(settings, eyes, base))


def with_learned(
    settings: Settings, eyes: Embedder | ModelEntry, base: Base, *, begin: bool = True
) -> DeviceMemory:
    """A release with what this device learned beside it; the release alone where that cannot be opened.

    Where nothing was learned yet a file for it is made; without `begin` not.
    """
    if not begin and not (Path(settings.state_dir) / OVERLAY_FOLDER).exists():
        return DeviceMemory(base, None, eyes.dimension, eyes.fingerprint)
    try:
        overlay = open_overlay(settings)
    except AgentError as error:
        log.error("recognising without what was learned: %s", error)
        return DeviceMemory(base, None, eyes.dimension, eyes.fingerprint, str(error))
    aside = overlay.moved_aside
    notice = f"what was learned was damaged and is lost: it was moved to {aside}" if aside else ""
    return DeviceMemory(base, overlay, eyes.dimension, eyes.fingerprint, notice)


def open_overlay(settings: Settings) -> Overlay:
    """What this device learned itself, on its disk. Raises DeviceError, and ConfigError for a newer one."""
    return Overlay(Path(settings.state_dir) / OVERLAY_FOLDER)


def open_teacher(settings: Settings, clock: Clock) -> Teacher:
    """Who teaches this device, for a verb.

    Raises:
        ConfigError: the model or the catalogue is wrong, or a newer Spotter wrote what was learned.
        DeviceError: the disk cannot be used, it is another user's, or the inference failed.
    """
    check_user(Path(settings.state_dir))
    sight = open_sight(settings)
    return Teacher(open_overlay(settings), sight.eyes, sight.memory, clock)


def library_of(settings: Settings) -> Library:
    """The generations in the state directory."""
    return Library(Path(settings.state_dir))


def catalogue_folders(settings: Settings) -> list[tuple[Generation | None, Path]]:
    """Catalogue directories, best first, each with the generation that it is of, if of one."""
    folders: list[tuple[Generation | None, Path]] = []
    if settings.sync is not None:
        library = library_of(settings)
        generations = (library.current(), library.previous())
        folders = [(generation, library.folder(generation)) for generation in generations if generation]
    return folders + ([(None, Path(settings.catalogue.path))] if settings.catalogue else [])


def make_sync(settings: Settings, clock: Clock, in_use: Callable[[], Embedder | None] = lambda: None) -> Sync:
    """Rounds against the configured server. `in_use()`: eyes that are loaded already, for trying releases.

    Raises:
        ConfigError: none is configured, or its root metadata or certificates cannot be used, or the
            configured model has no description.
    """
    if settings.sync is None:
        raise ConfigError("sync: expected the server that releases come from, found no such key")
    state = Path(settings.state_dir)
    taker = Taker(
        device=f"{settings.site}/{settings.device}",
        channel=settings.sync.channel,
        fingerprint=read_spec(settings.model).fingerprint,
        runtime=library_name(),
        models=settings.sync.models,
    )

    def trial(folder: Path) -> str:
        try:
            return try_folder(folder, settings.model, in_use(), rest=lambda: clock.wait(PROBE_REST_S))
        except ModelError as error:  # the device's own: no fault of the release
            raise DeviceError(str(error)) from None

    return Sync(IndexServer(settings.sync, state / "tuf", clock), Library(state), taker, trial, clock)


def make_pipeline(
    settings: Settings,
    eyes: Embedder,
    memory: Memory,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    proposers: Mapping[str, Proposer] = MappingProxyType({}),
) -> Pipeline:
    """The pipeline of a configuration; without a clock closer looks take as long as they need.

    `proposers`: of the cameras whose applications say where to look.

    Raises:
        ModelError: a detector is wrong.
        DeviceError: its inference failed.
    """
    plans = make_plans(settings, proposers)
    second = make_second_look(settings.second_look, clock, metrics)
    return Pipeline(eyes, memory, plans, settings.decision, settings.tracking, second)


def make_second_look(
    settings: SecondLookSettings, clock: Clock | None = None, metrics: Metrics | None = None
) -> SecondLook:
    """Closer looks as they are configured."""
    return SecondLook(settings, read_barcodes, clock.monotonic if clock else lambda: 0.0, metrics)


def open_outbox(settings: Settings) -> Outbox:
    """The disk queue in the state directory; where there is a webhook, the one for two ways out.

    Raises:
        ConfigError: a newer Spotter wrote it.
    """
    path = Path(settings.state_dir) / "outbox.db"
    if settings.webhook is None:
        return Outbox(path, settings.outbox)
    return Twofold(path, Half(path.with_name("webhook.db"), settings.outbox), settings.outbox)
