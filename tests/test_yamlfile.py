"""YAML is read strictly, and every refusal names file, line and cause."""

from __future__ import annotations

import random

import pytest

from agent.core.errors import ConfigError
from agent.yamlfile import MAX_BYTES, parse_yaml

REFUSED = {
    "too large": (b"a: " + b"x" * MAX_BYTES, "expected at most 65536 bytes"),
    "not UTF-8": (b"a: \xff\xfe", "expected UTF-8"),
    "an anchor": (b"a: &x 1\nb: *x\n", "f.yaml:1: expected plain YAML, found an anchor"),
    "a merge-key bomb": (b"a: &a {b: c}\nd:\n  <<: [*a, *a]\n", "found an anchor or alias"),
    "a duplicate key": (
        b"a: 1\nb: 2\na: 3\n",
        "f.yaml:3: expected each key once, found 'a' again (first on line 1)",
    ),
    "a nested duplicate key": (b"a:\n  b: 1\n  b: 2\n", "f.yaml:3: a: expected each key once"),
    "NaN": (b"a:\n  - .nan\n", "f.yaml:2: a[0]: expected a finite number, found .nan"),
    "infinity": (b"a: -.inf\n", "f.yaml:1: a: expected a finite number"),
    "a Python tag": (
        b"a: !!python/object/apply:os.system ['true']\n",
        "f.yaml:1: a: expected a plain value, found the tag",
    ),
    "a binary tag": (b"a: !!binary aGk=\n", "expected a plain value, found the tag"),
    "a list as key": (b"? [1, 2]\n: 3\n", "expected a name as key"),
    "deep nesting": (b"[" * 5000, "expected at most 16 levels"),
    "broken flow": (b"a: [1, 2\nb: 3\n", "f.yaml:2: expected YAML"),
    "a tab as indentation": (b"a:\n\tb: 1\n", "f.yaml:2: expected YAML"),
    "two documents": (b"a: 1\n---\nb: 2\n", "expected YAML"),
    "a NUL byte": (b"a: \0", "expected YAML"),
    "a NUL in a text": (
        b'a: "x\\0y"\n',
        "f.yaml:1: a: expected plain text, found a NUL character in 'x\\x00y'",
    ),
    "half of a character": (
        b'a:\n  - "\\ud83d"\n',
        "f.yaml:2: a[0]: expected plain text, found half of a character",
    ),
    "both halves apart": (
        b'a: "\\ud83d\\ude00"\n',
        "f.yaml:1: a: expected plain text, found half of a character",
    ),
    "a NUL in a key": (b'"a\\0": 1\n', "f.yaml:1: expected a name as key"),
    "a key of two lines": (b'"a\\nb": 1\n', "f.yaml:1: expected a name as key"),
    "a number of 400 digits": (
        b"a: 1" + b"0" * 400,
        "f.yaml:1: a: expected a whole number of at most 64 bits",
    ),
    "a number of 10,000 hex digits": (
        b"a: 0x" + b"f" * 10_000,
        "a: expected a whole number of at most 64 bits",
    ),
    "a number of 65 bits": (b"a: -9223372036854775809", "found '-9223372036854775809'"),
    "a number that is none": (b"a: !!int 'x'\n", "f.yaml:1: a: expected a plain value, found 'x'"),
}


@pytest.mark.parametrize(("raw", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(raw: bytes, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(raw, "f.yaml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("f.yaml")
    assert "\n" not in str(caught.value)


def test_values_know_their_lines() -> None:
    document = parse_yaml(b"# comment\na: 1\nb:\n  - c: x\n    d: [1, 2.5, true, null]\n", "f.yaml")
    assert document.data == {"a": 1, "b": [{"c": "x", "d": [1, 2.5, True, None]}]}
    assert document.lines["b", 0, "d"] == 5
    assert str(document.error(("b", 0, "nowhere"), "oops")) == "f.yaml:4: b[0].nowhere: oops"


def test_an_empty_file_is_an_empty_mapping_and_a_date_is_text() -> None:
    assert parse_yaml(b"# nothing\n", "f").data == {}
    assert parse_yaml(b"a: 2026-01-02\n", "f").data == {"a": "2026-01-02"}


def test_random_damage_raises_nothing_but_config_errors() -> None:
    rng = random.Random(7)
    good = b"site: s\ncameras:\n  - {id: a, source: 'folder:/x', regions: {mode: grid, rows: 2}}\nmqtt:\n  url: mqtt://h\n"
    for _ in range(500):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        try:
            parse_yaml(bytes(raw), "f.yaml")
        except ConfigError as error:
            assert "\n" not in str(error)  # noqa: PT017
