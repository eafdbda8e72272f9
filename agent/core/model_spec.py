"""What a model is and expects: the JSON file that lies beside every `.tflite` file.

`parse_spec` reads it from bytes. What is wrong is one line: file, field, expected, found.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, fields
from itertools import pairwise
from math import isfinite
from typing import Any, Literal, TypeVar, get_args

from agent.core.calibration import LATER, Calibration
from agent.core.errors import ModelError, quoted
from agent.core.json_fields import record
from agent.core.strict_json import parse_object, shown

SPEC_SCHEMA = 1
SPEC_LIMIT_BYTES = 64 * 1024
"""A spec is about 1 KB; this bounds what is parsed of a wrong file."""

MODEL_LIMIT_BYTES = 256 << 20
"""The largest mobile image models have some 100 MB."""

DType = Literal["uint8", "int8", "float32"]
Colour = Literal["RGB", "BGR"]
Resize = Literal["stretch", "crop", "pad"]
Interpolation = Literal["auto", "linear", "area"]
Triple = tuple[float, float, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What the input tensor `(1, height, width, 3)` holds.

    A pixel value p in 0..255 stands for the real number `(p - mean) / std`, per channel in the order of
    `colour`; quantised models store that number rounded by the scale and zero point in the model file.

    `resize`: *stretch* maps the region onto the input, whatever its shape (the default: nothing is lost and
    nothing is added); *crop* takes the largest centred part of the input's shape; *pad* fits all of the
    region and fills the rest with the mean colour. A quad is always stretched: its shape is perspective.

    `interpolation`: *auto* is linear, after halving where a region shrinks far (see `core/tensors.py`).
    """

    height: int  # px
    width: int  # px
    dtype: DType
    colour: Colour = "RGB"
    mean: Triple
    std: Triple
    resize: Resize = "stretch"
    interpolation: Interpolation = "auto"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            _check_whole(f"input.{name}", getattr(self, name), 8, 2048)
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"input.{name}: expected one of {', '.join(allowed)}, found {quoted(value)}")
        for name in ("mean", "std"):
            value = getattr(self, name)
            if len(value) != 3 or not all(isfinite(number) for number in value):
                raise ValueError(f"input.{name}: expected three finite numbers, found {quoted(value)}")
        if min(self.std) < 1e-6:  # pixel values up to 1e9 keep far from the limits of float32
            raise ValueError(f"input.std: expected numbers of at least 0.000001, found {list(self.std)}")


_CHOICES: dict[str, tuple[str, ...]] = {
    "dtype": get_args(DType),
    "colour": get_args(Colour),
    "resize": get_args(Resize),
    "interpolation": get_args(Interpolation),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhotos:
    """How new photos of what a model was trained on lie among the photos that it was trained on."""

    own: tuple[float, ...]
    """Cosine to the nearest photo of the own product: quantiles, evenly spaced from the least to the most."""
    others: tuple[float, ...]
    """The same of the nearest other product: how near what a catalogue lacks may come."""
    nearer: float
    """How much nearer other products are to them than to those trained on, cosine, in the mean."""

    def __post_init__(self) -> None:
        for name in ("own", "others"):
            cosines = getattr(self, name)
            ordered = all(a <= b for a, b in pairwise((-1.0, *cosines, 1.0)))
            if not 2 <= len(cosines) <= _QUANTILES_LIMIT or not ordered:
                raise ValueError(
                    f"new_photos.{name}: expected 2 to {_QUANTILES_LIMIT} cosines in ascending order, "
                    f"found {quoted(list(cosines))}"
                )
        if not 0 <= self.nearer <= 1:
            raise ValueError(f"new_photos.nearer: expected a cosine in [0, 1], found {self.nearer}")


_QUANTILES_LIMIT = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What a `.tflite` file is and expects; vectors compare only between equal fingerprints."""

    name: str
    file: str  # name of the model file, in the folder of the spec
    sha256: str  # of the model file, 64 lower-case hex digits
    input: InputSpec
    dimension: int  # numbers in the output
    provenance: str = ""  # where the weights come from
    licence: str = ""  # SPDX identifier where there is one
    calibration: Calibration | None = None
    """What its similarities are worth on new photos of what it was trained on: for catalogues of its training
    pictures, which cannot tell that themselves. None where nobody measured it."""
    new_photos: NewPhotos | None = None
    """The same in similarities, for catalogues whose products lie otherwise."""

    def __post_init__(self) -> None:
        check_identity(self.name, self.file, self.sha256)
        _check_whole("dimension", self.dimension, 1, 16384)

    @property
    def recipe(self) -> str:
        """How pixels become input, in one canonical line: two recipes that differ give other vectors."""
        return json.dumps(asdict(self.input), sort_keys=True, separators=(",", ":"))

    @property
    def fingerprint(self) -> str:
        """64 hex digits that stand for the model's bytes and the recipe together."""
        return hashlib.sha256(f"{self.sha256}\n{self.recipe}".encode()).hexdigest()

    def document(self) -> dict[str, Any]:
        """The spec as JSON holds it: `parse_spec(json.dumps(spec.document()).encode(), …) == spec`."""
        plain = document_of(self)
        del plain["calibration"], plain["new_photos"]
        if self.calibration is not None:
            plain["calibration"] = self.calibration.document
        if self.new_photos is not None:
            new = self.new_photos
            plain["new_photos"] = {"own": list(new.own), "others": list(new.others), "nearer": new.nearer}
        return plain


def check_identity(name: str, file: str, sha256: str) -> None:
    """Refuse what cannot name a model. Raises ValueError with the field, expected and found."""
    if not name or not name.isprintable():  # it goes into every manifest and onto the wire
        raise ValueError(f"name: expected a name in one line, found {quoted(name)}")
    if not file or "/" in file or "\0" in file or file in {".", ".."}:
        raise ValueError(f"file: expected the name of a file beside the spec, found {quoted(file)}")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"sha256: expected 64 lower-case hex digits, found {quoted(sha256)}")


