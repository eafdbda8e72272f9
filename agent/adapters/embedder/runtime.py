"""The TFLite library: which one is installed, how it opens a model, and its errors as ours.

`ai-edge-litert` is wanted. `tflite-runtime` serves where only that exists; it runs quantised models 9 to 12
times slower, because it has no XNNPACK kernels for them.
"""

from __future__ import annotations

import ctypes
import logging
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from agent.core.errors import ConfigError, ModelError, quoted

if TYPE_CHECKING:
    from agent.adapters.embedder.settings import DelegateSettings

_log = logging.getLogger(__name__)

_LIBRARIES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)


@dataclass(frozen=True, slots=True)
class TensorFact:
    """What a model says of one of its inputs or outputs."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]  # empty when not quantised
    zero_points: tuple[int, ...]


@cache
def library() -> tuple[Any, str]:
    """The interpreter module that is installed, and its name with its version.

    Raises:
        ConfigError: none can be imported; says how to install one.
    """
    causes = []
    for module, distribution in _LIBRARIES:
        try:
            found = import_module(module)
        except ImportError as error:
            causes.append(f"{distribution}: {error}")
            continue
        if distribution != "ai-edge-litert":
            _log.warning(
                "ai-edge-litert is not installed; %s runs quantised models about ten times slower "
                "(pip install ai-edge-litert)",
                distribution,
            )
        return found, f"{distribution} {_version(distribution)}"
    raise ConfigError(
        f"expected a TFLite library, found none: pip install ai-edge-litert ({quoted('; '.join(causes))})"
    )


def library_name() -> str:
    """Which TFLite library runs here, with its version. Raises ConfigError, as `library`."""
    return library()[1]


def library_module() -> str:
    """Its name, for a process that imports it before it is needed. Raises ConfigError, as `library`."""
    name: str = library()[0].__name__
    return name


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def open_interpreter(
    data: bytes, name: str, threads: int, delegate: DelegateSettings | None, *, plain: bool = False
) -> Any:
    """An interpreter with its tensors allocated.

    The bytes must be those of a model that is trusted: TFLite checks little, and a damaged model may end the
    process. They are passed in memory, since a mapped file that is cut short later ends the process too.

    Args:
        data: the model.
        name: of its file, for errors.
        threads: CPU threads for one inference.
        delegate: accelerator to run it on, or None.
        plain: without XNNPACK, with the kernels that every build of TFLite has.

    Raises:
        ModelError: TFLite or the delegate refuses it.
        ConfigError: there is no TFLite library.
    """
    module, runtime = library()
    delegates = None if delegate is None else [_delegate(module, delegate)]
    kernels = module.OpResolverType
    try:
        interpreter = module.Interpreter(
            model_content=data,
            num_threads=threads,
            experimental_delegates=delegates,
            experimental_op_resolver_type=(
                kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else kernels.AUTO
            ),
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, SystemError, MemoryError) as error:
        # SystemError: tflite-runtime with a numpy of version 2.
        with_what = runtime if delegate is None else f"{runtime} with the delegate {delegate.library}"
        raise ModelError(
            f"{name}: expected a model that {with_what} can run, found: {quoted(str(error))}"
        ) from error
    return interpreter


def _delegate(module: Any, settings: DelegateSettings) -> Any:
    """The delegate, loaded.

    Raises:
        ModelError: with the library and the cause.
    """
    name = f"delegate {settings.library}"
    try:
        # First by ourselves: TFLite's own class fails again in its finaliser when loading failed.
        loaded = ctypes.CDLL(settings.library)
    except OSError as error:
        raise ModelError(f"{name}: expected a library that loads, found: {quoted(str(error))}") from error
    for symbol in ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"):
        if not hasattr(loaded, symbol):
            raise ModelError(f"{name}: expected a TFLite delegate with {symbol}, found another library")
    try:
        return module.load_delegate(settings.library, settings.options or {})
    except (ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"{name}: expected it to start, found: {quoted(str(error))}") from error


def tensor_facts(interpreter: Any) -> tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]:
    """The inputs and the outputs of an open model."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return tuple(map(_fact, inputs)), tuple(map(_fact, outputs))


def _fact(detail: dict[str, Any]) -> TensorFact:
    quantisation = detail["quantization_parameters"]
    return TensorFact(
        index=int(detail["index"]),
        shape=tuple(int(side) for side in detail["shape"]),
        dtype=detail["dtype"].__name__,
        scales=tuple(float(scale) for scale in quantisation["scales"]),
        zero_points=tuple(int(zero) for zero in quantisation["zero_points"]),
    )
