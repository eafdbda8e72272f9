"""Public models that `spotter model fetch` knows: where each lies, what it is, whose it is.

Every URL names one commit of the repository in which Google's Coral team publishes them, so that it always
means the same bytes; the digest decides all the same. A model is listed when its path at that commit and its
licence are known, and a file of this digest was run; of the one that finds faces the digest is what its
repository says. None of the others was trained on products: they are here to begin with and to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.face_spec import KIND, FaceSpec
from agent.core.model_spec import InputSpec, ModelSpec

_CORAL = "https://raw.githubusercontent.com/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41"


_ZOO = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/82b38c8f98e7b52aa171400f3e4c722352d0669f"
    "/models/face_detection_yunet"
)


@dataclass(frozen=True, slots=True)
class PublicModel:
    """A model and the folder on the web that holds its file."""

    base: str  # URL
    size: int  # bytes
    about: str
    spec: ModelSpec | FaceSpec

    @property
    def url(self) -> str:
        """The URL of the file."""
        return f"{self.base}/{self.spec.file}"


def _mobilenet(
    file: str, sha256: str, size: int, side_px: int, dimension: int, about: str, family: str
) -> PublicModel:
    """All of Google's quantised MobileNets take RGB bytes around 128."""
    spec = ModelSpec(
        name=file.removesuffix(".tflite"),
        file=file,
        sha256=sha256,
        input=InputSpec(height=side_px, width=side_px, dtype="uint8", mean=(128.0,) * 3, std=(128.0,) * 3),
        dimension=dimension,
        provenance=f"Google, {family}, trained on ImageNet; {_CORAL}/{file}",
        licence="Apache-2.0",
    )
    return PublicModel(_CORAL, size, about, spec)


PUBLIC_MODELS: dict[str, PublicModel] = {
    "mobilenet-v1": _mobilenet(
        "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
        "f409ef4f73fcbb9667841965623c5c8524aac33d41b9bf5f3667161fb4a76319",
        3_251_736,
        224,
        1024,
        "pooled features; the best of these for telling products apart",
        "MobileNetV1 1.0 at 224 px",
    ),
    "mobilenet-v1-0.25": _mobilenet(
        "mobilenet_v1_0.25_128_quant.tflite",
        "cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785",
        525_598,
        128,
        1001,
        "probabilities of ImageNet classes; tiny, for trying things out",
        "MobileNetV1 0.25 at 128 px",
    ),
    "mobilenet-v2": _mobilenet(
        "mobilenet_v2_1.0_224_quant.tflite",
        "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
        3_610_798,
        224,
        1001,
        "probabilities of ImageNet classes; to compare with",
        "MobileNetV2 1.0 at 224 px",
    ),
    "yunet": PublicModel(
        _ZOO,
        232_589,
        "finds faces, to blur them (`privacy.faces`)",
        FaceSpec(
            kind=KIND,
            name="face_detection_yunet_2023mar",
            file="face_detection_yunet_2023mar.onnx",
            sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            provenance=f"OpenCV Zoo, trained by Shiqi Yu on WIDER Face; {_ZOO}",
            licence="MIT",
        ),
    ),
}