def document_of(spec: Any) -> dict[str, Any]:
    """What `read_document` reads back, as JSON holds it: `spec` is a dataclass, some with a field `input`."""
    plain = asdict(spec)
    if "input" in plain:
        plain["input"] |= {"mean": list(spec.input.mean), "std": list(spec.input.std)}
    return {"schema": SPEC_SCHEMA, **plain}


def parse_spec(data: bytes, name: str) -> ModelSpec:
    """Read a spec from the bytes of its JSON file; `name` is the file's name, for errors.

    Raises:
        ModelError: one line with the file, the field, what was expected and what was found.
    """
    return read_document(ModelSpec, data, name)


def read_document(kind: type[T], data: bytes, name: str) -> T:
    """Read a description of any `kind`, a dataclass with a field `input`. Raises as `parse_spec`."""
    try:
        return _spec_of(kind, parse_object(data, SPEC_LIMIT_BYTES))
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from error


def _spec_of(kind: type[T], document: dict[str, Any]) -> T:
    schema = document.pop("schema", None)
    if schema != SPEC_SCHEMA or isinstance(schema, bool):
        raise ValueError(f"schema: expected {SPEC_SCHEMA}, found {quoted(schema)}")
    known = _known_fields(kind, document, "")
    if "input" in known:
        known["input"] = InputSpec(**_known_fields(InputSpec, known["input"], "input."))
    if "calibration" in known:
        known["calibration"] = record("calibration", Calibration, LATER | known["calibration"])
    if "new_photos" in known:
        known["new_photos"] = NewPhotos(**_known_fields(NewPhotos, known["new_photos"], "new_photos."))
    return kind(**known)


def _known_fields(cls: Any, document: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields of the dataclass `cls` found in `document`, their JSON types checked.

    Raises:
        ValueError: a field is unknown, missing, or of another type.
    """
    declared = {field.name: field for field in fields(cls)}
    for key in document:
        if key not in declared:
            raise ValueError(f"{where}{key}: expected one of {', '.join(declared)}, found an unknown field")
    for key, field in declared.items():
        if key not in document and field.default is MISSING:
            raise ValueError(f"{where}{key}: expected a value, found none")
    return {key: _typed(f"{where}{key}", str(declared[key].type), document[key]) for key in document}


def _typed(where: str, kind: str, value: Any) -> Any:
    """`value` as the field type `kind` (an annotation as text) wants it."""
    if kind == "int":
        fits, expected = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif kind in {"InputSpec", "Calibration | None", "NewPhotos | None"}:
        fits, expected = isinstance(value, dict), "an object of fields"
    elif kind == "Triple":
        if isinstance(value, list) and len(value) == 3 and all(map(_is_number, value)):
            return tuple(float(number) for number in value)
        fits, expected = False, "three numbers"
    elif kind == "tuple[float, ...]":
        if isinstance(value, list) and all(map(_is_number, value)):
            return tuple(float(number) for number in value)
        fits, expected = False, "a list of numbers"
    elif kind == "float":
        fits, expected = _is_number(value), "a number"
    else:
        fits, expected = isinstance(value, str), "a text"
    if not fits:
        raise ValueError(f"{where}: expected {expected}, found {shown(value)}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _check_whole(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, found {quoted(value)}")
