"""One JSON object, read strictly: what is refused, and that nothing but ValueError comes out."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.strict_json import parse_object

REFUSED = {
    "nothing": (b"", "expected JSON, found b''"),
    "too much": (b" " * 1000 + b"{}", "expected at most 1000 bytes of JSON, found 1002"),
    "not UTF-8": (b'{"a": "\xff"}', "expected JSON, found"),
    "a list": (b"[1]", "expected an object of fields, found list [1]"),
    "a bare number": (b"7", "expected an object of fields, found int 7"),
    "a field twice": (b'{"a": 1, "a": 2}', "field 'a' stands there twice"),
    "a field twice, further in": (b'{"b": {"a": 1, "a": 2}}', "field 'a' stands there twice"),
    "NaN": (b'{"a": NaN}', "NaN is not a number"),
    "infinity": (b'{"a": -Infinity}', "-Infinity is not a number"),
    "nested without end": (b"[" * 900, "expected JSON, found"),
}


@pytest.mark.parametrize(("data", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=r"^(field|expected) ") as caught:
        parse_object(data, 1000)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()))
def test_what_is_an_object_is_read_as_it_is(document: dict[str, object]) -> None:
    assert parse_object(json.dumps(document).encode(), 1 << 20) == document


@given(st.binary())
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(parse_object(data, 1000), dict)
