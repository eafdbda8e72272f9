"""A first spec for a model that has none: what the file says, and guesses for what it does not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

from agent.adapters.embedder.fit import check_kind
from agent.adapters.embedder.runtime import TensorFact
from agent.core.errors import ModelError, quoted
from agent.core.model_spec import InputSpec, ModelSpec

MIN_MODEL_BYTES = 64
"""The smallest graph with an input, an operator and an output is larger."""

TIMEOUT_S = 120
"""Opening a model takes 13 ms; this is for one of 100 MB on a slow card."""

FLOAT_MEAN = FLOAT_STD = 127.5
"""Guess for float32 models, -1 to 1: the file does not say, and this is what MobileNets are trained with."""


def draft_spec(data: bytes, name: str) -> dict[str, Any]:
    """What `ModelSpec.document` would be for this model; the caller fills in provenance and licence.

    Mean and std of a quantised model are taken such that the 256 pixel values are its 256 input values
    one to one (mean = zero point, or zero point + 128 for int8; std = 1 / scale), which is how nearly all are
    made; for float32 they are a guess. Colours are taken to be RGB.

    The model is opened in a process of its own, since TFLite may crash on a damaged file.

    Args:
        data: the model.
        name: of its file, without folders.

    Raises:
        ModelError: it is not a model of the kind that Spotter runs, or opening it failed.
    """
    facts = facts_of(data, name)
    image, embedding = check_kind(facts["inputs"], facts["outputs"], name)
    try:
        return ModelSpec(
            name=Path(name).stem,
            file=name,
            sha256=hashlib.sha256(data).hexdigest(),
            input=input_of(image),
            dimension=prod(embedding.shape),
        ).document()
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from error


def facts_of(data: bytes, name: str) -> dict[str, tuple[TensorFact, ...]]:
    """`inputs` and `outputs` of a model, opened in a process of its own. Raises as `draft_spec`."""
    if len(data) < MIN_MODEL_BYTES or data[4:8] != b"TFL3":
        raise ModelError(
            f"{name}: expected a TFLite model ('TFL3' at byte 4), found {len(data)} bytes {quoted(data[:8])}"
        )
    return _opened_elsewhere(data, name)


def input_of(image: TensorFact) -> InputSpec:
    """How pixels probably become this input. Raises ValueError for one that no spec can have."""
    if image.dtype == "float32":
        mean, std = FLOAT_MEAN, FLOAT_STD
    else:
        mean = float(image.zero_points[0] + (128 if image.dtype == "int8" else 0))
        std = round(1 / image.scales[0], 4)
    return InputSpec(
        height=image.shape[1],
        width=image.shape[2],
        dtype=image.dtype,  # type: ignore[arg-type]  # checked by check_picture
        mean=(mean, mean, mean),
        std=(std, std, std),
    )


def refuse_crashing(data: bytes, name: str) -> None:
    """Open and run a model in a process of its own first.

    Raises:
        ModelError: it was refused there, crashed, or did not end.
    """
    _opened_elsewhere(data, name)


def _opened_elsewhere(data: bytes, name: str) -> dict[str, tuple[TensorFact, ...]]:
    """Inputs and outputs as `probe.py` reads them in a child process.

    Raises:
        ModelError: the child refused the model, crashed, or did not end.
    """
    command = [sys.executable, "-m", "agent.adapters.embedder.probe", name]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        child = subprocess.run(
            command, input=data, capture_output=True, timeout=TIMEOUT_S, env=environment, check=False
        )
        answer = json.loads(child.stdout or b"{}")
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{name}: expected a model that opens within {TIMEOUT_S} s, found one that does not"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: the process that should open it failed: {quoted(str(error))}") from error
    if "error" in answer:
        raise ModelError(answer["error"])
    if child.returncode or not answer:
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        raise ModelError(
            f"{name}: expected a model that TFLite can open and run, found one that ends it with {how}"
        )
    return {
        kind: tuple(
            TensorFact(
                index=fact["index"],
                shape=tuple(fact["shape"]),
                dtype=fact["dtype"],
                scales=tuple(fact["scales"]),
                zero_points=tuple(fact["zero_points"]),
            )
            for fact in answer[kind]
        )
        for kind in ("inputs", "outputs")
    }
