"""Which decisions are worth another look, and which of them go when there are too many."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agent.core.review import BODY, Kind, ReviewSettings, body_of, kind_of, surplus
from agent.core.types import NamedOption, Phase, Product, Recognition, Region, Track, Verdict

ON = ReviewSettings(keep=10, sample=0)
DAY = 86_400.0


def told(
    verdict: Verdict = Verdict.KNOWN,
    similarities: tuple[float, ...] = (0.9, 0.5),
    margin: float = 0.4,
    track: str = "t-1",
    phase: Phase = Phase.NEW,
    at: float = 0.0,
) -> Recognition:
    """What is told of one track; the first option is named where it is known."""
    options = tuple(
        NamedOption(f"sku-{n}", f"Name {n}", similarity, 0.9 / (n + 1), f"images/sku-{n}/a.jpg")
        for n, similarity in enumerate(similarities)
    )
    product = Product(1, "sku-0", name="Name 0") if verdict is Verdict.KNOWN else None
    followed = Track(track, "bay-4", Region((0, 0, 64, 48)), 0.0, 100.0, at, 100.0 + at, 3, ())
    similarity = similarities[0] if similarities else -1.0
    return Recognition(
        followed, phase, 0, verdict, product, 0.9, similarity, margin, "", options, "7", at, 100.0 + at,
        0.001, 2.0, (("pictures", 3.25),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("recognition", "kind"),
    [
        (told(), None),
        (told(Verdict.UNKNOWN, ()), Kind.UNKNOWN),
        (told(Verdict.AMBIGUOUS), Kind.AMBIGUOUS),
        (told(margin=0.029), Kind.CLOSE),
        (told(margin=0.03), None),
        (told(similarities=(0.9,), margin=0.0), None),  # there is no other product that it is close to
        (told(similarities=(0.8, 0.85), margin=0.5), Kind.OVERRULED),
    ],
)
def test_hard_cases_are_told_from_sure_ones(recognition: Recognition, kind: Kind | None) -> None:
    assert kind_of(recognition, ON) is kind


def test_of_the_sure_ones_a_share_is_drawn_by_their_name() -> None:
    some = replace(ON, sample=0.1)
    drawn = [kind_of(told(track=f"track {n}"), some) for n in range(2000)]
    assert 140 < drawn.count(Kind.SURE) < 260
    assert drawn == [kind_of(told(track=f"track {n}"), some) for n in range(2000)]
    assert {kind_of(told(track=f"track {n}"), replace(ON, sample=1)) for n in range(99)} == {Kind.SURE}


def test_what_is_kept_of_one_is_plain_data() -> None:
    body = json.loads(json.dumps(body_of(told(), {"sku-0": 2**60})))
    assert set(body) == BODY
    assert (body["sku"], body["name"], body["probability"]) == ("sku-0", "Name 0", 0.9)
    assert body["evidence"] == [{"source": "pictures", "log_odds": 3.25}]
    assert [each["key"] for each in body["options"]] == [str(2**60), ""]


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        ([], []),
        ([(1, 0.0, False, 9), (2, 5.0, False, 9)], []),
        ([(1, -DAY, True, 9), (2, 5.0, False, 9)], [1]),  # too old, whatever was said of it
        ([(1, 1.0, True, 9), (2, 2.0, False, 9), (3, 3.0, False, 9)], [2]),  # what has an answer stays
        ([(1, 1.0, True, 9), (2, 2.0, True, 9), (3, 3.0, True, 9)], [1]),
        ([(1, 1.0, False, 60_000), (2, 2.0, False, 60_000)], [1]),  # bytes
    ],
)
def test_what_is_too_much_goes(kept: list[tuple[int, float, bool, int]], gone: list[int]) -> None:
    settings = ReviewSettings(keep=2, days=1, max_bytes=100_000)
    assert surplus(kept, DAY / 2, settings) == gone
