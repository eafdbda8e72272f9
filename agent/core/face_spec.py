"""What a model that finds faces is: the JSON file that lies beside its `.onnx` file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agent.core.errors import quoted
from agent.core.model_spec import check_identity, document_of, read_document

KIND: Final = "faces"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSpec:
    """A YuNet of the OpenCV Zoo, of 2023 or later: what it takes and gives is known to OpenCV."""

    kind: str  # "faces": what tells this description from others
    name: str
    file: str  # name of the model file, in the folder of the spec
    sha256: str  # of the model file, 64 lower-case hex digits
    provenance: str = ""  # where the weights come from
    licence: str = ""  # SPDX identifier where there is one

    def __post_init__(self) -> None:
        if self.kind != KIND:
            raise ValueError(f"kind: expected {KIND}, found {quoted(self.kind)}")
        check_identity(self.name, self.file, self.sha256)

    def document(self) -> dict[str, Any]:
        """The spec as JSON holds it."""
        return document_of(self)


def parse_face_spec(data: bytes, name: str) -> FaceSpec:
    """Read a spec from the bytes of its JSON file; `name` is the file's name, for errors.

    Raises:
        ModelError: one line with the file, the field, what was expected and what was found.
    """
    return read_document(FaceSpec, data, name)
