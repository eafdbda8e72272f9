"""Which key each picture has in the next index: the one that it had, wherever that can be said.

A device's patch is as small as what changed, so a picture that stays keeps its place in the index, and one
that was taken anew under its old name takes the place of its predecessor. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.matching import key_of, view_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class View:
    """A picture of a product: its path, and what the index stores of it (empty: not to be compared)."""

    path: str
    codes: bytes = b""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What becomes of the references of one product."""

    keys: tuple[int, ...]  # of the pictures, in their order
    stored: tuple[bool, ...]  # whether the index holds this very vector under that key


def renew(product: int, held: Mapping[int, View], pictures: Sequence[View]) -> Renewal:
    """Give the pictures of a product their keys; `held` are its references, key → view.

    The same path and vector keeps its key, then the same vector under another path (it was renamed), then the
    same path with another vector (it was replaced). What is left gets the lowest free keys.

    Raises:
        ValueError: the product has more pictures than a key can tell apart.
    """
    keys: list[int] = [0] * len(pictures)
    free = dict(held)
    by_both = {(view.path, view.codes): key for key, view in free.items() if view.codes}
    for place, picture in enumerate(pictures):
        key = by_both.get((picture.path, picture.codes))
        if key in free:
            del free[key]
            keys[place] = key
    stored = [key > 0 for key in keys]
    by_codes: dict[bytes, list[int]] = {}
    for key in sorted(free, reverse=True):
        by_codes.setdefault(free[key].codes, []).append(key)
    for place, picture in enumerate(pictures):
        alike = by_codes.get(picture.codes) if picture.codes else None
        if keys[place] == 0 and alike:
            keys[place] = alike.pop()  # the lowest
            stored[place] = True
            del free[keys[place]]
    by_path = {view.path: key for key, view in free.items()}
    for place, picture in enumerate(pictures):
        if keys[place] == 0 and picture.path in by_path:
            keys[place] = by_path.pop(picture.path)
            del free[keys[place]]
    taken = {view_of(key) for key in keys if key}
    view = 0
    for place, key in enumerate(keys):
        if key:
            continue
        while view in taken:
            view += 1
        keys[place] = key_of(product, view)
        view += 1
    return Renewal(tuple(keys), tuple(stored))
