"""What a device learned, as files that head office copies into its product folder.

products-<device>.csv         a row for each SKU that was enrolled; rows that head office has of it win
images/<sku>/learned-….jpg    its pictures
forgotten-<device>.csv        SKUs that the device recognises no longer, for a person to look at

And what people said of its decisions, in the same way:

products-review-<device>.csv  a row for each SKU that people said a decision is, and that has a picture
images/<sku>/review-….jpg     what the camera showed of it
review-<device>.csv           all decisions that were answered, and the hard ones, for a person to look at
review-<device>/….jpg         pictures of those whose product nobody has said
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.adapters.durable import make_folder, write_whole
from agent.core.errors import DeviceError, InputError
from agent.core.learned import active
from agent.core.payload import rfc3339
from agent.core.product_rules import TEXT_FIELDS
from agent.core.review import Answer, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from agent.adapters.decisions import Decisions
    from agent.adapters.overlay import Overlay
    from agent.core.review import Kept
    from agent.core.types import Product


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    products: int
    pictures: int
    forgotten: int
    problems: tuple[str, ...]  # pictures that are damaged, and were left out


def export(
    store: Overlay, folder: Path, device: str, release: str, by_sku: Callable[[str], Product | None]
) -> Exported:
    """Write what was learned beside `release` into `folder`, which is made, or is empty.

    `by_sku(sku)` is what is known of an SKU, in the release or here.

    Raises:
        InputError: something is in the folder already.
        DeviceError: the disk failed or is full.
    """
    learned = active(store.learned(), release)
    _make_empty(folder)
    problems = []
    for reference in learned.references:
        try:
            data = store.pictures.get(reference.picture)
        except InputError as error:
            problems.append(str(error))
            continue
        path = folder / reference.path
        make_folder(path.parent)
        write_whole(path, data)
    skus = sorted({each.sku for each in learned.references})
    _write_products(folder / f"products-{device}.csv", skus, by_sku)
    if learned.forgotten:
        rows = ([each.sku, rfc3339(max(0.0, each.utc))] for each in learned.forgotten)
        _write_table(folder / f"forgotten-{device}.csv", ("sku", "since"), rows)
    return Exported(
        len(skus), len(learned.references) - len(problems), len(learned.forgotten), tuple(problems)
    )


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was written of decisions."""

    decisions: int  # rows
    corrections: int  # of them, those that were wrong
    products: int
    pictures: int
    problems: tuple[str, ...]  # pictures that are damaged, and were left out


def export_review(
    store: Decisions, folder: Path, device: str, by_sku: Callable[[str], Product | None]
) -> Reviewed:
    """Write what people said of decisions, and the hard ones, into `folder`, which is made, or is empty.

    A picture becomes one of a product only where a person has said which it is. Of the sure decisions that
    were right none does: the catalogue has such pictures.

    Raises:
        InputError: something is in the folder already.
        DeviceError: the disk failed or is full.
    """
    _make_empty(folder)
    found = [each for each in store.listed() if each.answer is not Answer.OPEN or each.kind is not Kind.SURE]
    rows, skus, pictures, problems = [], set(), 0, []
    for kept in sorted(found, key=lambda each: each.id):
        name = _picture_of(kept, device)
        if name:
            try:
                data = store.pictures.get(kept.picture)
            except InputError as error:
                problems.append(str(error))
                name = ""
            else:
                make_folder((folder / name).parent)
                write_whole(folder / name, data)
                pictures += 1
                skus |= {kept.true_sku} - {""}
        rows.append([*_said_of(kept), name])
    _write_table(folder / f"review-{device}.csv", _REVIEW_COLUMNS, rows)
    if skus:
        _write_products(folder / f"products-review-{device}.csv", sorted(skus), by_sku)
    wrong = sum(each.answer in {Answer.WRONG, Answer.IS} for each in found)
    return Reviewed(len(rows), wrong, len(skus), pictures, tuple(problems))


_REVIEW_COLUMNS = (
    "decision", "time", "camera", "kind", "verdict", "said_sku",
    "probability", "answer", "sku", "release", "picture",
)  # fmt: skip


def _said_of(kept: Kept) -> list[str]:
    body = kept.body
    probability = str(body.get("probability", ""))
    time = rfc3339(max(0.0, kept.utc))
    head = [str(kept.id), time, kept.camera, kept.kind.value, str(body.get("verdict", ""))]
    return [*head, kept.said, probability, kept.answer.value, kept.true_sku, str(body.get("release", ""))]


def _picture_of(kept: Kept, device: str) -> str:
    """Where its picture stands within the folder; empty where there is none."""
    if not kept.picture or (kept.kind is Kind.SURE and kept.answer is Answer.RIGHT):
        return ""
    name = f"{kept.picture[:16]}.jpg"
    return f"images/{kept.true_sku}/review-{name}" if kept.true_sku else f"review-{device}/{name}"


def _make_empty(folder: Path) -> None:
    make_folder(folder)
    try:
        if any(folder.iterdir()):
            raise InputError(f"{folder}: expected a new or an empty folder, found something in it")
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be read: {error.strerror}") from None


def _write_products(path: Path, skus: Iterable[str], by_sku: Callable[[str], Product | None]) -> None:
    products = [(sku, by_sku(sku)) for sku in skus]
    rows = ([sku, *(getattr(product, name, "") for name in TEXT_FIELDS)] for sku, product in products)
    _write_table(path, ("sku", *TEXT_FIELDS), rows)


def _write_table(path: Path, header: tuple[str, ...], rows: Iterable[list[str]]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from None
