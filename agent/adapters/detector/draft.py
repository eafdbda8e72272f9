"""A first description for a model that has none, whichever of the two kinds it is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from agent.adapters.embedder.draft import draft_spec, facts_of, input_of
from agent.adapters.embedder.fit import check_picture
from agent.core.detector_spec import KIND, OUTPUTS, DetectorSpec
from agent.core.errors import ModelError


def draft_description(data: bytes, name: str) -> dict[str, Any]:
    """A detector's where the model has its four outputs, else an embedding model's; see `draft_spec`.

    That the outputs come in the usual order is a guess: classes and scores cannot be told apart.

    Raises:
        ModelError: it is neither, or opening it failed.
    """
    facts = facts_of(data, name)
    if len(facts["outputs"]) != len(OUTPUTS):
        return draft_spec(data, name)
    image = check_picture(facts["inputs"], name)
    try:
        return DetectorSpec(
            kind=KIND,
            name=Path(name).stem,
            file=name,
            sha256=hashlib.sha256(data).hexdigest(),
            input=input_of(image),
        ).document()
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from error
