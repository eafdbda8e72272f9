"""What planograms ask for and the catalogue does not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from agent.config import load_config
from agent.core.types import Product
from agent.strangers import Strangers


class Catalogue:
    """Some products, and how often they changed."""

    def __init__(self, *skus: str) -> None:
        self.skus, self.version = set(skus), 0

    def by_sku(self, sku: str) -> Product | None:
        return Product(1, sku) if sku in self.skus else None


def test_products_nobody_knows_are_reported_until_they_are_known(tmp_path: Path) -> None:
    skus = [f"sku-{number}" for number in range(8)]
    slots = [{"name": sku, "sku": sku, "box": [20 * n, 0, 20 * n + 20, 40]} for n, sku in enumerate(skus)]
    config = tmp_path / "spotter.yaml"
    camera = {"id": "bay", "source": "folder:/x", "shelf": {"planogram": "plan.yaml"}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"slots": slots}))
    settings = {
        "site": "s",
        "device": "d",
        "model": {"file": "/m.tflite"},
        "catalogue": {"path": "/c"},
        "cameras": [camera],
    }
    config.write_text(yaml.safe_dump(settings))
    loaded = load_config(config)
    heard: list[tuple[str, str]] = []
    strangers = Strangers(lambda part, reason: heard.append((part, reason)))
    catalogue = Catalogue("sku-0")
    strangers.tend(loaded, catalogue)
    strangers.tend(loaded, catalogue)
    ((part, reason),) = heard
    assert part == "planogram of bay"
    assert "'sku-1', 'sku-2', 'sku-3', 'sku-4', 'sku-5' and 2 more" in reason
    catalogue.skus, catalogue.version = set(skus), 1
    strangers.tend(loaded, catalogue)
    assert heard[1:] == [("planogram of bay", "")]
    watching = replace(loaded.cameras[0], shelf=None)
    strangers.tend(replace(loaded, cameras=(watching,)), Catalogue())
    assert len(heard) == 2
