"""The spec beside a model: what is wrong with it is one line with file, field, expected, found."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from agent.core.calibration import Calibration
from agent.core.errors import ModelError
from agent.core.model_spec import SPEC_LIMIT_BYTES, InputSpec, NewPhotos, parse_spec

GOOD: dict[str, Any] = {
    "schema": 1,
    "name": "tiny",
    "file": "tiny.tflite",
    "sha256": "ab" * 32,
    "input": {
        "height": 96,
        "width": 128,
        "dtype": "uint8",
        "colour": "BGR",
        "mean": [128, 127.5, 0],
        "std": [128, 127.5, 255],
        "resize": "crop",
        "interpolation": "area",
    },
    "dimension": 48,
    "provenance": "drawn",
    "licence": "Apache-2.0",
}


def without(*path: str) -> bytes:
    document = json.loads(json.dumps(GOOD))
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return json.dumps(document).encode()


def with_(value: Any, *path: str) -> bytes:
    document = json.loads(json.dumps(GOOD))
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(document).encode()


BAD = {
    "empty": (b"", "expected JSON, found b''"),
    "not text": (b"\xff\xfe\x00", "expected JSON, found"),
    "not JSON": (b"height: 3", "expected JSON, found"),
    "cut in the middle": (json.dumps(GOOD).encode()[:100], "expected JSON, found"),
    "too long": (b" " * (SPEC_LIMIT_BYTES + 1), f"expected at most {SPEC_LIMIT_BYTES} bytes of JSON"),
    "nested too deep": (b"[" * 60_000, "expected JSON, found"),
    "a number of 10,000 digits": (b'{"schema": ' + b"1" * 10_000 + b"}", "expected JSON, found"),
    "a list": (b"[]", "expected an object of fields, found list []"),
    "the same field twice": (b'{"schema": 1, "name": "a", "name": "b"}', "field 'name' stands there twice"),
    "NaN": (b'{"schema": NaN}', "NaN is not a number"),
    "infinity": (b'{"schema": -Infinity}', "-Infinity is not a number"),
    "no schema": (without("schema"), "schema: expected 1, found None"),
    "another schema": (with_(2, "schema"), "schema: expected 1, found 2"),
    "true for a schema": (with_(True, "schema"), "schema: expected 1, found True"),
    "an unknown field": (with_(1, "batch"), "batch: expected one of name, file, sha256, input"),
    "an unknown field of the input": (with_(1, "input", "size"), "input.size: expected one of height, width"),
    "a name of two lines": (with_("a\nb", "name"), "name: expected a name in one line, found 'a\\nb'"),
    "half of a character": (with_("\ud83d", "name"), "name: expected a name in one line"),
    "no dimension": (without("dimension"), "dimension: expected a value, found none"),
    "no height": (without("input", "height"), "input.height: expected a value, found none"),
    "text for a number": (
        with_("96", "input", "height"),
        "input.height: expected a whole number, found str '96'",
    ),
    "a fraction for a whole number": (
        with_(4.5, "dimension"),
        "dimension: expected a whole number, found float 4.5",
    ),
    "true for a number": (with_(True, "dimension"), "dimension: expected a whole number, found bool True"),
    "a number for text": (with_(5, "name"), "name: expected a text, found int 5"),
    "a list for the input": (with_([], "input"), "input: expected an object of fields, found list []"),
    "two means": (with_([1, 2], "input", "mean"), "input.mean: expected three numbers, found list [1, 2]"),
    "a mean beyond all bounds": (with_([1e300, 0, 0], "input", "mean"), "input.mean: expected three numbers"),
    "a std of zero": (
        with_([1, 0, 1], "input", "std"),
        "input.std: expected numbers of at least 0.000001, found",
    ),
    "a std that overflows": (
        json.dumps(GOOD).replace("255", "1e999").encode(),
        "input.std: expected three numbers",
    ),
    "an unknown type": (
        with_("int16", "input", "dtype"),
        "input.dtype: expected one of uint8, int8, float32, found",
    ),
    "an unknown way to resize": (
        with_("fit", "input", "resize"),
        "input.resize: expected one of stretch, crop, pad",
    ),
    "unknown colours": (
        with_("HSV", "input", "colour"),
        "input.colour: expected one of RGB, BGR, found 'HSV'",
    ),
    "a picture of no pixel": (
        with_(0, "input", "width"),
        "input.width: expected a whole number from 8 to 2048, found 0",
    ),
    "a picture too large": (
        with_(10**9, "input", "width"),
        "input.width: expected a whole number from 8 to 2048",
    ),
    "no dimension at all": (
        with_(0, "dimension"),
        "dimension: expected a whole number from 1 to 16384, found 0",
    ),
    "a digest in capitals": (with_("AB" * 32, "sha256"), "sha256: expected 64 lower-case hex digits, found"),
    "a digest too short": (with_("ab", "sha256"), "sha256: expected 64 lower-case hex digits, found 'ab'"),
    "a model in another folder": (
        with_("../x.tflite", "file"),
        "file: expected the name of a file beside the spec",
    ),
    "no name": (with_("", "name"), "name: expected a name in one line, found ''"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD.keys())
def test_a_wrong_spec_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_spec(data, "tiny.json")
    text = str(caught.value)
    assert text.startswith("tiny.json: ")
    assert message in text
    assert "\n" not in text
    assert len(text) < 600


def test_random_damage_raises_nothing_but_model_errors() -> None:
    rng = random.Random(5)
    good = json.dumps(GOOD).encode()
    for _ in range(500):
        damaged = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            parse_spec(bytes(damaged), "tiny.json")
        except ModelError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_spec_reads_as_it_was_written() -> None:
    spec = parse_spec(json.dumps(GOOD).encode(), "tiny.json")
    assert (spec.input.height, spec.input.width, spec.dimension) == (96, 128, 48)
    assert spec.input.mean == (128.0, 127.5, 0.0)
    assert spec.document() == GOOD
    assert parse_spec(json.dumps(spec.document()).encode(), "again.json") == spec


def test_what_is_left_out_has_a_default() -> None:
    small = {key: value for key, value in GOOD.items() if key not in {"provenance", "licence"}}
    small["input"] = {key: GOOD["input"][key] for key in ("height", "width", "dtype", "mean", "std")}
    spec = parse_spec(json.dumps(small).encode(), "tiny.json")
    assert (spec.input.colour, spec.input.resize, spec.input.interpolation) == ("RGB", "stretch", "auto")
    assert (spec.provenance, spec.licence) == ("", "")


def test_the_fingerprint_follows_all_that_changes_vectors_and_nothing_else() -> None:
    fingerprint = parse_spec(json.dumps(GOOD).encode(), "a").fingerprint
    assert len(fingerprint) == 64
    for same in (
        with_("other", "name"),
        with_("other", "provenance"),
        with_([128.0, 127.5, 0.0], "input", "mean"),
    ):
        assert parse_spec(same, "a").fingerprint == fingerprint
    others = [
        with_("cd" * 32, "sha256"),
        with_("RGB", "input", "colour"),
        with_("pad", "input", "resize"),
        with_("linear", "input", "interpolation"),
        with_([128, 127.5, 1], "input", "mean"),
    ]
    assert len({fingerprint, *(parse_spec(other, "a").fingerprint for other in others)}) == 1 + len(others)


def test_an_input_made_in_code_is_checked_too() -> None:
    with pytest.raises(ValueError, match=r"input\.mean: expected three finite numbers"):
        InputSpec(height=32, width=32, dtype="uint8", mean=(float("nan"), 0, 0), std=(1, 1, 1))


def test_what_similarities_are_worth_is_kept_and_left_out_where_nobody_measured_it() -> None:
    assert "calibration" not in parse_spec(json.dumps(GOOD).encode(), "m.json").document()
    worth = Calibration(-5.0, 9.0, 0.0, "296 photos", support=3.0, nearest=0.8)
    document = GOOD | {"calibration": worth.document}
    spec = parse_spec(json.dumps(document).encode(), "m.json")
    assert spec.calibration == worth
    assert parse_spec(json.dumps(spec.document()).encode(), "m.json") == spec
    plain = parse_spec(json.dumps(GOOD).encode(), "m.json")
    assert spec.fingerprint == plain.fingerprint, "vectors are the same"


@pytest.mark.parametrize(
    "value", [{}, {"bias": 1}, {"bias": 1, "similarity": -1, "margin": 0, "source": "x"}, 5]
)
def test_numbers_that_cannot_be_are_refused(value: Any) -> None:
    with pytest.raises(ModelError, match=r"m.json: calibration"):
        parse_spec(json.dumps(GOOD | {"calibration": value}).encode(), "m.json")


NEW_PHOTOS = {"own": [0.5, 0.8, 0.9], "others": [0.3, 0.6], "nearer": 0.04}


def test_how_new_photos_lie_is_kept_too() -> None:
    document = GOOD | {"new_photos": NEW_PHOTOS}
    spec = parse_spec(json.dumps(document).encode(), "m.json")
    assert spec.new_photos == NewPhotos(own=(0.5, 0.8, 0.9), others=(0.3, 0.6), nearer=0.04)
    assert parse_spec(json.dumps(spec.document()).encode(), "m.json") == spec
    assert "new_photos" not in parse_spec(json.dumps(GOOD).encode(), "m.json").document()


NO_QUANTILES = {
    "no list": ({"own": 0.5}, "own: expected a list of numbers, found float 0.5"),
    "one": ({"own": [0.5]}, r"own: expected 2 to 101 cosines in ascending order, found \[0.5\]"),
    "falling": ({"others": [0.5, 0.4]}, "others: expected 2 to 101 cosines in ascending order"),
    "no cosines": ({"own": [0.5, 1.4]}, "own: expected 2 to 101 cosines in ascending order"),
    "farther": ({"nearer": -0.1}, r"nearer: expected a cosine in \[0, 1\], found -0.1"),
    "words": ({"nearer": "x"}, "nearer: expected a number, found str 'x'"),
    "more": ({"x": 1}, "x: expected one of own, others, nearer"),
}


@pytest.mark.parametrize(("value", "said"), NO_QUANTILES.values(), ids=NO_QUANTILES.keys())
def test_quantiles_that_cannot_be_are_refused(value: Any, said: str) -> None:
    with pytest.raises(ModelError, match=rf"m.json: new_photos\.{said}"):
        parse_spec(json.dumps(GOOD | {"new_photos": NEW_PHOTOS | value}).encode(), "m.json")


def test_quantiles_that_are_missing_are_refused() -> None:
    with pytest.raises(ModelError, match=r"m.json: new_photos\.own: expected a value, found none"):
        parse_spec(json.dumps(GOOD | {"new_photos": {}}).encode(), "m.json")
