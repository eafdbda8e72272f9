"""A shelf's device without camera, broker and clock: frames in, messages out, as the daemon makes them."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import yaml

from agent.applying import make_apps, proposers
from agent.config import load_config
from agent.core.payload import content
from agent.core.scene import TROUBLE, Scene
from agent.core.types import Frame
from agent.core.wire import Wire
from agent.parts import load_eyes, make_pipeline
from tools.bench._all_of_it import spotter
from tools.synth.designs import design
from tools.synth.photos import shelf_photo
from tools.synth.scenes import facings_of
from tools.synth.views import studio_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from agent.core.types import Message
    from tools.synth.scenes import Bay, Looks

STUDIO_VIEWS, SHELF_PHOTOS = 3, 6
CAMERA = "shelf-1"
BEGAN_UTC = 1_767_225_600.0


def sku_of(product: int) -> str:
    """Product number → SKU."""
    return f"SP-{product:03d}"


def build_catalogue(folder: Path, model: str, numbers: Sequence[int], seed: int, looks: Looks) -> Path:
    """The catalogue of these products of a drawn shop, made as head office makes one."""
    products = folder / "products"
    products.mkdir(parents=True)
    with (products / "products.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "name", "brand", "category"])
        for number in numbers:
            item = looks(number, seed)
            table.writerow([sku_of(number), item.name, item.brand, item.kind.value])
    for number in numbers:
        images = products / "images" / sku_of(number)
        images.mkdir(parents=True)
        pictures = [studio_view(looks(number, seed), view) for view in range(STUDIO_VIEWS)]
        pictures += [shelf_photo(number, view, seed, looks, one=True) for view in range(SHELF_PHOTOS)]
        for view, picture in enumerate(pictures):
            cv2.imwrite(str(images / f"{view}.png"), picture)
    spotter("catalog", "build", str(products), "--model", model, "-o", str(folder / "catalogue"))
    return folder / "catalogue"


def planogram(bay: Bay, plan: dict[str, int], looks: Looks = design) -> dict[str, Any]:
    """Of a drawn bay, as plain data: each slot with as many facings as stand in it when it is full."""
    slots = [
        {
            "name": slot,
            "sku": sku_of(number),
            "box": list(bay.box(slot)),
            "facings": facings_of(bay, slot, number, looks),
        }
        for slot, number in plan.items()
    ]
    return {"bay": "A", "slots": slots}


@dataclass
class ShelfDevice:
    """One camera with the shelf application. `see` is given each frame, in order."""

    folder: Path
    model: str
    catalogue: Path
    plan: dict[str, Any]
    shelf: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    messages: list[tuple[float, Message]] = field(default_factory=list)
    troubles: list[tuple[float, str]] = field(default_factory=list)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)  # topic below the camera → content

    def __post_init__(self) -> None:
        path = self.folder / "spotter.yaml"
        settings = {
            "site": "bench",
            "device": "dev-1",
            "state_dir": str(self.folder / "state"),
            "model": {"file": self.model},
            "catalogue": {"path": str(self.catalogue)},
            "cameras": [
                {"id": CAMERA, "source": "folder:/nowhere", "shelf": {"plan": self.plan, **self.shelf}}
            ],
            **self.more,
        }
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        self.settings = load_config(path)
        self.eyes, self.memory = load_eyes(self.settings)
        self.apps = make_apps(self.settings)
        self.pipeline = make_pipeline(self.settings, self.eyes, self.memory, proposers=proposers(self.apps))
        self.wire = Wire("spotter", "bench", "dev-1")
        self._seq = 0

    def see(self, at_s: float, image: NDArray[np.uint8]) -> None:
        """A frame."""
        frame = Frame(CAMERA, self._seq, at_s, BEGAN_UTC + at_s, image)
        self._seq += 1
        told = self.pipeline.step(frame)
        self._tell(Scene(CAMERA, at_s, frame.utc, told, self.pipeline.tracks(CAMERA), frame))

    def lose(self, at_s: float) -> None:
        """No more pictures for now."""
        utc = BEGAN_UTC + at_s
        self._tell(Scene(CAMERA, at_s, utc, self.pipeline.close(CAMERA, at_s, utc)))

    def facts(self) -> list[tuple[float, dict[str, Any]]]:
        """What happened, with the second at which it was told."""
        return [
            (at, content(message.payload))
            for at, message in self.messages
            if message.topic.endswith(f"{CAMERA}/event")
        ]

    def _tell(self, scene: Scene) -> None:
        for event in self.apps[CAMERA].update(scene):
            if event.kind == TROUBLE:
                self.troubles.append((scene.at, str(event.body["reason"])))  # type: ignore[index]
                continue
            message = self.wire.event(event)
            self.messages.append((scene.at, message))
            if message.retain:
                self.states[message.topic.partition(f"{CAMERA}/")[2]] = content(message.payload)
