"""What a device learned, as files that head office copies into its product folder.

products-<device>.csv         a row for each SKU that was enrolled; rows that head office has of it win
images/<sku>/learned-….jpg    its pictures
forgotten-<device>.csv        SKUs that the device recognises no longer, for a person to look at
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from agent.adapters.overlay import Overlay
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
    make_folder(folder)
    try:
        if any(folder.iterdir()):
            raise InputError(f"{folder}: expected a new or an empty folder, found something in it")
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be read: {error.strerror}") from None
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
    products = [(sku, by_sku(sku)) for sku in skus]
    _write_table(
        folder / f"products-{device}.csv",
        ("sku", *TEXT_FIELDS),
        ([sku, *(getattr(product, name, "") for name in TEXT_FIELDS)] for sku, product in products),
    )
    if learned.forgotten:
        rows = ([each.sku, rfc3339(max(0.0, each.utc))] for each in learned.forgotten)
        _write_table(folder / f"forgotten-{device}.csv", ("sku", "since"), rows)
    return Exported(
        len(skus), len(learned.references) - len(problems), len(learned.forgotten), tuple(problems)
    )


def _write_table(path: Path, header: tuple[str, ...], rows: Iterable[list[str]]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from None
