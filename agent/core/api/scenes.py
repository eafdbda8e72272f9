"""What a camera shows now, as the live page is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.payload import rfc3339
from agent.core.product_rules import TEXT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.scene import Scene
    from agent.core.types import Product, Recognition, Track

_DIGITS: Final = 4


def scene_body(scene: Scene, number: int, known: Mapping[str, Recognition]) -> dict[str, Any]:
    """A scene as plain data. `number`: of its picture; `known`: track → what was last told of it.

    A thing of which nothing was told yet is `undecided`.

    Raises:
        ValueError: a time that is no time.
    """
    frame = scene.frame
    return {
        "camera": scene.camera,
        "time": rfc3339(scene.utc),
        "picture": number if frame is not None else None,
        "width": frame.width if frame is not None else 0,
        "height": frame.height if frame is not None else 0,
        "things": [_thing(track, known.get(track.id)) for track in scene.tracks],
    }


def _thing(track: Track, told: Recognition | None) -> dict[str, Any]:
    product = told.product if told is not None else None
    options = told.options if told is not None else ()
    return {
        "track": track.id,
        "region": track.region.name,
        "box": list(track.region.box),
        "quad": [list(corner) for corner in track.region.quad] if track.region.quad else None,
        "verdict": told.verdict.value if told is not None else "undecided",
        "sku": product.sku if product is not None else None,
        "name": product.name if product is not None else None,
        "probability": round(told.probability, _DIGITS) if told is not None else None,
        "reason": told.reason if told is not None else "",
        "options": [
            {"sku": each.sku, "name": each.name, "probability": round(each.probability, _DIGITS)}
            for each in options[:3]
        ],
        "seen_s": round(max(0.0, track.last_at - track.first_at), 1),
    }


def product_body(product: Product, *, learned: bool, pictured: bool) -> dict[str, Any]:
    """A row of the catalogue; texts that are not known are empty."""
    texts = {name: getattr(product, name) for name in TEXT_FIELDS}
    return {"sku": product.sku, **texts, "learned": learned, "pictured": pictured}
