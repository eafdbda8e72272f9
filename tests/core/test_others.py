"""Where things lie that are no products, and what being like them counts."""

from __future__ import annotations

from base64 import b64encode

import numpy as np
import pytest

from agent.core.calibration import Calibration
from agent.core.evidence import DecisionSettings, decide, in_catalogue
from agent.core.others import OTHERS_LIMIT, otherness, pack, unpack, usual_nearness
from agent.core.types import Candidate, Look, Verdict

AXES = np.eye(16, dtype=np.float32)
CURVE = Calibration(
    bias=-12.0, similarity=20.0, margin=0.0, identity=40.0, unknown=-4.0, tail=1.0, fall=0.5,
    rival_tail=1.0, rival_fall=0.5, others=pack(AXES[:2]), others_from=0.3,
)  # fmt: skip
SURE = (Candidate(1, 0.95, key=1 << 24), Candidate(2, 0.5, key=2 << 24))


def between(first: int, second: int, share: float) -> np.ndarray:
    """A unit row whose cosine to the first axis is `share`."""
    return (share * AXES[first] + np.sqrt(1 - share * share) * AXES[second]).astype(np.float32)


def test_directions_are_the_same_after_they_were_text() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert (unpack(pack(rows)) * rows).sum(axis=1) == pytest.approx(np.ones(3), abs=1e-3)
    assert len(unpack("")) == 0
    assert pack(rows).isprintable()


BAD = {
    "no base64": "no, none",
    "another length": f"{pack(AXES[:1])} {pack(np.ones((1, 8), np.float32))}",
    "zeros": b64encode(bytes(16)).decode(),
    "too many": " ".join([pack(AXES[:1])] * (OTHERS_LIMIT + 1)),
    "an empty one": f"{pack(AXES[:1])}  {pack(AXES[1:2])}",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_is_no_direction_is_refused_wherever_it_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="others: expected"):
        unpack(text)
    with pytest.raises(ValueError, match="calibration others: expected"):
        Calibration(0.0, 1.0, 1.0, others=text)


def test_only_what_lies_beyond_the_usual_counts_and_the_nearest_direction_alone() -> None:
    text = pack(AXES[:2])
    looks = [Look((), embedding=between(axis, 5, share)) for axis, share in ((0, 0.2), (1, 0.8))]
    assert otherness(looks, text, 0.3) == pytest.approx((0 + 0.5) / 2)
    assert otherness([Look(())], text, 0.3) == 0.0
    assert otherness(looks, "", 0.3) == 0.0
    assert otherness(looks, pack(np.eye(8, dtype=np.float32)), 0.3) == 0.0, "directions of another model"


def test_a_near_thing_that_lies_among_what_is_no_product_is_not_named() -> None:
    settings = DecisionSettings(looks=1, window=1)
    product, garment = (
        decide([Look(SURE, embedding=between(0, 5, share))], CURVE, settings) for share in (0.2, 0.8)
    )
    assert product.verdict is Verdict.KNOWN
    assert garment.verdict is not Verdict.KNOWN
    assert in_catalogue(product) - in_catalogue(garment) > 0.5


def test_a_shop_that_sells_such_things_begins_where_its_own_references_end() -> None:
    text = pack(AXES[:2])
    shares = np.linspace(0.5, 0.9, 101)
    garments = np.array([between(0, 5, share) for share in shares])
    assert usual_nearness(garments, text) == pytest.approx(0.892, abs=0.005)
    assert usual_nearness(AXES[4:], text) == pytest.approx(0.0, abs=0.01)
