"""What the operator says about the embedding model."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.settings import check_range, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateSettings:
    """An accelerator's TFLite delegate, such as `libedgetpu.so.1`."""

    library: str = setting("shared library of the delegate, by path or by name")
    options: dict[str, str] | None = setting("options for the delegate, all of them text", None)

    def __post_init__(self) -> None:
        if not self.library or "\0" in self.library:
            raise ValueError(f"library: expected the path of a shared library, found {self.library!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderSettings:
    """The embedding model."""

    file: str = setting("model (.tflite); its description lies beside it with the ending .json")
    threads: int = setting("CPU threads for one inference", 1)
    delegate: DelegateSettings | None = setting("accelerator to run the model on instead of the CPU", None)

    def __post_init__(self) -> None:
        check_range("threads", self.threads, 1, 64)
        if not self.file.endswith(".tflite") or "\0" in self.file:
            raise ValueError(f"file: expected a path that ends in .tflite, found {self.file!r}")
