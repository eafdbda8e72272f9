"""The Grocery Store photographs as a product folder, and a reference model with its description."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

MODEL = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
SIZE = 224


def names(data: Path) -> dict[int, str]:
    """Class number → SKU."""
    with (data / "grocery" / "classes.csv").open(newline="") as file:
        return {int(row["Class ID (int)"]): row["Class Name (str)"] for row in csv.DictReader(file)}


def photos(data: Path, part: str, every: int = 1) -> list[tuple[Path, str]]:
    """(photo, SKU) of `train` or `val`, in the order of the list; of so many the first."""
    sku = names(data)
    lines = (data / "grocery" / f"{part}.txt").read_text().splitlines()
    split = [line.split(",") for line in lines if line.strip()]
    return [(data / "grocery" / path.strip(), sku[int(fine)]) for path, fine, _coarse in split[::every]]


def product_folder(data: Path, out: Path, every: int = 1) -> Path:
    """`products.csv` and `images/<sku>/…` of the training photos, or of so many the first, as links."""
    skus = names(data)
    out.mkdir()
    with (out / "products.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "name", "category"])
        writer.writerows([sku, sku.replace("-", " "), ""] for sku in skus.values())
    for path, sku in photos(data, "train", every):
        folder = out / "images" / sku
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).symlink_to(path)
    return out


def reference_model(data: Path, out: Path) -> Path:
    """The public embedding extractor, linked, with a description written for it."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / MODEL
    target.symlink_to(data / "models" / MODEL)
    from agent.adapters.embedder import draft_spec

    raw = target.read_bytes()
    spec = draft_spec(raw, MODEL)
    assert spec["sha256"] == hashlib.sha256(raw).hexdigest()
    spec.update(provenance="Google, MobileNetV1 1.0 224 quantised, embedding extractor", licence="Apache-2.0")
    target.with_suffix(".json").write_text(json.dumps(spec))
    return target
