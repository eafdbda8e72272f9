"""The content of the messages that carry a fact of another room, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from agent.core.payload import rfc3339, rounded

if TYPE_CHECKING:
    from agent.core.types import Box, Clue, NamedOption, Phase, Recognition, Verdict

_DIGITS: Final = 4
"""Decimals of similarities and probabilities: finer than int8 embeddings resolve (about 1/127 a
component), coarser than the last-bit noise between machines."""

_RATE_DIGITS: Final = 8
"""Decimals of a rate that may be a hundred-thousandth."""


# A recognition is by far the most frequent message. As structs, whose keys are in order by their definition
# and sorted by nobody, it is made in half the time of dicts. `gc=False`: none of them refers to itself.


class _LogOdds(msgspec.Struct, gc=False):
    log_odds: float
    source: str


class _Option(msgspec.Struct, gc=False):
    clues: list[_LogOdds]
    name: str | None
    probability: float
    reference: str
    similarity: float
    sku: str


class RecognitionBody(msgspec.Struct, gc=False):
    """A recognition as it is told, for `encode_ordered`: the keys in alphabetical order."""

    box: Box
    camera: str
    device: str
    evidence: list[_LogOdds]
    false_accept: float
    first_seen: str
    gtin: str | None
    id: str
    independent_looks: float
    looks: int
    margin: float
    name: str | None
    options: list[_Option]
    phase: Phase
    probability: float
    reason: str
    region: str
    release: str | None
    revision: int
    schema: int
    seen_s: float
    similarity: float
    site: str
    sku: str | None
    time: str
    track: str
    verdict: Verdict


def recognition_body(
    said: Recognition, *, schema: int, site: str, device: str, identity: str
) -> RecognitionBody:
    """All of a recognition, and what every message has.

    Raises:
        ValueError: a time that is no time, or a number that is not finite.
    """
    track, product = said.track, said.product
    return RecognitionBody(
        box=track.region.box,
        camera=track.camera,
        device=device,
        evidence=[_LogOdds(rounded(log_odds, _DIGITS), source) for source, log_odds in said.evidence],
        false_accept=rounded(said.false_accept, _RATE_DIGITS),
        first_seen=rfc3339(track.first_utc),
        gtin=product.gtin or None if product else None,
        id=identity,
        independent_looks=rounded(said.independent, _DIGITS),
        looks=track.frames,
        margin=rounded(said.margin, _DIGITS),
        name=product.name or None if product else None,
        options=[_option(option) for option in said.options],
        phase=said.phase,
        probability=rounded(said.probability, _DIGITS),
        reason=said.reason,
        region=track.region.name,
        release=said.release or None,
        revision=said.revision,
        schema=schema,
        seen_s=rounded(max(0.0, said.at - track.first_at), 3),
        similarity=rounded(said.similarity, _DIGITS),
        site=site,
        sku=product.sku if product else None,
        time=rfc3339(said.utc),
        track=track.id,
        verdict=said.verdict,
    )


def _option(option: NamedOption) -> _Option:
    return _Option(
        [_log_odds(clue) for clue in option.clues] if option.clues else [],
        option.name or None,
        rounded(option.probability, _DIGITS),
        option.reference,
        rounded(option.similarity, _DIGITS),
        option.sku,
    )


def _log_odds(clue: Clue) -> _LogOdds:
    return _LogOdds(rounded(clue.log_odds, _DIGITS), clue.source)
