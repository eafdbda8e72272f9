"""A product folder becomes a catalogue directory: index, products table, thumbnails, last the manifest.

Where the directory holds a catalogue of the same making, its files are changed and not written anew, so that
a release costs its devices what changed.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.adapters.catalogue import (
    write_manifest,
    write_model_files,
    write_planograms,
    write_projection,
)
from agent.adapters.embedder import load_embedder, read_model
from agent.adapters.thumbnails import ThumbnailWriter
from agent.core.copies import check_sizes
from agent.core.errors import InputError
from agent.core.manifest import Manifest, ModelEntry
from agent.core.matching import VIEW_BITS
from agent.core.regions import check_crop
from agent.core.settings import check_range, setting
from agent.planograms import gather_site
from agent.publishing.cache import EmbeddingCache
from agent.publishing.calibrate import beside_others, calibrate, through_haze, usual_cosine
from agent.publishing.cards import write_cards
from agent.publishing.embed import Crew, Workforce
from agent.publishing.folder import read_folder
from agent.publishing.former import open_former
from agent.publishing.gathering import Gathered, gather
from agent.publishing.place import catalogue_place
from agent.publishing.portraits import write_portraits
from agent.publishing.probes import choose_probes
from agent.publishing.problems import Problem, ProblemsError
from agent.publishing.references import Changes, assign, renewed_index
from agent.publishing.text_model import renewed_text_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.embedder import EmbedderSettings
    from agent.core.manifest import FileEntry
    from agent.core.model_spec import ModelSpec
    from agent.publishing.embed import Engine
    from agent.publishing.former import Former
    from agent.publishing.references import Assigned

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """How a catalogue is built."""

    crop: float = setting("share of each side of a picture that is kept around its centre, 0.1 to 1", 1.0)
    small: tuple[int, ...] = setting(
        "pixels of the shorter side of further references of each picture, as a camera sees it from afar; "
        "at most 4 sizes from 24 to 256",
        (),
    )
    strict: bool = setting("stop at bad rows and pictures instead of leaving them out", False)
    jobs: int | None = setting("processes that embed pictures; none means one per core", None)
    engine: Engine = setting("where pictures are embedded: on this machine, or on a Ray cluster", "processes")
    ray_address: str = setting("cluster of engine ray; empty: RAY_ADDRESS, or one of this machine", "")
    rebuild: bool = setting("write everything anew instead of changing the catalogue that is there", False)
    thumbnails: bool = setting("put small pictures of the references into the catalogue", True)
    features: bool = setting("put what closer looks compare with into the catalogue", True)
    planograms: str = setting("directory of planograms that go with the catalogue; empty: none", "")
    with_model: bool = setting("put the model into the catalogue, for devices that hold another one", False)

    def __post_init__(self) -> None:
        check_crop(self.crop)
        check_sizes("small", self.small)
        if self.jobs is not None:
            check_range("jobs", self.jobs, 1, 1024)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What came of it."""

    release: str
    products: int
    references: int
    problems: tuple[Problem, ...]  # warnings among them; in the order of the folder, bad pictures last
    changes: Changes


