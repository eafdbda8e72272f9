"""What a device remembers of syncing, and what it concludes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.syncing import Generation, Notes, Refusal, dump_notes, parse_notes

NEW = Generation("17", "default", 17, "0123456789abcdef", "ab" * 32)
TEXT = st.text(max_size=20)
NOTES = st.builds(
    Notes,
    highest=st.dictionaries(TEXT, st.integers(0, 1 << 53), max_size=3),
    rolled_back=st.dictionaries(TEXT, st.integers(0, 1 << 53), max_size=3),
    refused=st.dictionaries(TEXT, st.builds(Refusal, TEXT, st.booleans(), st.integers(1, 1000)), max_size=3),
    signed_utc=st.floats(0, 1e12),
    last_sync_utc=st.none() | st.floats(0, 1e12),
    last_bytes=st.integers(0, 1 << 53),
    note=TEXT,
    error=TEXT,
)


@given(NOTES)
def test_what_is_written_is_read(notes: Notes) -> None:
    assert parse_notes(dump_notes(notes)) == notes


@given(NOTES, st.data())
def test_damaged_notes_are_a_value_error_or_notes(notes: Notes, data: st.DataObject) -> None:
    raw = bytearray(dump_notes(notes))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert isinstance(parse_notes(bytes(raw)), Notes)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_notes(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|JSON|decode|Expecting"):
        parse_notes(content)


def test_the_highest_number_never_falls() -> None:
    notes = Notes().taken(NEW, 5.0)
    old = Generation("3", "default", 3, "0123456789abcdef", "cd" * 32)
    assert notes.taken(old, 1.0).highest == {"default": 17}
    assert notes.taken(old, 1.0).signed_utc == 5.0


def test_a_release_with_wrong_bytes_is_tried_at_the_powers_of_two_and_at_every_64th_time() -> None:
    notes, tried = Notes().offered("key").refusing("key", "bad bytes", final=False), [1]
    for number in range(2, 300):
        notes = notes.offered("key")
        if not notes.objection("key"):
            tried.append(number)
            notes = notes.refusing("key", "bad bytes", final=False)
    assert tried == [1, 2, 4, 8, 16, 32, 64, 128, 192, 256]


def test_what_is_final_is_never_tried_again() -> None:
    notes = Notes().refusing("key", "another catalogue", final=True)
    for _ in range(100):
        notes = notes.offered("key")
        assert notes.objection("key") == "another catalogue"
    assert notes.objection("other key") == ""


def test_refusals_are_bounded() -> None:
    notes = Notes()
    for number in range(1000):
        notes = notes.refusing(str(number), "x" * 10_000, final=True)
    assert len(notes.refused) == 32
    assert notes.objection("999")
    assert len(dump_notes(notes)) < 64_000
