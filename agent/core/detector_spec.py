"""What a detector is and expects: the JSON file that lies beside its `.tflite` file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.core.errors import quoted
from agent.core.model_spec import check_identity, document_of, read_document

if TYPE_CHECKING:
    from agent.core.model_spec import InputSpec

KIND: Final = "detector"

OUTPUTS: Final = ("boxes", "classes", "scores", "count")
"""What TFLite's standard detection post-processing gives, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """A model with one picture in and the four outputs of the standard detection post-processing.

    boxes `(1, K, 4)` top, left, bottom, right as shares; classes `(1, K)`; scores `(1, K)`; count `(1,)`.
    """

    kind: str  # "detector": what tells this description from that of an embedding model
    name: str
    file: str  # name of the model file, in the folder of the spec
    sha256: str  # of the model file, 64 lower-case hex digits
    input: InputSpec
    outputs: str = ", ".join(OUTPUTS)  # their order in the file; classes and scores look alike
    provenance: str = ""  # where the weights come from
    licence: str = ""  # SPDX identifier where there is one

    def __post_init__(self) -> None:
        if self.kind != KIND:
            raise ValueError(f"kind: expected {KIND}, found {quoted(self.kind)}")
        check_identity(self.name, self.file, self.sha256)
        if sorted(self.order) != sorted(OUTPUTS):
            raise ValueError(
                f"outputs: expected {', '.join(OUTPUTS)} as the file has them, found {quoted(self.outputs)}"
            )

    @property
    def order(self) -> tuple[str, ...]:
        """The outputs in the order of the file."""
        return tuple(part.strip() for part in self.outputs.split(","))

    def document(self) -> dict[str, Any]:
        """The spec as JSON holds it."""
        return document_of(self)


def parse_detector_spec(data: bytes, name: str) -> DetectorSpec:
    """Read a spec from the bytes of its JSON file; `name` is the file's name, for errors.

    Raises:
        ModelError: one line with the file, the field, what was expected and what was found.
    """
    return read_document(DetectorSpec, data, name)
