"""What is trained: which network from which weights, on how many pictures. Facts, no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, pi
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2] / "models"
"""Where what is trained ships."""

CORAL = "https://raw.githubusercontent.com/google-coral/test_data"


@dataclass(frozen=True, slots=True)
class Start:
    """Public weights to start from: Google's MobileNetV1, Apache-2.0."""

    file: str
    url: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long, how large, how fast."""

    pictures: int
    sides: tuple[tuple[float, int], ...] = ((0.5, 128), (0.85, 160), (1.0, 192))
    """(up to this share of the run, px): small pictures cost less than half; the device's size comes last."""
    batch: int = 48
    rate: float = 5e-4
    """Highest learning rate. After 12,800 pictures of a trial 2e-3 had 35 % right and 5e-4 73 %; after 9,600
    2e-4 had 60 % and 5e-4 63 %. Normalisation is folded into the weights, so that large steps hurt."""
    head_factor: float = 3.0
    """The head and the class centres start from nothing, and take larger steps."""
    weight_decay: float = 0.02
    warm_up: float = 0.2  # share of the run
    average: float = 0.995  # share of the averaged weights that one step keeps
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return max(1, self.pictures // self.batch)

    def side(self, step: int) -> int:
        """Pixels across at a step."""
        return next((side for share, side in self.sides if step < share * self.steps), self.sides[-1][1])

    def pace(self, step: int) -> float:
        """Learning rate at a step as a share of the highest: up in a line, down in half a cosine."""
        done = step / self.steps
        if done < self.warm_up:
            return 0.05 + 0.95 * done / self.warm_up
        return 0.5 + 0.5 * cos(pi * (done - self.warm_up) / (1 - self.warm_up))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One model."""

    name: str
    width: float  # channels as a share of MobileNetV1 1.0's
    start: Start | None  # None: from the `small` that ships
    dimension: int  # numbers in an embedding
    side: int  # px across of the device's input
    drawn: int  # drawn products
    schedule: Schedule
    teachers: tuple[Recipe, ...] = ()  # trained before it; tools/train/distil.py


FIRST_BASE = Recipe(
    name="first-base",
    width=1.0,
    start=Start(
        "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
        f"{CORAL}/104342d2d3480b3e66203073dac24f4e2dbb4c41/"
        "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
        "f409ef4f73fcbb9667841965623c5c8524aac33d41b9bf5f3667161fb4a76319",
        3_251_736,
    ),
    dimension=256,
    side=192,  # 224 px take longer than the public MobileNetV2 1.0/224, which is the bound
    drawn=400,
    schedule=Schedule(pictures=72_000),
)

FIRST_SMALL = Recipe(
    name="first-small",
    width=0.5,
    start=Start(
        "mobilenet_v1_0.5_160_quant.tflite",
        f"{CORAL}/168d89da6ae4132e5e4bda90b76fc128cd1fe560/mobilenet_v1_0.5_160_quant.tflite",
        "3cc6d2ca460abd2e0f699a6d0d2550c6b61c6e3b0e27a3616e384ea74cb86f43",
        1_392_846,
    ),
    dimension=256,
    side=192,
    drawn=400,
    schedule=Schedule(pictures=60_000),
    teachers=(FIRST_BASE,),
)

BASE = replace(FIRST_BASE, name="base", teachers=(FIRST_BASE, FIRST_SMALL))

SMALL = replace(FIRST_SMALL, name="small", schedule=Schedule(pictures=180_000), teachers=(BASE,))
"""Three times as long: what is small is slow to learn what it is shown, see tools/train/distil.py."""

SMOKE = Recipe(
    name="smoke",
    width=SMALL.width,
    start=None,
    dimension=64,
    side=96,
    drawn=96,
    schedule=Schedule(pictures=4_800, sides=((1.0, 96),)),
)
"""Starts from what ships, since it must run without the photographs and the network. From random weights a
network so deep without normalisation learns nothing in minutes: its loss stays where guessing is."""

RECIPES = {recipe.name: recipe for recipe in (BASE, SMALL)}
