"""The file of golden probes, and what they say of a device."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.core.probes import (
    PROBES_LIMIT_BYTES,
    Answer,
    Probe,
    Probes,
    dump_probes,
    judge_both,
    judge_eyes,
    judge_index,
    parse_probes,
)

FIRST = Probe(b"\xff\xd8 first", bytes([127, 0, 0, 0]), "tea", 0.9)
SECOND = Probe(b"\xff\xd8 second", bytes([0, 127, 256 - 127, 0]), "milk", -0.25)
PROBES = Probes(0.98, 0.002, 0.9, (FIRST, SECOND))


def test_what_is_written_is_read() -> None:
    assert parse_probes(dump_probes(PROBES)) == PROBES


def test_one_probe_stands_on_one_line() -> None:
    lines = dump_probes(PROBES).decode().splitlines()
    assert [json.loads(line.rstrip(","))["sku"] for line in lines[1:-1]] == ["tea", "milk"]


def test_an_embedding_is_a_unit_row() -> None:
    assert PROBES.embeddings.dtype == np.float32
    assert np.allclose(PROBES.embeddings, [[1, 0, 0, 0], [0, 0.5**0.5, -(0.5**0.5), 0]])


Document = dict[str, Any]
WRONG: dict[str, tuple[Callable[[Document], object], str]] = {
    "another schema": (lambda d: d.update(schema=2), "schema: expected 1, found 2"),
    "no probes": (lambda d: d.update(probes=[]), "probes: expected 1 to 64, found 0"),
    "too many": (lambda d: d.update(probes=d["probes"] * 33), "probes: expected at most 64, found 66"),
    "a floor that nothing reaches": (lambda d: d.update(floor=2), "floor: expected a number from 0 to 1"),
    "a field nobody knows": (lambda d: d.update(hue=1), "hue: expected one of schema"),
    "a field missing": (lambda d: d["probes"][0].pop("sku"), "probes[0].sku: expected a value, found none"),
    "no sku": (lambda d: d["probes"][0].update(sku=""), "probes[0].sku: expected a text, found none"),
    "no base64": (
        lambda d: d["probes"][1].update(picture="?"),
        "probes[1].picture: expected base64, found '?'",
    ),
    "no picture": (
        lambda d: d["probes"][1].update(picture=""),
        "probes[1].picture: expected 1 to 65536 bytes, found 0",
    ),
    "a picture too large": (
        lambda d: d["probes"][1].update(picture=base64.b64encode(bytes(65_537)).decode()),
        "probes[1].picture: expected 1 to 65536 bytes, found 65537",
    ),
    "an embedding of zeros": (
        lambda d: d["probes"][0].update(embedding=base64.b64encode(bytes(4)).decode()),
        "probes[0].embedding: expected int8 of -127 to 127",
    ),
    "an embedding of nothing": (
        lambda d: d["probes"][0].update(embedding=""),
        "probes[0].embedding: expected int8 of -127 to 127",
    ),
    "embeddings of several lengths": (
        lambda d: d["probes"][0].update(embedding=base64.b64encode(bytes([1, 2])).decode()),
        "probes: expected embeddings of one length",
    ),
    "a similarity above one": (
        lambda d: d["probes"][0].update(similarity=1.5),
        "probes[0].similarity: expected a number from -1 to 1, found 1.5",
    ),
}


@pytest.mark.parametrize(("change", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(change: Callable[[Document], object], says: str) -> None:
    document = json.loads(dump_probes(PROBES))
    change(document)
    with pytest.raises(ValueError, match="^" + re.escape(says)) as error:
        parse_probes(json.dumps(document).encode())
    assert "\n" not in str(error.value)


def test_a_file_that_has_no_end_is_not_parsed() -> None:
    with pytest.raises(ValueError, match="expected at most 262144 bytes"):
        parse_probes(b" " * (PROBES_LIMIT_BYTES + 1))


def test_the_same_eyes_are_well() -> None:
    assert judge_eyes(PROBES, PROBES.embeddings) == ""


def test_eyes_that_see_otherwise_are_named_by_the_worst_probe() -> None:
    seen = PROBES.embeddings
    seen[1] = [0, 1, 0, 0]
    assert judge_eyes(PROBES, seen).startswith(
        "probe 2 of 2, 'milk': expected an embedding of cosine 0.98 or more to head office's, found 0.7071"
    )


RIGHT = [Answer("tea", 0.901), Answer("milk", -0.25)]
ANSWERS = {
    "as head office": (RIGHT, "", ""),
    "another product": (
        [RIGHT[0], Answer("cream", -0.25)],
        "probe 2 of 2, 'milk': expected the similarity -0.25 within 0.002, found 'cream' with -0.2500",
        "probe 2 of 2, 'milk': expected this product, found 'cream' with -0.2500",
    ),
    "another similarity": (
        [Answer("tea", 0.87), RIGHT[1]],
        "probe 1 of 2, 'tea': expected the similarity 0.9 within 0.002, found 'tea' with 0.8700",
        "",
    ),
    "nothing at all": (
        [Answer("", -1.0), RIGHT[1]],
        "probe 1 of 2, 'tea': expected the similarity 0.9 within 0.002, found no product",
        "probe 1 of 2, 'tea': expected this product, found no product",
    ),
}


@pytest.mark.parametrize(("answers", "index", "both"), ANSWERS.values(), ids=ANSWERS)
def test_answers(answers: list[Answer], index: str, both: str) -> None:
    """Those to head office's embeddings must be the same; those to one's own need the product alone."""
    assert judge_index(PROBES, answers).startswith(index)
    assert bool(judge_index(PROBES, answers)) == bool(index)
    assert judge_both(PROBES, answers) == both


def test_a_probe_is_valid_at_birth() -> None:
    with pytest.raises(ValueError, match="int8 of -127"):
        replace(FIRST, codes=bytes([128, 1, 1, 1]))
