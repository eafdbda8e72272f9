"""A release is read exactly as it was written, or refused in one line; what it costs a device is planned here."""

from __future__ import annotations

import json
import random
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import VerifyError
from agent.core.release import (
    BLOB_LIMIT_BYTES,
    Blob,
    Fetch,
    Patch,
    Release,
    admitted,
    check_channel,
    dump_release,
    parse_release,
    plan,
    refuse,
    target_of,
)


def digest(digit: str) -> str:
    return digit * 64


INDEX = Blob(
    "index-0123456789abcdef.usearch",
    digest("1"),
    40_500_000,
    (Patch(digest("a"), digest("b"), 395_000), Patch(digest("c"), digest("d"), 300_000)),
)
TABLE = Blob("products-0123456789abcdef.db", digest("2"), 90_000, (Patch(digest("e"), digest("f"), 90_000),))
MANIFEST = Blob("manifest.json", digest("3"), 1_100)
RELEASE = Release(
    channel="stores/berlin-12",
    number=7,
    release="0123456789abcdef",
    created_utc=1_767_225_600.25,
    fingerprint="ab" * 32,
    dimension=256,
    rollout_percent=100,
    blobs=(INDEX, TABLE, MANIFEST),
)
GOOD = dump_release(RELEASE)


def changed(path: str, value: Any) -> bytes:
    """The good release with one field (`blobs.0.name`) set to `value`, or removed when it is None."""
    document = json.loads(GOOD)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner = document
    for parent in parents:
        inner = inner[parent]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(document).encode()


