"""A product folder becomes a catalogue directory: index, products table, calibration, last the manifest."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.adapters.catalogue import write_manifest
from agent.adapters.embedder import load_embedder
from agent.adapters.images import LIMITS, read_bytes
from agent.adapters.products import ProductWriter
from agent.adapters.vectors import IndexBuilder
from agent.core.errors import InputError
from agent.core.manifest import Manifest, ModelEntry
from agent.core.matching import key_of
from agent.core.regions import check_crop
from agent.core.settings import check_range, setting
from agent.publishing.calibrate import calibrate
from agent.publishing.embed import Embedded, Picture, embed_pictures, sensible_jobs
from agent.publishing.folder import read_folder
from agent.publishing.place import catalogue_place
from agent.publishing.problems import Problem, ProblemsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from agent.adapters.embedder import EmbedderSettings

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """How a catalogue is built."""

    crop: float = setting("share of each side of a picture that is kept around its centre, 0.1 to 1", 1.0)
    strict: bool = setting("stop at bad rows and pictures instead of leaving them out", False)
    jobs: int | None = setting("processes that embed pictures; none means one per core", None)

    def __post_init__(self) -> None:
        check_crop(self.crop)
        if self.jobs is not None:
            check_range("jobs", self.jobs, 1, 1024)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What came of it."""

    release: str
    products: int
    references: int
    problems: tuple[Problem, ...]  # warnings among them; in the order of the folder, bad pictures last


def build_catalogue(
    folder: str | Path,
    out: str | Path,
    embedder: EmbedderSettings,
    settings: BuildSettings,
    *,
    created_utc: float,
    progress: Progress | None = None,
) -> BuildReport:
    """Build the catalogue of a product folder (see `read_folder`) in the directory `out`.

    The same folder, model, settings and library versions give the same bytes and so the same release,
    whatever the number of processes. `progress(done, total)` is called after every few pictures.

    Raises:
        InputError: nothing to build from, or `out` is something else than a catalogue.
        ProblemsError: strict, and something was left out. Nothing was written.
        ModelError: the model is wrong.
        DeviceError: the disk failed or is full, an inference failed, or a process died.
    """
    root, out = Path(folder), Path(out)
    eyes = load_embedder(embedder)
    problems: list[Problem] = []
    pictures = sum(len(item.images) for item in read_folder(root, problems.append))
    _stop_if_strict(problems, settings)
    if pictures == 0:
        raise InputError(f"{root}: expected pictures of products, found none{_first_of(problems)}")
    jobs = sensible_jobs(settings.jobs, pictures)
    with catalogue_place(out), closing(ProductWriter(out)) as table:
        builder = IndexBuilder(eyes.dimension)
        bad: dict[int, Problem] = {}
        chunks = embed_pictures(_listed(root, table, bad), eyes, embedder, settings.crop, jobs=jobs)
        keys = _fill(builder, table, _told(chunks, pictures, progress), bad)
        problems += [bad[key] for key in sorted(bad)]
        _stop_if_strict(problems, settings)
        if len(builder) == 0:
            raise InputError(f"{root}: expected pictures of products, found no good one{_first_of(problems)}")
        manifest = Manifest(
            created_utc=created_utc,
            model=ModelEntry(eyes.spec.name, eyes.fingerprint, eyes.dimension, eyes.runtime),
            crop=settings.crop,
            dimension=eyes.dimension,
            calibration=calibrate(keys, builder.vectors),
            products=table.products,
            references=len(builder),
            index=builder.save(out),
            table=table.save(),
        )
        write_manifest(out, manifest)
    return BuildReport(manifest.release, manifest.products, manifest.references, tuple(problems))


def _listed(root: Path, table: ProductWriter, bad: dict[int, Problem]) -> Iterator[Picture]:
    """The folder once more, now into the table, and every picture that can be read."""
    for item in read_folder(root, lambda _problem: None):  # its problems are known already
        table.add(item.product)
        for view, path in enumerate(item.images):
            key = key_of(item.product.no, view)
            try:
                data = read_bytes(root / path, LIMITS.max_bytes)
            except InputError as error:
                bad[key] = Problem(path, str(error).removeprefix(f"{root / path}: "))
            else:
                yield Picture(key, path, data)


def _told(chunks: Iterable[Embedded], total: int, progress: Progress | None) -> Iterator[Embedded]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk.pictures) + len(chunk.refused)
        if progress is not None:
            progress(done, total)


def _fill(
    builder: IndexBuilder, table: ProductWriter, chunks: Iterable[Embedded], bad: dict[int, Problem]
) -> NDArray[np.uint64]:
    """Put all references into index and table; their keys, `(R,)`."""
    parts = [np.empty(0, np.uint64)]
    for chunk in chunks:
        keys = np.array([picture.key for picture in chunk.pictures], np.uint64)
        builder.add(keys, chunk.vectors)
        for picture in chunk.pictures:
            table.add_reference(picture.key, picture.path)
        bad.update((picture.key, Problem(picture.path, reason)) for picture, reason in chunk.refused)
        parts.append(keys)
    return np.concatenate(parts)


def _stop_if_strict(problems: list[Problem], settings: BuildSettings) -> None:
    errors = [problem for problem in problems if not problem.warning]
    if settings.strict and errors:
        raise ProblemsError(errors)


def _first_of(problems: list[Problem]) -> str:
    return f"; {len(problems)} problems, the first: {problems[0]}" if problems else ""
