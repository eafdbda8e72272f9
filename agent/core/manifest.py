"""What a catalogue directory says of itself: `manifest.json`, parsed strictly and written canonically.

The release id is a hash over everything in the manifest but the time: the same products, pictures, model and
libraries give the same id. The seal is a hash over the id and the time: a manifest that was damaged, or
edited by hand, no longer fits its own hashes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from agent.core.calibration import LATER, Calibration
from agent.core.errors import CatalogueError, quoted
from agent.core.json_fields import (
    check_digest,
    check_file_name,
    check_schema,
    check_whole,
    record,
    typed_fields,
)
from agent.core.regions import check_crop
from agent.core.strict_json import parse_object

MANIFEST_NAME = "manifest.json"
MANIFEST_SCHEMA = 1
MANIFEST_LIMIT_BYTES = 256 * 1024
"""A manifest is about 1 KB; this bounds what is parsed of a wrong file."""

PLANOGRAMS_LIMIT_BYTES = 16 << 20
"""Of all planograms of a release: some hundred of the largest."""

_FILES = {
    "index": "index",
    "products": "table",
    "projection": "projection",
    "probes": "probes",
    "thumbnails": "thumbnails",
    "text_model": "text_model",
    "features": "features",
    "planograms": "planograms",
    "model": "model_file",
    "spec": "model_spec",
}
"""Name in the document → field. The first two are always there."""

_NEEDED = ("index", "products")
_HASH_DIGITS = 16  # 64 bits: two of a thousand releases share an id once in 10¹³ catalogues


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the catalogue directory."""

    path: str  # its name in the directory of the manifest
    sha256: str  # 64 lower-case hex digits
    size: int  # bytes

    def __post_init__(self) -> None:
        check_file_name("path", self.path)
        check_digest("sha256", self.sha256)
        check_whole("size", self.size, 1)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """The model that made the vectors. Vectors compare only between equal fingerprints."""

    name: str
    fingerprint: str  # of the model's bytes and of how pixels become its input, see adapters/embedder.py
    dimension: int
    runtime: str  # library and version that ran it: another one may differ in the last bits

    def __post_init__(self) -> None:
        if not self.fingerprint:
            raise ValueError("fingerprint: expected a text, found none")
        check_whole("dimension", self.dimension, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A catalogue: which files, made from how much, by which model."""

    created_utc: float  # s, Unix
    model: ModelEntry
    crop: float  # share of each side of a reference picture that was kept, [0.1, 1]
    dimension: int  # numbers in a stored vector: the model's, or what the projection makes of them
    calibration: Calibration
    products: int
    references: int
    index: FileEntry
    table: FileEntry
    projection: FileEntry | None = None  # what turns the model's embedding into a vector to compare
    probes: FileEntry | None = None  # pictures with the answers that whoever built this got
    thumbnails: FileEntry | None = None  # small pictures of the references, for people
    text_model: FileEntry | None = None  # what finds pictures by words
    features: FileEntry | None = None  # what closer looks compare with
    planograms: FileEntry | None = None  # of the shelves of whoever subscribes to the channel
    model_file: FileEntry | None = None  # the model itself, for devices that hold another one
    model_spec: FileEntry | None = None  # … and its description

    def __post_init__(self) -> None:
        if not isfinite(self.created_utc):
            raise ValueError(f"created_utc: expected finite seconds, found {self.created_utc}")
        check_crop(self.crop)
        check_whole("counts.products", self.products, 1)
        check_whole("counts.references", self.references, 1)
        check_whole("dimension", self.dimension, 1)
        if self.projection is None and self.dimension != self.model.dimension:
            raise ValueError(
                f"dimension: expected that of the model, {self.model.dimension}, without a projection, "
                f"found {self.dimension}"
            )
        if (self.model_file is None) != (self.model_spec is None):
            raise ValueError("files: expected model and spec together, found one without the other")
        paths = [entry.path.lower() for entry in self.entries.values()]
        if len(set(paths)) < len(paths):
            raise ValueError(f"files: expected each path once, found {', '.join(paths)}")

    @property
    def entries(self) -> dict[str, FileEntry]:
        """What each file is for → the file: all that the directory holds beside the manifest."""
        found = {kind: getattr(self, name) for kind, name in _FILES.items()}
        return {kind: entry for kind, entry in found.items() if entry is not None}

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(entry.size for entry in self.entries.values())

    @property
    def release(self) -> str:
        """The id: 16 hex digits over all but `created_utc`."""
        return _hash(_document(self))

    @property
    def seal(self) -> str:
        """16 hex digits over the release id and `created_utc`."""
        return _hash([self.release, self.created_utc])


def dump_manifest(manifest: Manifest) -> bytes:
    """The bytes of `manifest.json`: `parse_manifest(dump_manifest(m), …) == m`.

    They end with the last bracket, so that a file which lost its end is never whole.
    """
    head = {"schema": MANIFEST_SCHEMA, "release": manifest.release, "created_utc": manifest.created_utc}
    document = head | _document(manifest) | {"seal": manifest.seal}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode()


def parse_manifest(data: bytes, name: str) -> Manifest:
    """Read a manifest; `name` is the path of its file, for errors.

    Raises:
        CatalogueError: one line with the file, the field, what was expected and what was found.
    """
    try:
        return _manifest_of(parse_object(data, MANIFEST_LIMIT_BYTES))
    except ValueError as error:
        raise CatalogueError(f"{name}: {error}") from None


def refuse_other_model(manifest: Manifest, fingerprint: str, dimension: int, name: str) -> None:
    """Refuse a catalogue whose vectors another model made; `name` is the catalogue's path, for errors.

    Raises:
        CatalogueError: the fingerprint or the dimension is not that of the manifest.
    """
    model = manifest.model
    if model.fingerprint != fingerprint:
        raise CatalogueError(
            f"{name}: expected a catalogue built with the model of fingerprint {quoted(fingerprint)}, "
            f"found one built with {quoted(model.fingerprint)} ({quoted(model.name)}): build it again"
        )
    if model.dimension != dimension:
        raise CatalogueError(f"{name}: model.dimension: expected {dimension}, found {model.dimension}")


def _hash(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_HASH_DIGITS]


def _document(manifest: Manifest) -> dict[str, Any]:
    """What the release id is a hash of."""
    return {
        "model": asdict(manifest.model),
        "crop": manifest.crop,
        "dimension": manifest.dimension,
        "calibration": manifest.calibration.document,
        "counts": {"products": manifest.products, "references": manifest.references},
        "files": {kind: asdict(entry) for kind, entry in manifest.entries.items()},
    }


def _manifest_of(document: dict[str, Any]) -> Manifest:
    check_schema(document, MANIFEST_SCHEMA)
    top = typed_fields("", document, _TOP)
    counts = typed_fields("counts", top["counts"], {"products": "int", "references": "int"})
    wanted = [kind for kind in _FILES if kind in _NEEDED or kind in top["files"]]
    files = typed_fields("files", top["files"], dict.fromkeys(wanted, "object"))
    manifest = Manifest(
        created_utc=top["created_utc"],
        model=record("model", ModelEntry, top["model"]),
        crop=top["crop"],
        dimension=top["dimension"],
        calibration=record("calibration", Calibration, LATER | top["calibration"]),
        products=counts["products"],
        references=counts["references"],
        **{_FILES[kind]: record(f"files.{kind}", FileEntry, entry) for kind, entry in files.items()},
    )
    for name, expected in (("release", manifest.release), ("seal", manifest.seal)):
        if top[name] != expected:
            raise ValueError(
                f"{name}: expected {expected}, the hash of the content, found {quoted(top[name])}"
            )
    return manifest


_TOP = {
    "schema": "int",
    "release": "str",
    "created_utc": "float",
    "model": "object",
    "crop": "float",
    "dimension": "int",
    "calibration": "object",
    "counts": "object",
    "files": "object",
    "seal": "str",
}
