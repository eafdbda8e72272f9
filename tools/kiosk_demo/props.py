"""What a kiosk needs on disk: products with photos, a plan of the shop, a configuration."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import cv2
import yaml

from tools.synth.designs import design
from tools.synth.kiosk import held_up
from tools.synth.views import studio_view

if TYPE_CHECKING:
    from pathlib import Path

    from tools.synth.designs import Design

CAMERA = "kiosk"
STUDIO_VIEWS = 3
HELD_PHOTOS = 4
"""Pictures of each product: from the studio, and held up as a customer does."""

ZONE = (0.2, 0.0, 0.8, 0.72)
"""Where things are held up, as shares of the picture: arms come in from below."""

AISLES = 6
BAYS = "ABCD"

COLUMNS = ("sku", "name", "description", "brand", "category", "price", "aisle", "bay", "tags")


def sku_of(product: Design) -> str:
    """The SKU of a product."""
    return f"SP-{product.index:03d}"


def assortment(count: int, seed: int = 0) -> list[Design]:
    """Products that do not look alike."""
    return [design(number, seed) for number in range(count)]


def row_of(product: Design) -> dict[str, str]:
    """What the catalogue says of a product."""
    kind, size = product.kind.value, product.size
    said = f"{product.title} by {product.brand}, {product.variant.lower()}, in a {kind} of {size}."
    return {
        "sku": sku_of(product),
        "name": product.name,
        "description": said,
        "brand": product.brand,
        "category": product.title,
        "price": f"{0.49 + product.index * 0.15:.2f}",
        "aisle": str(1 + product.index % AISLES),
        "bay": BAYS[product.index // AISLES % len(BAYS)],
        "tags": f"{product.variant}, {product.kind.value}",
    }


def write_products(folder: Path, products: list[Design], *more: dict[str, str]) -> None:
    """`products.csv` and `images/<sku>/`. `more`: rows of products without pictures."""
    folder.mkdir(parents=True)
    with (folder / "products.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows([*(row_of(product) for product in products), *more])
    for product in products:
        images = folder / "images" / sku_of(product)
        images.mkdir(parents=True)
        for number in range(STUDIO_VIEWS):
            cv2.imwrite(str(images / f"{number}.png"), studio_view(product, number))
        for number in range(HELD_PHOTOS):
            cv2.imwrite(str(images / f"held-{number}.png"), held_up(product, 100 + number))


def plan() -> dict[str, Any]:
    """The plan of the shop: `plan.yaml` as plain data, in metres."""
    step = 4.4
    return {
        "size": [30, 20],
        "here": [15, 18.6],
        "aisles": [
            {
                "aisle": number + 1,
                "box": [2.5 + number * step, 3.5, 4.5 + number * step, 14],
                "bays": list(BAYS),
            }
            for number in range(AISLES)
        ],
        "areas": [
            {"label": "Bakery", "box": [2.5, 0.6, 12, 2]},
            {"label": "Fresh", "box": [14, 0.6, 27.5, 2]},
            {"label": "Tills", "box": [19, 16, 27.5, 17.4]},
            {"label": "Entrance", "box": [2.5, 17.4, 8, 19.4]},
        ],
    }


def settings(
    folder: Path, *, model: str, catalogue: Path, source: str, port: int, broker: str = "mqtt://127.0.0.1:1"
) -> dict[str, Any]:
    """The configuration of the agent, with the plan written beside it."""
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan(), sort_keys=False))
    return {
        "site": "demo",
        "device": "kiosk-1",
        "state_dir": str(folder / "state"),
        "model": {"file": model},
        "catalogue": {"path": str(catalogue)},
        "mqtt": {"url": broker},
        "web": {"port": port},
        "decision": {"patience_s": 1.0, "false_accept": 0.05},
        "cameras": [
            {
                "id": CAMERA,
                "source": source,
                "fps": 10,
                "regions": {"mode": "motion", "unit": "share", "zone": list(ZONE)},
                "kiosk": {"map": str(folder / "plan.yaml"), "currency": "EUR"},
            }
        ],
    }
