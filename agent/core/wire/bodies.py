"""The content of the messages that carry a fact of another room, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.core.payload import rfc3339, rounded

if TYPE_CHECKING:
    from agent.core.types import Clue, Product, Recognition

_DIGITS: Final = 4
"""Decimals of similarities and probabilities: finer than int8 embeddings resolve (about 1/127 a
component), coarser than the last-bit noise between machines."""


def recognition_body(recognition: Recognition) -> dict[str, Any]:
    """All of a recognition but its id and what every message has, for `encode_rounded`.

    Raises:
        ValueError: a time that is no time.
    """
    track = recognition.track
    return {
        "camera": track.camera,
        "track": track.id,
        "phase": recognition.phase.value,
        "revision": recognition.revision,
        "verdict": recognition.verdict.value,
        **_named(recognition.product),
        "probability": rounded(recognition.probability, _DIGITS),
        "similarity": rounded(recognition.similarity, _DIGITS),
        "margin": rounded(recognition.margin, _DIGITS),
        "false_accept": rounded(recognition.false_accept, _RATE_DIGITS),
        "looks": track.frames,
        "independent_looks": rounded(recognition.independent, _DIGITS),
        "evidence": [
            {"source": source, "log_odds": rounded(log_odds, _DIGITS)}
            for source, log_odds in recognition.evidence
        ],
        "reason": recognition.reason,
        "box": list(track.region.box),
        "region": track.region.name,
        "options": [
            {
                "sku": option.sku,
                "name": option.name or None,
                "similarity": rounded(option.similarity, _DIGITS),
                "probability": rounded(option.probability, _DIGITS),
                "reference": option.reference,
                "clues": [_clue(clue) for clue in option.clues],
            }
            for option in recognition.options
        ],
        "release": recognition.release or None,
        "first_seen": rfc3339(track.first_utc),
        "seen_s": rounded(max(0.0, recognition.at - track.first_at), 3),
    }


_RATE_DIGITS: Final = 8
"""Decimals of a rate that may be a hundred-thousandth."""


def _clue(clue: Clue) -> dict[str, Any]:
    return {"source": clue.source, "log_odds": rounded(clue.log_odds, _DIGITS)}


def _named(product: Product | None) -> dict[str, str | None]:
    if product is None:
        return {"sku": None, "gtin": None, "name": None}
    return {"sku": product.sku, "gtin": product.gtin or None, "name": product.name or None}
