"""What the agent needs on disk: a model, a product folder, a configuration."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import yaml

from agent.adapters.embedder import draft_spec
from tools.shop_demo.processes import DemoError
from tools.synth.designs import design
from tools.synth.photos import shelf_photo
from tools.synth.views import studio_view

if TYPE_CHECKING:
    from tools.synth.designs import Design
    from tools.synth.scenes import Bay

ROOT = Path(__file__).resolve().parents[2]
REFERENCE_MODEL = Path("models", "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite")
STUDIO_VIEWS = 3
SHELF_PHOTOS = 6
"""Pictures of each product. Studio pictures alone would do for telling products apart, but how near is near
enough is learned from how unlike the pictures of one product are: some must be like what the camera sees."""

CAMERA = "shelf-1"
CAMERA_FPS = 4


def find_model(folder: Path) -> Path:
    """The shipped model, or the reference model copied into `folder` with a spec beside it.

    Raises:
        DemoError: neither is there.
    """
    shipped = sorted(
        (ROOT / "models").glob("*.tflite"), key=lambda path: ("base" not in path.name, path.name)
    )
    for path in shipped:
        if path.with_suffix(".json").is_file():
            return path
    data = Path(os.environ.get("SPOTTER_DATA", ROOT.parent / "shared" / "data"))
    reference = data / REFERENCE_MODEL
    if not reference.is_file():
        raise DemoError(
            f"no embedding model: looked for {ROOT / 'models'}/*.tflite with its .json beside it and for "
            f"{reference}; set SPOTTER_DATA to the folder that holds {REFERENCE_MODEL}"
        )
    copy = folder / reference.name
    shutil.copyfile(reference, copy)
    spec = draft_spec(copy.read_bytes(), copy.name)
    spec.update(provenance="public reference model, used by the demo alone", licence="Apache-2.0")
    copy.with_suffix(".json").write_text(json.dumps(spec))
    return copy


def sku_of(product: int) -> str:
    """Product number → SKU."""
    return f"SP-{product + 1:03d}"


def write_products(folder: Path, seed: int, count: int) -> list[Design]:
    """`products.csv` and `images/<sku>/` of the first `count` products of the shop `seed`."""
    designs = [design(number, seed) for number in range(count)]
    with (folder / "products.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "name", "brand", "price", "aisle", "bay"])
        for item in designs:
            price = f"{0.49 + item.index * 0.3:.2f}"
            table.writerow([sku_of(item.index), item.name, item.brand, price, "1", "A"])
    for item in designs:
        images = folder / "images" / sku_of(item.index)
        images.mkdir(parents=True)
        pictures = [studio_view(item, number) for number in range(STUDIO_VIEWS)]
        pictures += [shelf_photo(item.index, number, seed) for number in range(SHELF_PHOTOS)]
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(images / f"{number}.png"), picture)
    return designs


def write_config(
    path: Path,
    *,
    bay: Bay,
    model: Path,
    catalogue: Path,
    stream_url: str,
    broker_port: int,
    web_port: int | None = None,
) -> None:
    """The configuration of the agent: one camera, one slot for each place on the shelf, pages with a port."""
    settings = {
        "site": "demo",
        "device": "till-1",
        "state_dir": str(path.parent / "state"),
        "model": {"file": str(model)},
        "catalogue": {"path": str(catalogue)},
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker_port}", "prefix": "spotter"},
        "cameras": [
            {
                "id": CAMERA,
                "source": stream_url,
                "fps": CAMERA_FPS,
                "regions": {
                    "mode": "slots",
                    "slots": [{"name": slot, "box": list(bay.box(slot))} for slot in bay.slots],
                },
            }
        ],
    }
    if web_port is not None:
        settings["web"] = {"port": web_port}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
