"""Photos whose products are known, and what the gallery says of each: the same eyes and answers as `find`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.images import IMAGE_SUFFIXES, read_image
from agent.core.errors import InputError
from agent.core.evidence import ONE_LOOK, OPTION_LIMIT, decide, in_catalogue
from agent.core.looking import looks_at
from agent.core.regions import kept_centre, propose
from agent.evaluating.gallery import product_root
from agent.publishing.folder import read_folder
from agent.publishing.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.adapters.catalogue import Catalogue
    from agent.core.clock import Clock
    from agent.core.evidence import DecisionSettings
    from agent.core.types import Decision, Look, Verdict
    from agent.evaluating.gallery import Gallery
    from agent.second_look import SecondLook

    Progress = Callable[[int, int], None]

LIMIT = 8
"""Products asked for per photo: five are counted, the rest is margin."""


@dataclass(frozen=True, slots=True)
class Query:
    """One photo and the product that it shows; an empty `sku` is something that no gallery has."""

    path: Path
    sku: str


@dataclass(frozen=True, slots=True)
class Offer:
    """One product that was offered as the answer; `key` is the reference that was nearest."""

    sku: str
    category: str
    key: int


@dataclass(frozen=True, slots=True)
class First:
    """What the first looks alone say of a thing."""

    verdict: Verdict
    sku: str  # that is offered first; empty where nothing is


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gallery said of a photo."""

    query: Query
    known: bool  # whether the gallery has the product
    category: str  # of the right product, empty where the gallery has none
    offers: tuple[Offer, ...]  # best first, at most 5
    verdict: Verdict
    probability: float  # that the first offer is right
    in_catalogue: float  # probability that the gallery has it, whichever product it is
    similarity: float  # of the first offer
    took_s: float  # from a decoded photo to the answer
    photos: int = 1  # of the same product, looked at one after the other as one thing
    compared: int = 0  # of these, how many a closer look compared with references
    first: First | None = None  # what was said without closer looks; None where they were switched off

    @property
    def rank(self) -> int | None:
        """Where the right product stands among the offers, from 0; None where it does not."""
        skus = [offer.sku for offer in self.offers]
        return skus.index(self.query.sku) if self.known and self.query.sku in skus else None

    @property
    def right(self) -> bool:
        """Whether the first offer is the right product."""
        return self.rank == 0


def read_queries(path: Path, report: Callable[[Problem], None]) -> list[Query]:
    """The photos of a product folder (or one folder per product), each with its SKU.

    Raises:
        InputError: the folder cannot be read, or has no photo.
    """
    root = product_root(path)
    found = [
        Query(root / image, item.product.sku) for item in read_folder(root, report) for image in item.images
    ]
    if not found:
        raise InputError(f"{path}: expected photos in a folder per product, found none")
    return found


def read_unknown(folder: Path) -> list[Query]:
    """All photos below a folder, of things that no gallery has, in the order of their paths.

    Raises:
        InputError: the folder cannot be read, or has no photo.
    """

    def failed(error: OSError) -> None:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None

    names = [Path(at) / name for at, _, files in os.walk(folder, onerror=failed) for name in files]
    found = sorted(path for path in names if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise InputError(f"{folder}: expected photos of unknown things, found none")
    return [Query(path, "") for path in found]


def ask(
    gallery: Gallery,
    queries: Sequence[Query],
    crop: float | None,
    clock: Clock,
    report: Callable[[Problem], None],
    progress: Progress | None = None,
    *,
    tracks: int = 1,
    false_accept: float = ONE_LOOK.false_accept,
    second: SecondLook | None = None,
) -> Iterator[Answer]:
    """The answer to each photo, in order; one that cannot be read is reported and left out.

    `crop` None means as the catalogue was built. With `tracks` up to so many photos in a row that show one
    product are one thing that was looked at as often, and have one answer: that of the look that names it, or
    of all of them. With `second` closer looks are taken as on a device.

    Raises:
        ModelError: the model's answer is no embedding.
        DeviceError: an inference failed.
    """
    settings = replace(ONE_LOOK, window=tracks, false_accept=false_accept)
    catalogue = gallery.catalogue
    where = kept_centre(catalogue.manifest.crop if crop is None else crop)
    warm, number = False, 0
    for thing in _things(queries, tracks):
        looks: list[Look] = []
        firsts: list[Look] = []
        took_s, compared = 0.0, 0
        decision, alone = None, None
        for query in thing:
            number += 1
            try:
                image = read_image(query.path)
                regions = propose(where, image.shape[1], image.shape[0])
                if not warm:  # the first inference allocates; its time is nobody's latency
                    gallery.eyes.embed(image, regions)
                    warm = True
                began = clock.monotonic()
                embeddings = gallery.eyes.embed(image, regions)
                seen = looks_at(image, regions, embeddings, catalogue.nearest(embeddings, limit=LIMIT))
                firsts += seen
                if second is not None:
                    before = second.tally.compared
                    seen = second.improved(image, regions, seen, catalogue)
                    compared += second.tally.compared - before
                looks += seen
                decision = _answered(decision, looks, catalogue, settings)
                took_s += clock.monotonic() - began
                alone = _answered(alone, firsts, catalogue, settings)
            except InputError as error:
                report(Problem(str(query.path), str(error).removeprefix(f"{query.path}: ")))
            except ValueError as error:  # a picture too thin for the model
                report(Problem(str(query.path), str(error)))
            if progress is not None:
                progress(number, len(queries))
        if decision is not None and alone is not None:
            answer = _answer(gallery, thing[0], decision, took_s / len(looks), len(looks))
            if second is not None:
                sku = catalogue.product(alone.options[0].product).sku if alone.options else ""
                answer = replace(answer, compared=compared, first=First(alone.verdict, sku))
            yield answer


def _answered(
    before: Decision | None, looks: Sequence[Look], catalogue: Catalogue, settings: DecisionSettings
) -> Decision:
    """The answer so far: one that names something stands."""
    if before is not None and before.product is not None:
        return before
    return decide(looks, catalogue.calibration, settings)


def _things(queries: Sequence[Query], most: int) -> Iterator[list[Query]]:
    """Photos in a row that show one product, at most so many of them; what no gallery has is a thing each."""
    thing: list[Query] = []
    for query in queries:
        if thing and (query.sku != thing[0].sku or not query.sku or len(thing) == most):
            yield thing
            thing = []
        thing.append(query)
    if thing:
        yield thing


def _answer(gallery: Gallery, query: Query, decision: Decision, took_s: float, photos: int) -> Answer:
    catalogue = gallery.catalogue
    offers = []
    for option in decision.options[:OPTION_LIMIT]:
        product = catalogue.product(option.product)
        offers.append(Offer(product.sku, product.category, option.key))
    own = catalogue.by_sku(query.sku) if query.sku else None
    return Answer(
        query=query,
        known=own is not None,
        category=own.category if own else "",
        offers=tuple(offers),
        verdict=decision.verdict,
        probability=decision.probability,
        in_catalogue=in_catalogue(decision),
        similarity=decision.similarity,
        took_s=took_s,
        photos=photos,
    )
