"""Golden probes: pictures with what head office saw in them, and whether a device sees and answers the same.

    {"schema": 1, "floor": 0.98, "tolerance": 0.002, "recall": 0.9,
     "probes": [{"picture": "<JPEG>", "embedding": "<int8>", "sku": "milk-1l", "similarity": 0.9312}, …]}

Bytes are base64. Eyes and index are judged apart, so that a refusal names the one that differs: the device's
embedding of the picture is compared with head office's, and head office's is looked up in the index.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.core.errors import quoted
from agent.core.json_fields import check_schema, objects, typed_fields
from agent.core.settings import check_range
from agent.core.strict_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PROBES_SCHEMA: Final = 1
PROBES_LIMIT_BYTES: Final = 256 * 1024
"""Head office stays within a quarter of this; it bounds what is parsed of a wrong file."""

PROBES_LIMIT: Final = 64
RECALL_AT: Final = 10
"""Nearest references of each probe that `Probes.recall` is about."""

_PICTURE_LIMIT_BYTES: Final = 64 * 1024
_CODE_LIMIT: Final = 127  # as adapters/vectors writes them: -128 has no counterpart


@dataclass(frozen=True, slots=True)
class Probe:
    """One picture, and head office's answer."""

    picture: bytes  # a JPEG; all of it is looked at
    codes: bytes  # head office's embedding: D int8, its largest element scaled to ±127 (cosine 0.9999)
    sku: str  # of the nearest product
    similarity: float  # of that product to `embedding`, by head office's index

    def __post_init__(self) -> None:
        if not 0 < len(self.picture) <= _PICTURE_LIMIT_BYTES:
            raise ValueError(
                f"picture: expected 1 to {_PICTURE_LIMIT_BYTES} bytes, found {len(self.picture)}"
            )
        numbers = np.frombuffer(self.codes, np.int8)
        if not numbers.any() or int(numbers.min()) < -_CODE_LIMIT:
            raise ValueError("embedding: expected int8 of -127 to 127, not all 0, found others")
        if not self.sku:
            raise ValueError("sku: expected a text, found none")
        check_range("similarity", self.similarity, -1, 1)

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Head office's, `(D,)` unit."""
        numbers = np.frombuffer(self.codes, np.int8).astype(np.float64)
        unit: NDArray[np.float32] = (numbers / np.linalg.norm(numbers)).astype(np.float32)
        return unit


@dataclass(frozen=True, slots=True)
class Probes:
    """The probes of a catalogue."""

    floor: float  # least cosine of the device's embedding to head office's
    tolerance: float  # most that a similarity may differ from head office's
    recall: float  # least share of the true nearest references that searching the index must find
    probes: tuple[Probe, ...]

    def __post_init__(self) -> None:
        check_range("floor", self.floor, 0, 1)
        check_range("tolerance", self.tolerance, 0, 1)
        check_range("recall", self.recall, 0, 1)
        if not 0 < len(self.probes) <= PROBES_LIMIT:
            raise ValueError(f"probes: expected 1 to {PROBES_LIMIT}, found {len(self.probes)}")
        if len({len(probe.codes) for probe in self.probes}) > 1:
            raise ValueError("probes: expected embeddings of one length, found several")

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Head office's, `(N, D)` unit rows."""
        return np.stack([probe.embedding for probe in self.probes])


@dataclass(frozen=True, slots=True)
class Answer:
    """The nearest product to one probe, as this device found it."""

    sku: str  # empty when it found none
    similarity: float


def judge_eyes(probes: Probes, seen: NDArray[np.float32]) -> str:
    """What is wrong with the device's embeddings `(N, D)` of the pictures, unit rows; empty when nothing."""
    cosines = (probes.embeddings * seen).sum(axis=1)
    worst = int(np.argmin(cosines))
    if cosines[worst] >= probes.floor:
        return ""
    return (
        f"{_named(probes, worst)}: expected an embedding of cosine {probes.floor} or more to head office's, "
        f"found {cosines[worst]:.4f}: this device does not see what head office saw"
    )


def judge_index(probes: Probes, answers: Sequence[Answer]) -> str:
    """What is wrong with the device's answers to head office's embeddings; empty when nothing."""
    for place, (probe, answer) in enumerate(zip(probes.probes, answers, strict=True)):
        if answer.sku != probe.sku or abs(answer.similarity - probe.similarity) > probes.tolerance:
            return (
                f"{_named(probes, place)}: expected the similarity {probe.similarity} "
                f"within {probes.tolerance}, found {_shown(answer)}: the index answers otherwise here"
            )
    return ""


def judge_both(probes: Probes, answers: Sequence[Answer]) -> str:
    """What is wrong with the device's answers to its own embeddings; empty when nothing."""
    for place, (probe, answer) in enumerate(zip(probes.probes, answers, strict=True)):
        if answer.sku != probe.sku:
            return f"{_named(probes, place)}: expected this product, found {_shown(answer)}"
    return ""


def dump_probes(probes: Probes) -> bytes:
    """The bytes of the file: `parse_probes(dump_probes(p)) == p`. One probe on a line."""
    head = {
        "schema": PROBES_SCHEMA,
        "floor": probes.floor,
        "tolerance": probes.tolerance,
        "recall": probes.recall,
    }
    lines = ",\n".join(json.dumps(_document(probe), allow_nan=False) for probe in probes.probes)
    return f'{json.dumps(head, allow_nan=False)[:-1]}, "probes": [\n{lines}\n]}}'.encode()


def parse_probes(data: bytes) -> Probes:
    """Read them.

    Raises:
        ValueError: one line with the field, what was expected and what was found.
    """
    document = parse_object(data, PROBES_LIMIT_BYTES)
    check_schema(document, PROBES_SCHEMA)
    top = typed_fields("", document, _TOP)
    found = []
    for where, value in objects("probes", top["probes"], PROBES_LIMIT):
        fields = typed_fields(where, value, _PROBE)
        picture, codes = (_bytes(f"{where}.{name}", fields[name]) for name in ("picture", "embedding"))
        try:
            found.append(Probe(picture, codes, fields["sku"], fields["similarity"]))
        except ValueError as error:
            raise ValueError(f"{where}.{error}") from None
    return Probes(top["floor"], top["tolerance"], top["recall"], tuple(found))


def _document(probe: Probe) -> dict[str, Any]:
    return {
        "picture": base64.b64encode(probe.picture).decode(),
        "embedding": base64.b64encode(probe.codes).decode(),
        "sku": probe.sku,
        "similarity": probe.similarity,
    }


def _bytes(where: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"{where}: expected base64, found {quoted(text[:40])}") from None


def _named(probes: Probes, place: int) -> str:
    return f"probe {place + 1} of {len(probes.probes)}, {quoted(probes.probes[place].sku)}"


def _shown(answer: Answer) -> str:
    return f"{quoted(answer.sku)} with {answer.similarity:.4f}" if answer.sku else "no product"


_TOP = {"schema": "int", "floor": "float", "tolerance": "float", "recall": "float", "probes": "list"}
_PROBE = {"picture": "str", "embedding": "str", "sku": "str", "similarity": "float"}
