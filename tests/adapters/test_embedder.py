"""Models that are refused: one line each, and their bytes never reach TFLite."""

from __future__ import annotations

import hashlib
import os
import random
import sys
from typing import TYPE_CHECKING, Any

import cv2
import pytest
from ai_edge_litert import interpreter as litert

from agent.adapters.embedder import (
    DelegateSettings,
    Embedder,
    EmbedderSettings,
    load_embedder,
    runtime,
)
from agent.core.errors import ConfigError
from agent.core.types import Region
from tests.support.tiny_models import tiny_model_bytes, write_tiny_model
from tests.support.tiny_pictures import drawn_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = Region((0, 0, 200, 160))
DTYPES = ("uint8", "int8", "float32")


def loaded(model: Path, **more: Any) -> Embedder:
    return load_embedder(EmbedderSettings(file=str(model), **more))


def refusal(model: Path, **more: Any) -> str:
    """The one line with which a model is refused."""
    with pytest.raises(ConfigError) as caught:
        loaded(model, **more)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 900
    return text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"file": "model.onnx"}, "file: expected a path that ends in .tflite, found 'model.onnx'"),
        ({"file": "a\0.tflite"}, "file: expected a path that ends in .tflite"),
        ({"file": "a.tflite", "threads": 0}, "threads: expected a number from 1 to 64, found 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        EmbedderSettings(**settings)
    assert message in str(caught.value)


def test_a_delegate_without_a_library_is_refused() -> None:
    with pytest.raises(ValueError, match="library: expected the path of a shared library, found ''"):
        DelegateSettings(library="")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    model.unlink()
    assert refusal(model) == f"{model}: expected a model, found: No such file or directory"


def test_a_missing_spec_is_named(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    model.with_suffix(".json").unlink()
    assert refusal(model).startswith(
        f"{tmp_path / 'tiny.json'}: expected the description of the model, found:"
    )


def test_a_folder_or_a_pipe_is_not_opened_as_a_model(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    model.unlink()
    os.mkfifo(model)
    assert "expected a model, found no regular file" in refusal(model)
    model.unlink()
    model.mkdir()
    assert "expected a model, found no regular file" in refusal(model)


def test_a_spec_of_another_model_is_refused(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path, file="other.tflite")
    assert refusal(model) == f"{tmp_path / 'tiny.json'}: file: expected 'tiny.tflite', found 'other.tflite'"


def test_a_model_larger_than_any_is_not_read(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    os.truncate(model, (256 << 20) + 1)  # sparse: takes no room on the disk
    assert f"{model}: expected a model of at most 268435456 bytes, found 268435457" in refusal(model)


def mutations() -> Iterator[tuple[str, bytes]]:
    good = tiny_model_bytes()
    rng = random.Random(11)
    yield "empty", b""
    yield "one byte too many", good + b"\0"
    yield "text", b"not a model\n" * 50
    yield "a picture", cv2.imencode(".png", drawn_picture(1))[1].tobytes()
    for _ in range(20):
        yield "cut", good[: rng.randrange(len(good))]
    for _ in range(20):
        flipped = bytearray(good)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        yield "one bit flipped", bytes(flipped)
    for _ in range(10):
        yield "random", rng.randbytes(len(good))


def test_a_damaged_model_is_refused_by_its_sha256_and_never_reaches_tflite(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    expected = hashlib.sha256(model.read_bytes()).hexdigest()
    for kind, data in mutations():
        model.write_bytes(data)
        found = hashlib.sha256(data).hexdigest()
        text = f"{model}: expected the sha256 {expected} of its spec, found {found} in {len(data)} bytes"
        assert refusal(model) == text, kind


# --- refused because model and spec do not fit


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"input": {"height": 64}},
            "input height and width: expected (64, 32) as its spec says, found (32, 32)",
        ),
        ({"input": {"dtype": "int8"}}, "input dtype: expected int8 as its spec says, found uint8"),
        ({"dimension": 64}, "output dimension: expected 64 as its spec says, found 48"),
        ({"input": {"std": [1, 1, 1]}}, "input.mean, input.std: expected at least 64 different uint8 values"),
    ],
)
def test_a_right_model_with_a_wrong_spec_is_refused(tmp_path: Path, changes: Any, message: str) -> None:
    model = write_tiny_model(tmp_path, **changes)
    text = refusal(model)
    assert text.startswith(f"{model}: ")
    assert message in text


def test_a_spec_for_something_that_is_no_model_is_refused(tmp_path: Path) -> None:
    data = b"still not a model" * 20
    model = write_tiny_model(tmp_path, sha256=hashlib.sha256(data).hexdigest())
    model.write_bytes(data)
    assert f"{model}: expected a model that {runtime.library()[1]} can run, found: " in refusal(model)


# --- delegates and libraries


@pytest.mark.parametrize("kind", ["absent", "no library", "another library"])
def test_a_delegate_that_does_not_load_is_named_with_the_cause(tmp_path: Path, kind: str) -> None:
    model = write_tiny_model(tmp_path)
    library = tmp_path / "libdelegate.so.1"
    message = f"delegate {library}: expected a library that loads, found: "
    if kind == "no library":
        library.write_text("not a library")
    if kind == "another library":
        library.symlink_to(sys.modules["_ctypes"].__file__ or "")
        message = f"delegate {library}: expected a TFLite delegate with tflite_plugin_create_delegate"
    delegate = DelegateSettings(library=str(library), options={"device": "usb"})
    assert message in refusal(model, delegate=delegate)


@pytest.fixture
def fresh_library() -> Iterator[None]:
    """The choice of the library is remembered; forget it before and after."""
    runtime.library.cache_clear()
    yield
    runtime.library.cache_clear()


@pytest.mark.usefixtures("fresh_library")
def test_without_any_tflite_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, module, None)
    text = refusal(write_tiny_model(tmp_path))
    assert text.startswith("expected a TFLite library, found none: pip install ai-edge-litert (")


@pytest.mark.usefixtures("fresh_library")
def test_the_older_library_serves_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The interpreters of both libraries have the same interface, so one can stand in for the other.
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", type(sys)("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", litert)
    model = write_tiny_model(tmp_path)
    eyes = [loaded(model), loaded(model)]
    assert eyes[0].runtime == "tflite-runtime of unknown version"
    assert eyes[0].embed(drawn_picture(1), [WHOLE]).shape == (1, 48)
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning.startswith(
        "ai-edge-litert is not installed; tflite-runtime runs quantised models about ten"
    )
