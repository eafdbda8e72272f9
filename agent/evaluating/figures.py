"""From answers to the figures of `spotter evaluate --json`.

Shares of right answers are of the known queries (whose product the gallery has). The open set compares them
with the unknown ones. The calibration errors are over all: a probability is a promise whatever the photo
shows, and the answer to an unknown one is always wrong. Even true probabilities differ from the shares of few
photos: `ece_by_chance` is by how much, `ece_debiased` what is left without most of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.scoring import (
    auroc,
    bootstrap,
    calibration_error,
    confusions,
    debiased_calibration_error,
    expected_calibration_error,
    false_accepts,
    macro_f1,
    per_product,
    reliability,
    threshold_for,
    wilson,
)
from agent.core.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from agent.evaluating.asking import Answer

    Figure = Callable[[NDArray[np.int64]], float | None]

TRUE_ACCEPTS = 0.95
NOTHING = ""
"""The answer of a gallery that offers nothing."""


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """All figures as plain data; shares in [0, 1], None where there is nothing to take one from."""
    known = [answer for answer in answers if answer.known]
    shares = {
        "top1": [answer.right for answer in known],
        "top5": [answer.rank is not None for answer in known],
        "coarse_top1": [
            bool(answer.offers) and answer.offers[0].category == answer.category
            for answer in known
            if answer.category
        ],
    }
    others, intervals = _resampled(answers)
    ms = np.array([answer.took_s * 1e3 for answer in answers]) if answers else np.zeros(1)
    truth, found = _skus(known)
    return {
        "queries": len(answers),
        "known": len(known),
        "unknown": len(answers) - len(known),
        **{name: _rounded(float(np.mean(hits)) if hits else None) for name, hits in shares.items()},
        **others,
        "second_look": _second_look(answers),
        "latency_ms": {f"p{p}": round(float(np.percentile(ms, p)), 3) for p in (50, 95)},
        "intervals_95": {
            **{name: _pair(wilson(sum(hits), len(hits))) for name, hits in shares.items() if hits},
            **intervals,
        },
        "open_set": {
            name: _open_set(answers, name) for name in ("in_catalogue", "probability", "similarity")
        },
        "verdicts": {
            "known": _verdicts(known),
            "unknown": _verdicts([answer for answer in answers if not answer.known]),
        },
        "products": [
            {
                "sku": item.sku,
                "queries": item.queries,
                "answered": item.answered,
                "precision": _rounded(item.precision),
                "recall": _rounded(item.recall),
                "recall_95": _pair(wilson(item.right, item.queries)),
                "f1": _rounded(item.f1),
            }
            for item in per_product(truth, found)
        ],
        "confusions": [
            {"sku": sku, "taken_for": other, "count": count} for sku, other, count in confusions(truth, found)
        ],
        "reliability": _bins(*_claims(answers)),
        "reliability_known": _bins(
            np.array([answer.in_catalogue for answer in answers], np.float64),
            np.array([answer.known for answer in answers], bool),
        ),
    }


def _resampled(answers: Sequence[Answer]) -> tuple[dict[str, float | None], dict[str, list[float]]]:
    """The figures that have no formula for their interval, and those from resampling the queries."""
    known = np.array([answer.known for answer in answers], bool)
    probability, right = _claims(answers)
    number: dict[str, int] = {}
    truth, found = _skus(answers)
    pairs = np.array(
        [
            [number.setdefault(sku, len(number)) for sku in pair]
            for pair in zip(truth, found, strict=True)
        ],
        np.int64,
    ).reshape(-1, 2)  # fmt: skip

    def f1(rows: NDArray[np.int64]) -> float | None:
        chosen = pairs[rows[known[rows]]]
        return macro_f1(chosen[:, 0], chosen[:, 1])

    there = np.array([answer.in_catalogue for answer in answers], np.float64)
    mixed = bool(known.any() and not known.all())

    def split(rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return there[rows[known[rows]]], there[rows[~known[rows]]]

    table: dict[str, Figure] = {
        "macro_f1": f1,
        "auroc": lambda rows: auroc(*split(rows)),
        "far_at_95_tar": lambda rows: false_accepts(*split(rows), TRUE_ACCEPTS),
        "ece": lambda rows: calibration_error(probability[rows], right[rows]),
        "ece_known": lambda rows: calibration_error(there[rows], known[rows]) if mixed else None,
    }
    plain = {
        "ece_debiased": debiased_calibration_error(probability, right),
        "ece_by_chance": expected_calibration_error(probability),
        "ece_known_debiased": debiased_calibration_error(there, known) if mixed else None,
        "ece_known_by_chance": expected_calibration_error(there) if mixed else None,
    }
    values, intervals = {name: _rounded(value) for name, value in plain.items()}, {}
    for name, figure in table.items():
        values[name] = _rounded(figure(np.arange(len(answers))))
        interval = bootstrap(figure, len(answers))
        if interval is not None:
            intervals[name] = _pair(interval)
    return values, intervals


def _open_set(answers: Sequence[Answer], score: str) -> dict[str, float | None]:
    """How well one score tells known from unknown, and from where it accepts 95 % of the known."""
    known = np.array([getattr(answer, score) for answer in answers if answer.known], np.float64)
    unknown = np.array([getattr(answer, score) for answer in answers if not answer.known], np.float64)
    return {
        "auroc": _rounded(auroc(known, unknown)),
        "far_at_95_tar": _rounded(false_accepts(known, unknown, TRUE_ACCEPTS)),
        "threshold": _rounded(threshold_for(known, TRUE_ACCEPTS)) if len(known) else None,
    }


def _verdicts(answers: Sequence[Answer]) -> dict[str, Any]:
    """How often a product was named (with the interval of its share), rightly, and how often not."""
    return {
        "queries": len(answers),
        "named_95": _pair(wilson(sum(answer.verdict is Verdict.KNOWN for answer in answers), len(answers))),
        "named": sum(answer.verdict is Verdict.KNOWN for answer in answers),
        "named_right": sum(answer.verdict is Verdict.KNOWN and answer.right for answer in answers),
        "ambiguous": sum(answer.verdict is Verdict.AMBIGUOUS for answer in answers),
        "not_named": sum(answer.verdict is Verdict.UNKNOWN for answer in answers),
    }


def _second_look(answers: Sequence[Answer]) -> dict[str, Any] | None:
    """What was said without closer looks, and what of it changed where pictures were compared."""
    told = [(answer, answer.first) for answer in answers if answer.first is not None]
    if not told:
        return None
    known = [(answer, first) for answer, first in told if answer.known]
    looked = [(answer, first) for answer, first in known if answer.compared]
    named = [(answer, first) for answer, first in told if first.verdict is Verdict.KNOWN]
    right = [first.sku == answer.query.sku for answer, first in known]
    photos, compared = (sum(getattr(answer, name) for answer, _ in told) for name in ("photos", "compared"))
    return {
        "compared": compared,
        "share": _rounded(compared / photos),
        "share_95": _pair(wilson(compared, photos)),
        "top1_without": _rounded(float(np.mean(right)) if right else None),
        "named_without": len(named),
        "named_right_without": sum(first.sku == answer.query.sku for answer, first in named),
        "errors_compared": {
            "without": sum(first.sku != answer.query.sku for answer, first in looked),
            "with": sum(not answer.right for answer, _ in looked),
        },
    }


def _claims(answers: Sequence[Answer]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What was claimed of each first offer, and whether it was so."""
    return (
        np.array([answer.probability for answer in answers], np.float64),
        np.array([answer.right for answer in answers], bool),
    )


def _bins(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    return [
        {
            "from": item.low,
            "to": item.high,
            "count": item.count,
            "probability": _rounded(item.probability),
            "right": _rounded(item.right),
        }
        for item in reliability(probability, right)
    ]


def _skus(answers: Sequence[Answer]) -> tuple[list[str], list[str]]:
    """The right product and the one offered first."""
    return (
        [answer.query.sku for answer in answers],
        [answer.offers[0].sku if answer.offers else NOTHING for answer in answers],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _pair(interval: tuple[float, float]) -> list[float]:
    return [round(value, 6) for value in interval]