def build_catalogue(
    folder: str | Path,
    out: str | Path,
    embedder: EmbedderSettings,
    settings: BuildSettings,
    *,
    created_utc: float,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build the catalogue of a product folder (see `read_folder`) in the directory `out`.

    A catalogue that is there is updated where it can be, see `publishing/references.py`. The same folder,
    model, settings, library versions and catalogue before give the same bytes and so the same release,
    whatever the engine and the number of processes, and whatever is found in the folder `cache`. For engine
    ray `load_ray` comes before this module is imported. `progress(done, total)` is called after every few
    pictures.

    Raises:
        InputError: nothing to build from, or `out` is something else than a catalogue.
        ConfigError: a planogram is wrong.
        ProblemsError: strict, and something was left out. Nothing was written.
        ModelError: the model is wrong.
        DeviceError: the disk failed or is full, an inference failed, a process died, or there is no cluster.
    """
    root, out = Path(folder), Path(out)
    eyes = load_embedder(embedder)
    site = gather_site(Path(settings.planograms)) if settings.planograms else None
    problems: list[Problem] = []
    total = sum(len(item.images) for item in read_folder(root, problems.append))
    _stop_if_strict(problems, settings)
    if total == 0:
        raise InputError(f"{root}: expected pictures of products, found none{_first_of(problems)}")
    with ExitStack() as held:
        held.enter_context(catalogue_place(out))
        model = ModelEntry(eyes.spec.name, eyes.fingerprint, eyes.dimension, eyes.runtime)
        former = open_former(out, model, settings.crop, rebuild=settings.rebuild)
        held.enter_context(closing(former.table))
        gathered = held.enter_context(Gathered(out, eyes.dimension))
        crew = Crew(settings.engine, settings.jobs, settings.ray_address)
        force = held.enter_context(Workforce(eyes, embedder, settings.crop, crew, settings.small))
        known = None
        if cache is not None:
            known = EmbeddingCache(Path(cache), eyes, settings.crop, now_utc=created_utc)
        try:
            refused = gather(
                root,
                gathered,
                former.table,
                force,
                total=total,
                cache=known,
                progress=progress,
            )
        finally:
            if known is not None:
                known.close()
                problems += [Problem(str(known.path), sentence, warning=True) for sentence in known.warnings]
        problems += refused
        _stop_if_strict(problems, settings)
        if len(gathered.positions()) == 0:
            raise InputError(f"{root}: expected pictures of products, found no good one{_first_of(problems)}")

        def finish(made: Manifest, changes: Changes) -> Manifest:
            made = write_cards(root, out, made)
            made = replace(made, probes=choose_probes(root, out, made, embedder, before=former.manifest))
            if settings.features:
                features = write_portraits(root, out, made, former.manifest, force, anew=bool(changes.why))
                made = replace(made, features=features)
            if site is not None:
                made = replace(made, planograms=write_planograms(out, site))
            if not settings.with_model:
                return made
            file, spec = write_model_files(out, *read_model(embedder))
            return replace(made, model_file=file, model_spec=spec)

        manifest, changes = write_catalogue(
            out,
            former,
            gathered,
            model,
            crop=settings.crop,
            thumbnails=settings.thumbnails,
            created_utc=created_utc,
            spec=eyes.spec,
            finish=finish,
        )
    return BuildReport(manifest.release, manifest.products, manifest.references, tuple(problems), changes)


def write_catalogue(
    out: Path,
    former: Former,
    gathered: Gathered,
    model: ModelEntry,
    *,
    crop: float,
    thumbnails: bool,
    created_utc: float,
    spec: ModelSpec | None = None,
    finish: Callable[[Manifest, Changes], Manifest] = lambda made, _changes: made,
) -> tuple[Manifest, Changes]:
    """Make what was gathered the catalogue of the directory `out`, which is held for writing.

    `spec` is the model's description, which may say what is to be expected of new photos.
    `finish(manifest, changes)` adds files that need the others to be there.

    Raises:
        CatalogueError: the thumbnails before are damaged.
        DeviceError: the disk failed or is full.
    """
    assigned = assign(gathered, former.table, former.index)
    expected = None if spec is None else spec.calibration
    usual = expected.nearest or None if expected else None  # 0: it does not say
    index, projection, changes = renewed_index(gathered, assigned, former, usual)
    entry = None
    if changes.why and projection is not None:
        entry = write_projection(out, projection)
    elif not changes.why and former.manifest is not None:
        entry = former.manifest.projection
    compact = bool(changes.why) and former.manifest is not None
    own = ~assigned.copies  # a copy is no picture of its own
    photos, shown = assigned.positions[own], assigned.keys[own] >> np.uint64(VIEW_BITS)
    calibration = calibrate(assigned.keys[own], index.vectors, spec, projected=projection is not None)
    alike = usual_cosine(shown, lambda places: gathered.rows(photos[places]))
    calibration = beside_others(
        replace(calibration, alike=alike), expected, lambda places: gathered.rows(photos[places]), len(photos)
    )
    calibration = through_haze(calibration, expected if own.all() and projection is None else None)
    words = renewed_text_model(out, former, assigned.keys[own], index.vectors, anew=bool(changes.why))
    manifest = Manifest(
        created_utc=created_utc,
        model=model,
        crop=crop,
        dimension=index.dimension,
        calibration=calibration,
        products=former.table.products,
        references=len(index),
        index=index.save(out),
        table=former.table.save(compact=compact),
        projection=entry,
        text_model=words,
        thumbnails=_thumbnails(out, former, gathered, assigned, compact=compact) if thumbnails else None,
    )
    manifest = finish(manifest, changes)
    write_manifest(out, manifest)
    return manifest, changes


def _thumbnails(
    out: Path, former: Former, gathered: Gathered, assigned: Assigned, *, compact: bool
) -> FileEntry:
    with closing(ThumbnailWriter(out, former.thumbnails)) as writer:
        own = ~assigned.copies  # a copy is shown by the picture that it is of
        for key, position in zip(assigned.keys[own].tolist(), assigned.positions[own].tolist(), strict=True):
            writer.put(key, gathered.thumbnail(position))
        for key in (*assigned.removed.tolist(), *assigned.keys[~own].tolist()):
            writer.remove(key)
        return writer.save(compact=compact and former.thumbnails is not None)


def _stop_if_strict(problems: list[Problem], settings: BuildSettings) -> None:
    errors = [problem for problem in problems if not problem.warning]
    if settings.strict and errors:
        raise ProblemsError(errors)


def _first_of(problems: list[Problem]) -> str:
    return f"; {len(problems)} problems, the first: {problems[0]}" if problems else ""