def test_what_is_written_is_read() -> None:
    assert parse_release(GOOD, "release.json") == RELEASE
    assert dump_release(parse_release(GOOD, "release.json")) == GOOD
    assert RELEASE.size == 40_500_000 + 90_000 + 1_100
    assert target_of(RELEASE.channel) == "stores/berlin-12/release.json"


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "expected JSON"),
    "a page in HTML": (b"<!doctype html>", "expected JSON"),
    "not UTF-8": (b'{"schema": "\xff"}', "expected JSON"),
    "cut": (GOOD[: len(GOOD) // 2], "expected JSON"),
    "something behind it": (GOOD + b"{}", "expected JSON"),
    "too large": (b" " * (256 * 1024) + GOOD, "expected at most 262144 bytes"),
    "nested without end": (b"[" * 100_000, "expected JSON"),
    "NaN": (GOOD.replace(b"1767225600.25", b"NaN"), "NaN is not a number"),
    "infinity by overflow": (GOOD.replace(b"1767225600.25", b"1e999"), "created_utc: expected a finite"),
    "a number of 5,000 digits": (GOOD.replace(b"40500000", b"9" * 5000), "expected JSON"),
    "a field twice": (GOOD.replace(b'"number"', b'"channel": "x", "number"'), "'channel' stands there twice"),
    "a list": (b"[]", "expected an object of fields, found list"),
    "no schema": (changed("schema", None), "schema: expected 1, found None"),
    "a newer schema": (changed("schema", 2), "schema: expected 1, found 2"),
    "an unknown field": (changed("colour", "red"), "colour: expected one of"),
    "a field missing": (changed("number", None), "number: expected a value, found none"),
    "no channel": (changed("channel", ""), "channel: expected up to four names"),
    "a channel upwards": (changed("channel", "../default"), "channel: expected up to four names"),
    "a channel of the root": (changed("channel", "/default"), "channel: expected up to four names"),
    "a channel in capitals": (changed("channel", "Default"), "channel: expected up to four names"),
    "a channel within a release": (changed("channel", "a/release.json"), "channel: expected up to four"),
    "number 0": (changed("number", 0), "number: expected a whole number of at least 1"),
    "a negative number": (changed("number", -1), "number: expected a whole number of at least 1"),
    "a number that is true": (changed("number", True), "number: expected a whole number, found bool"),
    "a fraction for a number": (changed("number", 1.0), "number: expected a whole number, found float"),
    "a number beyond all": (changed("number", 1 << 53), "number: expected a whole number"),
    "a release that is no id": (changed("release", "../../../../etc/"), "release: expected 16 lower-case"),
    "a time before 1970": (changed("created_utc", -1), "created_utc: expected Unix seconds"),
    "no fingerprint": (changed("fingerprint", ""), "fingerprint: expected a text"),
    "a fingerprint of a page": (changed("fingerprint", "a" * 300), "fingerprint: expected a text"),
    "a fingerprint of two lines": (changed("fingerprint", "a\nb"), "fingerprint: expected a text in one"),
    "dimension 0": (changed("dimension", 0), "dimension: expected a whole number of at least 1"),
    "a dimension beyond all": (changed("dimension", 1 << 20), "dimension: expected a whole number"),
    "a rollout below 0": (changed("rollout_percent", -1), "rollout_percent: expected a whole number"),
    "a rollout above all": (changed("rollout_percent", 101), "rollout_percent: expected a whole number"),
    "half a percent": (changed("rollout_percent", 0.5), "rollout_percent: expected a whole number"),
    "blobs that are no list": (changed("blobs", {}), "blobs: expected a list, found dict"),
    "no blobs": (changed("blobs", []), "blobs: expected manifest.json among them, found none"),
    "no manifest": (changed("blobs.2", None), "blobs: expected manifest.json among them"),
    "too many blobs": (changed("blobs", [{}] * 65), "blobs: expected at most 64, found 65"),
    "a blob that is a text": (changed("blobs.0", "index"), "blobs[0]: expected an object of fields"),
    "a name twice": (changed("blobs.0.name", "manifest.json"), "blobs: expected each name once"),
    "a name twice but for its case": (changed("blobs.0.name", "MANIFEST.json"), "blobs: expected each name"),
    "a name upwards": (changed("blobs.0.name", "../current"), "blobs[0].name: expected the name of a file"),
    "an absolute name": (changed("blobs.1.name", "/etc/passwd"), "blobs[1].name: expected the name"),
    "the folder itself": (changed("blobs.0.name", "."), "blobs[0].name: expected the name of a file"),
    "a hidden name": (changed("blobs.0.name", ".index"), "blobs[0].name: expected the name of a file"),
    "a backslash": (changed("blobs.0.name", "a\\b"), "blobs[0].name: expected the name of a file"),
    "NUL in a name": (changed("blobs.0.name", "a\0b"), "blobs[0].name: expected a text in one line"),
    "a name of a page": (changed("blobs.0.name", "a" * 300), "blobs[0].name: expected the name of a file"),
    "a digest upwards": (changed("blobs.0.sha256", "../" * 21 + "x"), "blobs[0].sha256: expected 64"),
    "a short digest": (changed("blobs.0.sha256", "ab"), "blobs[0].sha256: expected 64"),
    "an empty file": (changed("blobs.0.size", 0), "blobs[0].size: expected a whole number of at least 1"),
    "a file of a terabyte": (changed("blobs.0.size", 1 << 40), "blobs[0].size: expected a whole number"),
    "no patches at all": (changed("blobs.0.patches", None), "blobs[0].patches: expected a value"),
    "too many patches": (changed("blobs.0.patches", [{}] * 17), "blobs[0].patches: expected at most 16"),
    "a patch that is a number": (changed("blobs.0.patches.1", 7), "blobs[0].patches[1]: expected an object"),
    "a patch from nowhere": (changed("blobs.0.patches.0.from_sha256", "x"), "blobs[0].patches[0].from_sha"),
    "an empty patch": (changed("blobs.0.patches.0.size", 0), "blobs[0].patches[0].size: expected a whole"),
    "a patch without size": (changed("blobs.0.patches.0.size", None), "blobs[0].patches[0].size: expected"),
    "a patch with more": (changed("blobs.0.patches.0.level", 3), "blobs[0].patches[0].level: expected one"),
    "a patch from itself": (changed("blobs.0.patches.0.from_sha256", digest("1")), "blobs[0].patches:"),
    "two patches from one": (changed("blobs.0.patches.0.from_sha256", digest("c")), "blobs[0].patches:"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_release_is_refused_in_one_line(case: str) -> None:
    data, expected = BAD[case]
    with pytest.raises(VerifyError) as caught:
        parse_release(data, "default/release.json")
    message = str(caught.value)
    assert message.startswith(f"default/release.json: {expected}") or expected in message
    assert "\n" not in message
    assert len(message) < 800


def test_no_damage_passes_for_another_error_or_crashes() -> None:
    dice = random.Random(5)
    for _ in range(2_000):
        data = bytearray(GOOD)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with suppress(VerifyError):
            parse_release(bytes(data), "r")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_value_of_a_field_crashes(value: Any) -> None:
    for field in ("channel", "number", "blobs", "created_utc"):
        document = json.loads(GOOD) | {field: value}
        with suppress(VerifyError):
            parse_release(json.dumps(document).encode(), "r")


REFUSED = {
    "another channel": ({"channel": "default"}, "channel: expected default, found stores/berlin-12"),
    "an older number": ({"held_number": 8}, "number: expected 8 or more, found 7"),
    "another model": ({"fingerprint": "cd"}, "expected vectors of the model of fingerprint 'cd'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_for_this_device_is_refused(case: str) -> None:
    change, expected = REFUSED[case]
    mine: dict[str, Any] = {"channel": RELEASE.channel, "held_number": 7, "fingerprint": "ab" * 32}
    with pytest.raises(VerifyError, match=expected):
        refuse(RELEASE, **mine | change)


def test_the_same_number_again_and_a_first_one_pass() -> None:
    for held in (0, 6, 7):
        refuse(RELEASE, channel="stores/berlin-12", held_number=held, fingerprint="ab" * 32)


def test_a_rollout_reaches_its_share_and_only_grows() -> None:
    devices = [f"shelf-cam-{number}" for number in range(2_000)]
    before: set[str] = set()
    for percent in (0, 1, 5, 25, 50, 99, 100):
        canary = replace(RELEASE, rollout_percent=percent)
        now = {device for device in devices if admitted(canary, device)}
        assert before <= now
        assert abs(len(now) / len(devices) - percent / 100) < 0.03
        before = now
    assert before == set(devices)


def test_a_device_keeps_its_place_in_the_queue() -> None:
    five = replace(RELEASE, rollout_percent=5)
    assert [n for n in range(100) if admitted(five, f"cam-{n}")] == [22, 33, 49, 60, 85]
    for device in ("", "cam-1", "ü" * 1000):
        assert admitted(five, device) == admitted(replace(five, number=8, release="f" * 16), device)


PLANS: dict[str, tuple[set[str], list[tuple[str, str]]]] = {
    "nothing held": (set(), [("1", "1"), ("2", "2"), ("3", "3")]),
    "everything held": ({"1", "2", "3"}, []),
    "one file held": ({"1"}, [("2", "2"), ("3", "3")]),
    "the file of a patch held": ({"a"}, [("1", "b"), ("2", "2"), ("3", "3")]),
    "the files of two patches held": ({"a", "c"}, [("1", "d"), ("2", "2"), ("3", "3")]),
    "a patch that saves nothing": ({"e", "1"}, [("2", "2"), ("3", "3")]),
    "files of no use": ({"7", "8"}, [("1", "1"), ("2", "2"), ("3", "3")]),
}


@pytest.mark.parametrize("case", PLANS)
def test_the_least_bytes_are_fetched(case: str) -> None:
    held, expected = PLANS[case]
    fetches = plan(RELEASE, {digest(digit) for digit in held})
    assert [(fetch.blob.sha256[0], fetch.sha256[0]) for fetch in fetches] == expected


def test_a_fetch_says_what_it_costs() -> None:
    assert Fetch(INDEX, INDEX.patches[1]).size == 300_000
    assert Fetch(INDEX, None).size == INDEX.size


def test_the_same_content_under_two_names_is_fetched_once() -> None:
    twice = replace(RELEASE, blobs=(*RELEASE.blobs, Blob("copy.db", TABLE.sha256, TABLE.size)))
    assert len(plan(twice, set())) == 3


@pytest.mark.parametrize("channel", ["default", "stores/berlin-12", "a/b/c/d", "9.x_y-z"])
def test_a_channel_is_up_to_four_names(channel: str) -> None:
    check_channel("--channel", channel)


@pytest.mark.parametrize(
    "channel",
    ["", ".", "..", "a/..", "a//b", "a/", "/a", "a/b/c/d/e", "A", "a b", "a\n", "ä", "a" * 65, "a%2fb"],
)
def test_anything_else_is_no_channel(channel: str) -> None:
    with pytest.raises(ValueError, match=r"--channel: expected up to four names"):
        check_channel("--channel", channel)


def test_sizes_are_bounded() -> None:
    Blob("a", digest("1"), BLOB_LIMIT_BYTES)
    with pytest.raises(ValueError, match="size: expected a whole number"):
        Blob("a", digest("1"), BLOB_LIMIT_BYTES + 1)


MODELS = {
    "the device has its model": (RELEASE.fingerprint, False, True, ""),
    "the device has its model, and it brings it too": (RELEASE.fingerprint, True, False, ""),
    "it brings its model": ("cd" * 32, True, True, ""),
    "it brings no model": ("cd" * 32, False, True, "expected vectors of the model of fingerprint 'cdcd"),
    "models from releases are forbidden": ("cd" * 32, True, False, "it brings that model, which sync.models"),
}


@pytest.mark.parametrize(("own", "carries", "models", "says"), MODELS.values(), ids=MODELS)
def test_a_release_of_another_model_brings_it_or_is_refused(
    own: str, carries: bool, models: bool, says: str
) -> None:
    release = replace(RELEASE, carries_model=carries)
    assert parse_release(dump_release(release), "release.json") == release
    with pytest.raises(VerifyError, match=says) if says else nullcontext():
        refuse(release, channel=release.channel, held_number=0, fingerprint=own, models=models)
