"""The pictures that are trained on, all of them in memory, and which of them a batch shows."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tools.synth.training import TRAINING_SEED, TrainingPictures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

DRAWN_PX = 192
SCENES = 8
STUDIO_VIEWS = 3
"""Pictures of each drawn product; each looks different again whenever it is shown."""

KEPT_PX = 352
"""Longest side in memory: no photo of Grocery Store has more."""


UNSEEN = 20
"""Products left out of the run that measures what was never trained on."""


@dataclass(slots=True)
class Group:
    """Pictures that a batch takes together, `share` of it."""

    name: str
    share: float
    least: float  # share of a picture that is shown at least
    studio: bool = False
    fitted: float = 0.0  # how often each counts when the head is fitted after the training
    pictures: list[Pixels] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of the class of each, unique over all groups

    def add(self, picture: Pixels, name: str) -> None:
        """One more, no larger than it is worth keeping."""
        scale = KEPT_PX / max(picture.shape[:2])
        if scale < 1:
            picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        self.pictures.append(picture)
        self.names.append(name)


def data_folder() -> Path:
    """Where the real photographs are: `SPOTTER_DATA`, or beside the repository."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("SPOTTER_DATA", beside))


def unseen_products(names: Iterable[str]) -> frozenset[str]:
    """The `UNSEEN` of these products, the same in every run: drawn from the names in order by seed 4."""
    ordered = sorted(set(names))
    return frozenset(
        ordered[place] for place in np.random.default_rng(4).choice(len(ordered), UNSEEN, replace=False)
    )


def grocery(data: Path, without: frozenset[str]) -> tuple[Group, Group]:
    """Photos and studio pictures of Grocery Store, `without` some products."""
    photos, studio = Group("photos", 0.80, 0.3, fitted=1), Group("studio", 0.07, 0.5, studio=True, fitted=4)
    listed: dict[str, list[Path]] = defaultdict(list)
    for path, name in grocery_list(data, "train"):
        listed[name].append(path)
    for name, paths in listed.items():
        for path in paths if name not in without else ():
            photos.add(read(path), f"grocery/{name}")
    for name, iconic in grocery_classes(data).items():
        if name not in without:
            studio.add(read(iconic), f"grocery/{name}")
    return photos, studio


def grocery_classes(data: Path) -> dict[str, Path]:
    """Product → its studio picture."""
    found = {}
    with (data / "grocery" / "classes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            name = row["Class Name (str)"]
            inside = row["Iconic Image Path (str)"].lstrip("/")
            iconic = data / "grocery" / inside
            if not iconic.is_file():
                iconic = next((data / "grocery" / "iconic").rglob(Path(inside).name))
            found[name] = iconic
    return found


def grocery_list(data: Path, part: str) -> list[tuple[Path, str]]:
    """(photo, product) of `train` or `val`, in the order of the list."""
    with (data / "grocery" / "classes.csv").open(newline="") as file:
        names = {int(row["Class ID (int)"]): row["Class Name (str)"] for row in csv.DictReader(file)}
    lines = (data / "grocery" / f"{part}.txt").read_text().splitlines()
    split = [line.split(",") for line in lines if line.strip()]
    return [(data / "grocery" / path.strip(), names[int(fine)]) for path, fine, _ in split]


def clothing(data: Path) -> Group:
    """Garments; those labelled "Not sure", "Other" and "Skip" say nothing."""
    group = Group("clothing", 0.02, 0.25)
    with (data / "clothing" / "images.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            path = data / "clothing" / "images" / f"{row['image']}.jpg"
            if row["label"] not in {"Not sure", "Other", "Skip"} and path.is_file():
                group.add(read(path), f"clothing/{row['label']}")
    return group


def trashnet(data: Path) -> Group:
    """Packaging on a plain board; the folder is the class."""
    group = Group("trashnet", 0.02, 0.25)
    for path in sorted((data / "trashnet").glob("*/*.jpg")):
        group.add(read(path), f"trashnet/{path.parent.name}")
    return group


def drawn(products: int, seed: int) -> tuple[Group, Group]:
    """Drawn products on shelves and in hands, and their studio views: four of each line are flavours.

    Their shops have seeds from 1,000 on, which no demo and no test opens.
    """
    pictures = TrainingPictures(products, DRAWN_PX, TRAINING_SEED + seed)
    scenes = Group("drawn scenes", 0.06, 0.7, fitted=0.5)
    studio = Group("drawn studio", 0.03, 0.6, studio=True, fitted=0.5)
    for product in range(products):
        name = f"drawn/{product}"
        for number in range(SCENES):
            scenes.add(pictures.scene(product, number), name)
        for number in range(STUDIO_VIEWS):
            studio.add(pictures.studio(product, number), name)
    return scenes, studio


def read(path: Path) -> Pixels:
    """`(H, W, 3)` uint8 BGR.

    Raises:
        OSError: no picture can be read there.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f"{path}: expected a picture, found none that can be read")
    return np.asarray(picture, np.uint8)


class Sampler:
    """Which pictures the batch of a step shows: the same for the same seed and step, so that runs resume."""

    def __init__(self, groups: Iterable[Group], seed: int) -> None:
        self.groups = [group for group in groups if group.pictures]
        self.classes = sorted({name for group in self.groups for name in group.names})
        number = {name: place for place, name in enumerate(self.classes)}
        self._labels = [np.array([number[name] for name in group.names]) for group in self.groups]
        self._chances = [_chances(labels) for labels in self._labels]
        shares = np.array([group.share for group in self.groups])
        self._shares = shares / shares.sum()
        self._seed = seed

    def batch(
        self, step: int, size: int
    ) -> tuple[list[tuple[Pixels, Group]], NDArray[np.int64], np.random.Generator]:
        """`size` pictures, each with its group; their class numbers; the step's chance."""
        rng = np.random.default_rng([self._seed, step, 73])
        pictures, labels = [], []
        # Exactly its share of the batch and the chance of one more, in place of a lottery for each picture.
        edges = np.searchsorted(np.cumsum(self._shares), (np.arange(size) + rng.random()) / size)
        for place in edges.clip(0, len(self.groups) - 1):
            group = self.groups[place]
            chosen = int(rng.choice(len(group.pictures), p=self._chances[place]))
            pictures.append((group.pictures[chosen], group))
            labels.append(self._labels[place][chosen])
        return pictures, np.array(labels), rng


def _chances(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """A class of n pictures is shown as often as √n says: between all classes and all pictures alike."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(counts[inverse])
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances
