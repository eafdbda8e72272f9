"""What each stage costs: real model, real index, drawn pictures that change or do not.

Every round times the same stages one after the other, and ratios are medians of the rounds' ratios, so that
a machine that is slow for a while is slow for both sides.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.adapters.catalogue import Catalogue, open_catalogue
from agent.adapters.embedder import Embedder, EmbedderSettings, load_embedder
from agent.adapters.images import encode_png
from agent.adapters.products import ProductWriter
from agent.adapters.system import SystemClock, resident_mb
from agent.adapters.vectors import IndexBuilder
from agent.core.calibration import DEFAULT_CALIBRATION
from agent.core.changes import ChangeSettings, signature
from agent.core.errors import AgentError
from agent.core.evidence import DecisionSettings
from agent.core.manifest import MANIFEST_NAME, Manifest, ModelEntry, dump_manifest
from agent.core.matching import key_of
from agent.core.regions import GridSettings, RegionSettings, propose
from agent.core.tracking import TrackingSettings
from agent.core.types import Frame, Product
from agent.pipeline import Pipeline
from agent.viewing import CameraPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

WIDTH, HEIGHT, ROWS, COLUMNS = 1280, 720, 3, 4
VIEWS = 5
"""References per product of the drawn catalogue."""

SEARCHES = 200


def measure(model: EmbedderSettings, rounds: int, sizes: Sequence[int]) -> dict[str, Any]:
    """All figures of `spotter bench --json`."""
    clock = SystemClock()
    eyes = load_embedder(model)
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as folder:
        catalogues = {size: drawn_catalogue(Path(folder) / str(size), eyes, size) for size in sizes}
        searches = {
            str(size): _search_us(catalogue, eyes.dimension, clock) for size, catalogue in catalogues.items()
        }
        stages = _stages(eyes, catalogues[sizes[0]], rounds, clock)
        cold_s = _cold_start_s(model.file, Path(folder) / str(sizes[0]), clock)
        for catalogue in catalogues.values():
            catalogue.close()
    return {
        "model": eyes.spec.name,
        "runtime": eyes.runtime,
        "regions": ROWS * COLUMNS,
        "region_px": f"{WIDTH // COLUMNS}x{HEIGHT // ROWS}",
        **stages,
        "search_us": searches,
        "rss_mb": round(resident_mb(), 1),
        "cold_start_s": round(cold_s, 3),
    }


def drawn_catalogue(folder: Path, eyes: Embedder, references: int) -> Catalogue:
    """A real catalogue of random unit vectors: the cost of a search does not depend on what they mean."""
    folder.mkdir()
    rng = np.random.default_rng(references)
    vectors = rng.standard_normal((references, eyes.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    keys = [key_of(1 + number // VIEWS, number % VIEWS) for number in range(references)]
    index, table = IndexBuilder(eyes.dimension), ProductWriter(folder)
    products = 1 + (references - 1) // VIEWS
    for no in range(1, products + 1):
        table.add(Product(no, f"sku-{no}", name=f"Product {no}"))
    for key in keys:
        table.add_reference(key, f"{key}.png")
    index.add(np.array(keys, np.uint64), vectors)
    manifest = Manifest(
        created_utc=0.0,
        model=ModelEntry(eyes.spec.name, eyes.fingerprint, eyes.dimension, eyes.runtime),
        crop=1.0,
        dimension=eyes.dimension,
        calibration=DEFAULT_CALIBRATION,
        products=products,
        references=references,
        index=index.save(folder),
        table=table.save(),
    )
    (folder / MANIFEST_NAME).write_bytes(dump_manifest(manifest))
    return open_catalogue(folder, eyes.fingerprint, eyes.dimension)


def drawn_picture(number: int) -> NDArray[np.uint8]:
    """`(720, 1280, 3)`: coloured blotches that differ in every region from one number to the next."""
    coarse = np.random.default_rng(number).integers(0, 256, (18, 32, 3)).astype(np.uint8)
    picture = np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    picture.flags.writeable = False
    return picture


def _stages(eyes: Embedder, catalogue: Catalogue, rounds: int, clock: SystemClock) -> dict[str, Any]:
    where = RegionSettings(mode="grid", grid=GridSettings(rows=ROWS, columns=COLUMNS))
    regions = propose(where, WIDTH, HEIGHT)
    plan = CameraPlan(where, ChangeSettings(refresh_s=3600.0))
    pipeline = Pipeline(eyes, catalogue, {"bench": plan}, DecisionSettings(looks=1), TrackingSettings())
    pictures = [drawn_picture(number) for number in range(2)]
    seq = 0

    def step(picture: NDArray[np.uint8]) -> float:
        nonlocal seq
        seq += 1
        frame = Frame("bench", seq, at=seq * 0.5, utc=seq * 0.5, image=picture)
        return _timed(lambda: pipeline.step(frame), clock)

    def invoke() -> None:
        for _ in regions:
            eyes.invoke_once()

    times: dict[str, list[float]] = {
        name: [] for name in ("invoke", "embed", "search", "change test", "step", "quiet")
    }
    for round_ in range(rounds + 2):  # the first two warm the caches and are not counted
        picture = pictures[round_ % 2]
        embeddings = eyes.embed(picture, regions)
        times["invoke"].append(_timed(invoke, clock))
        times["step"].append(step(picture))
        times["quiet"].append(step(picture))
        times["embed"].append(_timed(lambda picture=picture: eyes.embed(picture, regions), clock))  # type: ignore[misc]
        times["search"].append(_timed(lambda rows=embeddings: catalogue.nearest(rows), clock))  # type: ignore[misc]
        times["change test"].append(_timed(lambda p=picture: [signature(p, r) for r in regions], clock))  # type: ignore[misc]
    if pipeline.tally.reused != (rounds + 2) * len(regions):
        raise AgentError(f"bench: expected the quiet steps to reuse every region, found {pipeline.tally}")
    counted = {name: values[2:] for name, values in times.items()}
    return {
        "stage_us": {name: round(median(values) / len(regions) * 1e6, 1) for name, values in counted.items()},
        "step_over_invoke": _ratio(counted["step"], counted["invoke"]),
        "quiet_over_busy": _ratio(counted["quiet"], counted["step"]),
    }


def _ratio(above: list[float], below: list[float]) -> float:
    return round(median(a / b for a, b in zip(above, below, strict=True)), 4)


def _timed(work: Callable[[], object], clock: SystemClock) -> float:
    began = clock.monotonic()
    work()
    return clock.monotonic() - began


def _search_us(catalogue: Catalogue, dimension: int, clock: SystemClock) -> float:
    rng = np.random.default_rng(1)
    queries = rng.standard_normal((SEARCHES, dimension)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    times = [_timed(lambda q=query: catalogue.nearest(q[None]), clock) for query in queries]  # type: ignore[misc]
    return round(median(times) * 1e6, 1)


def _cold_start_s(model: str, release: Path, clock: SystemClock) -> float:
    """Wall time of a new process from its start to its first answer."""
    photo = release / "photo.png"
    photo.write_bytes(encode_png(drawn_picture(0)))
    command = [sys.executable, "-m", "agent", "find", "--model", model, "--release", str(release), str(photo)]
    began = clock.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AgentError(f"bench: the cold start failed: {done.stderr.strip()[:255]}")
    return clock.monotonic() - began
