"""A folder of photos that nobody named becomes groups that each may be one product, for a person to name.

Density decides (HDBSCAN: Campello, Moulavi and Sander, "Density-based clustering based on hierarchical
density estimates", PAKDD 2013), so that nobody has to say how many products there are, and a photo that is
like no others stays alone. This is the only file that knows scikit-learn.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.adapters.durable import make_folder, write_whole
from agent.adapters.embedder import load_embedder
from agent.adapters.images import IMAGE_SUFFIXES, LIMITS, read_bytes
from agent.core.errors import DeviceError, InputError, UsageError
from agent.core.settings import check_range
from agent.publishing.embed import Picture, Workforce
from agent.publishing.grouping_page import render
from agent.publishing.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from agent.adapters.embedder import EmbedderSettings
    from agent.publishing.embed import Crew

    Progress = Callable[[int, int], None]

PHOTOS_LIMIT: Final = 50_000
"""Every photo is compared with every other: 2,640 take a second, 50,000 some six minutes."""

DENSE: Final = 3
"""Photos, the one itself among them, by which a place counts as dense. On 2,640 photos of 81 products, which
the model was trained on, 1, 3 and 5 gave 201, 154 and 94 groups, pure to 97.5, 97.1 and 94.0 %: it is easier
to put two groups together than to take one apart. On 296 others of 60 products 3 gave 53 groups, pure to
88.8 %."""

NEAR_ENOUGH: Final = 0.3
"""A photo that is more than three times as far from its group as those in its middle are from each other
stays alone. None of the 2,640 was: it is for strangers among few photos, who have no group of their own."""

COLUMNS: Final = ("sku", "gtin", "name", "description", "brand", "category", "price", "aisle", "bay", "tags")
PAGE_NAME: Final = "look.html"


@dataclass(frozen=True, slots=True)
class Grouped:
    """What came of it."""

    groups: tuple[tuple[str, ...], ...]  # photos of each, paths within the folder; the largest group first
    alone: tuple[str, ...]  # photos like no others
    problems: tuple[Problem, ...]  # files that are no photos, or cannot be read: they stay where they are


def group_photos(
    folder: Path,
    out: Path,
    embedder: EmbedderSettings,
    *,
    crop: float,
    least: int,
    crew: Crew,
    progress: Progress | None = None,
) -> Grouped:
    """Propose a product folder in `out`: `images/<group>/…`, `leftovers/…`, a table to fill in, a page.

    `least`: photos that make a group. The photos stay where they are; `out` has links to them, or copies
    where the disk knows none.

    Raises:
        UsageError: scikit-learn is not installed.
        InputError: there are no photos or too many, or `out` has something in it.
        ModelError: the model is wrong.
        DeviceError: the disk failed or is full, an inference failed, or a process died.
    """
    check_range("least", least, 2, PHOTOS_LIMIT)
    load_sklearn()
    _refuse_used(out, folder)
    problems: list[Problem] = []
    paths = _photos(folder, problems)
    if not paths:
        raise InputError(f"{folder}: expected photos, found none{f'; {problems[0]}' if problems else ''}")
    if len(paths) > PHOTOS_LIMIT:
        raise InputError(f"{folder}: expected at most {PHOTOS_LIMIT} photos, found {len(paths)}")
    eyes = load_embedder(embedder)
    kept: list[str] = []
    rows: list[NDArray[np.float32]] = []
    small: dict[str, bytes] = {}
    source = _pictures(folder, paths, problems)
    with Workforce(eyes, embedder, crop, crew) as force:
        for chunk in force.embed(source, len(paths)):
            kept += [picture.path for picture in chunk.pictures]
            rows += list(chunk.vectors)
            small |= {
                picture.path: data for picture, data in zip(chunk.pictures, chunk.thumbnails, strict=True)
            }
            problems += [Problem(picture.path, reason) for picture, reason in chunk.refused]
            if progress is not None:
                progress(len(kept) + sum(not problem.warning for problem in problems), len(paths))
    if not kept:
        raise InputError(f"{folder}: expected photos, found none that can be read; {problems[0]}")
    found = groups_of(np.stack(rows), least)
    groups = [tuple(kept[place] for place in group) for group in found]
    together = {path for group in groups for path in group}
    alone = tuple(path for path in kept if path not in together)
    grouped = Grouped(tuple(groups), alone, tuple(problems))
    _write(folder, out, grouped, small)
    return grouped


def groups_of(rows: NDArray[np.float32], least: int) -> list[list[int]]:
    """Places of the rows, `(N, D)` unit rows, of each group, the largest first.

    Rows that are like no others are in none.
    """
    if len(rows) < least:
        return []
    made = load_sklearn().HDBSCAN(min_cluster_size=least, min_samples=DENSE, copy=True)
    made.fit(rows.astype(np.float64))
    labels: NDArray[np.int64] = np.where(made.probabilities_ >= NEAR_ENOUGH, made.labels_, -1)
    groups = [np.flatnonzero(labels == label).tolist() for label in range(int(labels.max()) + 1)]
    groups = [group for group in groups if group]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def load_sklearn() -> Any:
    """`sklearn.cluster`.

    Raises:
        UsageError: it is not installed; says how to install it.
    """
    try:
        return import_module("sklearn.cluster")
    except ImportError:
        raise UsageError(
            "catalog cluster: expected scikit-learn, found none: `pip install 'spotter-agent[group]'`"
        ) from None


def group_name(number: int) -> str:
    """The sku that a group has until somebody gives it its own: `group_name(1)` → `group-0001`."""
    return f"group-{number:04d}"


def _refuse_used(out: Path, folder: Path) -> None:
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{out}: expected a folder outside of the photos, found one in {folder}")
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out}: expected a new or an empty folder, found something in it")
    except OSError as error:
        raise InputError(f"{out}: cannot be read: {error.strerror}") from None


def _photos(folder: Path, problems: list[Problem]) -> list[str]:
    """Paths within the folder, sorted; hidden ones are left out."""
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of photos")
    found = []

    def failed(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"cannot be read: {error.strerror}"))

    for where, folders, names in os.walk(folder, onerror=failed):
        for name in sorted(folders):
            path = os.path.relpath(os.path.join(where, name), folder)  # noqa: PTH118
            if os.path.islink(os.path.join(where, name)):  # noqa: PTH114, PTH118
                problems.append(Problem(path, "a link to a folder is not followed"))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(where, name), folder)  # noqa: PTH118
            if name.startswith("."):
                continue
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122
                found.append(path)
            else:
                expected = " ".join(sorted(IMAGE_SUFFIXES))
                problems.append(Problem(path, f"expected a picture ({expected})", warning=True))
    return found


def _pictures(folder: Path, paths: Sequence[str], problems: list[Problem]) -> Iterator[Picture]:
    for number, path in enumerate(paths):
        try:
            yield Picture(number, path, read_bytes(folder / path, LIMITS.max_bytes))
        except InputError as error:
            problems.append(Problem(path, str(error).removeprefix(f"{folder / path}: ")))


def _write(folder: Path, out: Path, grouped: Grouped, small: dict[str, bytes]) -> None:
    places = {group_name(number): group for number, group in enumerate(grouped.groups, 1)}
    for name, paths in places.items():
        _put(folder, out / "images" / name, paths)
    if grouped.alone:
        _put(folder, out / "leftovers", grouped.alone)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([name, *[""] * (len(COLUMNS) - 1)] for name in places)
    write_whole(out / "products.csv", table.getvalue().encode())
    page = render(str(folder), places, grouped.alone, small)
    write_whole(out / PAGE_NAME, page.encode("utf-8", "backslashreplace"))


def _put(folder: Path, into: Path, paths: Sequence[str]) -> None:
    make_folder(into)
    taken: set[str] = set()
    for path in paths:
        name = _free_name(path, taken)
        photo = (folder / path).resolve()  # a link that points from where it stands would lead nowhere here
        try:
            try:
                os.link(photo, into / name)
            except OSError:  # another disk, or one that knows no links
                shutil.copy2(photo, into / name)
        except OSError as error:
            raise DeviceError(f"{into / name}: cannot be written: {error.strerror}") from None


def _free_name(path: str, taken: set[str]) -> str:
    """The name of the file; with a number where another one of the group has it, also in other letters."""
    stem, suffix = os.path.splitext(os.path.basename(path))  # noqa: PTH119, PTH122
    name, number = f"{stem}{suffix}", 1
    while name.lower() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(name.lower())
    return name
