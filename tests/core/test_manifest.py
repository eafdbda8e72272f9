"""A manifest is read exactly as it was written, or refused in one line."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.calibration import Calibration
from agent.core.errors import CatalogueError
from agent.core.manifest import (
    FileEntry,
    Manifest,
    ModelEntry,
    dump_manifest,
    parse_manifest,
    refuse_other_model,
)

MANIFEST = Manifest(
    created_utc=1735689600.25,
    model=ModelEntry(name="tiny", fingerprint="ab" * 32, dimension=48, runtime="ai-edge-litert 2.3.0"),
    crop=0.875,
    dimension=48,
    calibration=Calibration(bias=-12.5, similarity=14.0, margin=0.1 + 0.2, source="1,234 references"),
    products=81,
    references=2640,
    index=FileEntry("index-0123456789abcdef.usearch", "0" * 64, 3517372),
    table=FileEntry("products-0123456789abcdef.db", "f" * 64, 24576),
)
GOOD = dump_manifest(MANIFEST)


def changed(path: str, value: Any) -> bytes:
    """The good manifest with one field (`a.b.c`) set to `value`, or removed when it is None."""
    document = json.loads(GOOD)
    *parents, last = path.split(".")
    inner = document
    for parent in parents:
        inner = inner[parent]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(document).encode()


def test_what_is_written_is_read() -> None:
    assert parse_manifest(GOOD, "manifest.json") == MANIFEST
    assert dump_manifest(parse_manifest(GOOD, "manifest.json")) == GOOD


def test_the_release_is_of_the_content_and_not_of_the_time() -> None:
    assert replace(MANIFEST, created_utc=0.0).release == MANIFEST.release
    for other in (
        replace(MANIFEST, crop=1.0),
        replace(MANIFEST, products=82),
        replace(MANIFEST, model=replace(MANIFEST.model, runtime="tflite-runtime 2.14")),
        replace(MANIFEST, index=replace(MANIFEST.index, sha256="1" * 64)),
        replace(MANIFEST, calibration=replace(MANIFEST.calibration, bias=-12.0)),
    ):
        assert other.release != MANIFEST.release


def test_what_may_be_there_is_kept_where_it_is() -> None:
    names = ("projection", "probes", "thumbnails", "model_file", "model_spec")
    files = {name: FileEntry(f"{name}-0123", f"{place:064x}", 7) for place, name in enumerate(names)}
    full = replace(MANIFEST, dimension=32, **files)
    assert parse_manifest(dump_manifest(full), "manifest.json") == full
    assert list(full.entries) == [
        "index", "products", "projection", "probes", "thumbnails", "model", "spec",
    ]  # fmt: skip
    assert full.size == MANIFEST.size + 35
    assert full.release != MANIFEST.release


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "expected JSON"),
    "not JSON": (b"manifest: yaml", "expected JSON"),
    "not UTF-8": (b'{"schema": "\xff"}', "expected JSON"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "expected JSON"),
    "cut": (GOOD[: len(GOOD) // 2], "expected JSON"),
    "something behind it": (GOOD + b"{}", "expected JSON"),
    "too large": (b" " * (256 * 1024) + GOOD, "expected at most 262144 bytes"),
    "nested without end": (b"[" * 100_000, "expected JSON"),
    "NaN": (GOOD.replace(b"0.875", b"NaN"), "NaN is not a number"),
    "infinity by overflow": (GOOD.replace(b"0.875", b"1e999"), "crop: expected a finite number"),
    "a number of 5,000 digits": (GOOD.replace(b"2640", b"9" * 5000), "expected JSON"),
    "a number of 300 digits": (GOOD.replace(b"2640", b"9" * 300), "counts.references: expected a whole"),
    "a field twice": (GOOD.replace(b'"crop"', b'"schema": 1, "crop"'), "'schema' stands there twice"),
    "a list": (b"[]", "expected an object of fields, found list"),
    "null": (b"null", "expected an object of fields, found NoneType"),
    "no schema": (changed("schema", None), "schema: expected 1, found None"),
    "a newer schema": (changed("schema", 2), "schema: expected 1, found 2"),
    "a schema that is true": (changed("schema", True), "schema: expected 1, found True"),
    "an unknown field": (changed("colour", "red"), "colour: expected one of"),
    "a field missing": (changed("model", None), "model: expected a value, found none"),
    "a nested field missing": (changed("files.index.size", None), "files.index.size: expected a value"),
    "text for a number": (changed("model.dimension", "48"), "model.dimension: expected a whole number"),
    "a fraction for a count": (changed("counts.products", 1.5), "counts.products: expected a whole number"),
    "true for a count": (changed("counts.products", True), "counts.products: expected a whole number"),
    "another dimension without a projection": (changed("dimension", 32), "dimension: expected that of the"),
    "a model without its description": (
        changed("files.model", {"path": "model.tflite", "sha256": "1" * 64, "size": 9}),
        "files: expected model and spec together",
    ),
    "two files of one name": (
        changed("files.products.path", "INDEX-0123456789abcdef.usearch"),
        "files: expected each path once",
    ),
    "an unknown kind of file": (
        changed("files.sound", {"path": "a", "sha256": "1" * 64, "size": 9}),
        "files.sound: expected one of",
    ),
    "no products": (changed("counts.products", 0), "counts.products: expected a whole number of at least 1"),
    "number for a text": (changed("model.name", 7), "model.name: expected a text"),
    "a text of two lines": (changed("model.name", "a\nb"), "model.name: expected a text in one line"),
    "half a character": (changed("model.name", "\ud800"), "model.name: expected a text in one line"),
    "an object for a text": (changed("model.name", {}), "model.name: expected a text"),
    "a list for an object": (changed("files", []), "files: expected an object"),
    "no fingerprint": (changed("model.fingerprint", ""), "model.fingerprint: expected a text"),
    "crop of nothing": (changed("crop", 0), "crop: expected a number from 0.1 to 1, found 0"),
    "a negative size": (changed("files.index.size", -1), "files.index.size: expected a whole number"),
    "an empty file": (changed("files.index.size", 0), "files.index.size: expected a whole number"),
    "a path upwards": (
        changed("files.index.path", "../../etc/passwd"),
        "files.index.path: expected the name",
    ),
    "an absolute path": (changed("files.index.path", "/etc/passwd"), "files.index.path: expected the name"),
    "the folder itself": (changed("files.index.path", "."), "files.index.path: expected the name"),
    "a hidden file": (changed("files.index.path", ".index"), "files.index.path: expected the name"),
    "no name": (changed("files.index.path", ""), "files.index.path: expected the name"),
    "NUL in a name": (changed("files.index.path", "a\0b"), "files.index.path: expected"),
    "a short digest": (changed("files.products.sha256", "ab"), "files.products.sha256: expected 64"),
    "a digest in capitals": (
        changed("files.products.sha256", "F" * 64),
        "files.products.sha256: expected 64",
    ),
    "a weight below 0": (changed("calibration.margin", -1), "calibration: expected weights of 0 or more"),
    "another release": (
        changed("release", "0" * 16),
        "release: expected [0-9a-f]{16}, the hash of the content",
    ),
    "another time": (changed("created_utc", 5), "seal: expected [0-9a-f]{16}, the hash of the content"),
    "no seal": (changed("seal", None), "seal: expected a value, found none"),
    "edited by hand": (changed("calibration.bias", 50.0), "release: expected [0-9a-f]{16}, the hash"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD.keys())
def test_damaged_manifests_are_refused_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(CatalogueError, match=reason) as caught:
        parse_manifest(data, "cat/manifest.json")
    message = str(caught.value)
    assert message.startswith("cat/manifest.json: ")
    assert message.isprintable()
    assert len(message) < 1000


def assert_refused_or_harmless(data: bytes) -> None:
    """Either one line, or the change says the same in other bytes."""
    try:
        found = parse_manifest(data, "manifest.json")
    except CatalogueError as error:
        message = str(error)
    else:
        message = ""
        assert found == MANIFEST
    assert message.isprintable()


def test_2000_flipped_cut_and_shuffled_manifests_never_raise_anything_else() -> None:
    random.seed(1)
    for _ in range(2000):
        data = bytearray(GOOD)
        for _ in range(random.choice((1, 1, 2, 20))):
            data[random.randrange(len(data))] = random.randrange(256)
        if random.random() < 0.2:
            cut = random.randrange(len(data))
            data = data[cut:] + data[:cut]
        assert_refused_or_harmless(bytes(data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*json.loads(GOOD), "model.name", "counts.products", "files.index", "crop"]), JSON)
def test_any_json_in_any_field_is_refused_or_harmless(path: str, value: Any) -> None:
    assert_refused_or_harmless(changed(path, value))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CatalogueError):
        parse_manifest(data, "manifest.json")


def test_a_catalogue_of_another_model_is_refused_with_both_fingerprints() -> None:
    refuse_other_model(MANIFEST, "ab" * 32, 48, "cat")
    with pytest.raises(CatalogueError, match=f"cat: .*'{'cd' * 32}', found one built with '{'ab' * 32}'"):
        refuse_other_model(MANIFEST, "cd" * 32, 48, "cat")
    with pytest.raises(CatalogueError, match=r"cat: model\.dimension: expected 128, found 48"):
        refuse_other_model(MANIFEST, "ab" * 32, 128, "cat")
