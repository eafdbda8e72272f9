"""The health of a catalogue as one document: its pictures compared and, if it is given, its folder read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from agent.adapters.catalogue import Catalogue, open_catalogue, read_manifest
from agent.adapters.images import LIMITS, decode_image, read_bytes, thumbnail
from agent.adapters.vectors import reopen_index
from agent.core.advice import advise
from agent.core.checkup import examine
from agent.core.errors import InputError
from agent.core.matching import product_of
from agent.publishing.folder import read_folder
from agent.publishing.neighbours import find_neighbours
from agent.publishing.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.core.checkup import Checkup

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, for programs, and the pictures that a page shows beside it."""

    document: dict[str, Any]
    picture: Callable[[int], bytes | None]  # key → JPEG, None where there is none


@contextmanager
def check_up(
    folder: Path,
    products: Path | None = None,
    *,
    comparing: Progress | None = None,
    reading: Progress | None = None,
) -> Iterator[Report]:
    """Examine the catalogue in `folder`; with the folder it was built from, also every file of that.

    The two progresses count references that were compared and pictures that were read.

    Raises:
        CatalogueError: there is no catalogue, or a file of it is damaged.
        InputError: the product folder cannot be read.
    """
    manifest = read_manifest(folder)
    catalogue = open_catalogue(folder, manifest.model.fingerprint, manifest.model.dimension)
    try:
        files = None if products is None else _files(products, reading)
        entry = manifest.index
        index = reopen_index(
            folder / entry.path, entry, dimension=manifest.dimension, count=manifest.references
        )
        checkup = examine(catalogue.numbers(), find_neighbours(index, catalogue.picture_keys(), comparing))
        yield Report(_document(catalogue, checkup, files), lambda key: _picture(catalogue, products, key))
    finally:
        catalogue.close()


def _document(catalogue: Catalogue, checkup: Checkup, files: list[Problem] | None) -> dict[str, Any]:
    """One object, JSON throughout; each list worst first."""

    def named(product: int) -> dict[str, Any]:
        row = catalogue.product(product)
        return {"sku": row.sku, "name": row.name or row.sku}

    def shown(key: int) -> dict[str, Any]:
        return {**named(product_of(key)), "picture": catalogue.reference(key), "key": key}

    return {
        "release": catalogue.release,
        "products": catalogue.manifest.products,
        "references": catalogue.manifest.references,
        "compared": checkup.asked,
        "nearest_is_own": checkup.right,
        "shared": [
            {"similarity": round(item.similarity, 3), "pictures": [shown(item.key), shown(item.other_key)]}
            for item in checkup.shared
        ],
        "lookalikes": [
            {
                **named(item.product),
                "other": named(item.other),
                "pictures": item.pictures,
                "near": item.near,
                "mistaken": item.mistaken,
                "closeness": round(item.closeness, 2),
                "nearest": [shown(item.key), shown(item.other_key)],
            }
            for item in checkup.lookalikes
        ],
        "copies": [
            {
                **named(item.product),
                "useless": item.useless,
                "groups": [[shown(key) for key in group] for group in item.groups],
            }
            for item in checkup.copies
        ],
        "views": [
            {**named(item.product), "pictures": item.pictures, "views": item.views.value}
            for item in checkup.thin
        ],
        "files": None
        if files is None
        else [
            {"file": problem.file, "line": problem.line, "reason": problem.reason, "used": problem.warning}
            for problem in files
        ],
        "photograph": [
            {**named(product), "advice": advice}
            for product, advice in advise(checkup, lambda product: str(named(product)["name"]))
        ],
    }


def _files(root: Path, progress: Progress | None) -> list[Problem]:
    """What is wrong with the product folder and each of its pictures."""
    problems: list[Problem] = []
    paths = [path for item in read_folder(root, problems.append) for path in item.images]
    for number, path in enumerate(paths, 1):
        try:
            decode_image(read_bytes(root / path, LIMITS.max_bytes), path)
        except InputError as error:
            reason = str(error).removeprefix(f"{root / path}: ").removeprefix(f"{path}: ")
            problems.append(Problem(path, reason))
        if progress is not None:
            progress(number, len(paths))
    return sorted(problems, key=lambda problem: problem.warning)


def _picture(catalogue: Catalogue, products: Path | None, key: int) -> bytes | None:
    """The thumbnail that the catalogue has, or one of the picture in the product folder."""
    held = catalogue.thumbnail(key)
    if held is not None or products is None:
        return held
    path = PurePosixPath(catalogue.reference(key))
    if path.is_absolute() or ".." in path.parts:
        return None
    try:
        return thumbnail(decode_image(read_bytes(products / path, LIMITS.max_bytes), str(path)))
    except InputError:
        return None
