"""A drawn dock in simulated time: are parcels counted, lines right, conflicts found; what do barcodes cost.

    python -m tools.bench dock                        200 cartons in 10 shipments: some 5 minutes of one core
    python -m tools.bench dock --cartons 60 --shipments 3

The cartons pass with gaps, in clusters, with stops and with a belt that runs back; one label in five is
torn. What was drawn says what is true. `reading_ms` is what reading adds to a frame in which things move
and no label can be read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from agent.adapters.barcodes import read_barcodes, read_labels
from agent.adapters.embedder import EmbedderSettings
from agent.adapters.images import encode_png
from agent.apps.inbound import Inbound
from agent.core.changes import ChangeSettings
from agent.core.evidence import DecisionSettings
from agent.core.inbound.orders import Row, made_order
from agent.core.inbound.settings import EpcisSettings, InboundSettings
from agent.core.motion import Motion, MotionSettings
from agent.core.scene import Scene
from agent.core.second_look import SecondLookSettings
from agent.core.tracking import TrackingSettings
from agent.core.types import Event, Frame
from agent.core.wire import Wire
from agent.core.zone import Zone
from agent.pipeline import Pipeline
from agent.publishing.build import BuildSettings, build_catalogue
from agent.reading import Reader
from agent.second_look import SecondLook
from agent.sight import open_folder
from agent.viewing import CameraPlan
from tools.bench._dock_truth import at_share, judged
from tools.synth.dock import PRODUCTS, draw_dock, gtin_of, receive, studio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent import viewing
    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder
    from agent.core.codes import Read
    from agent.core.types import Track
    from tools.synth.dock import Carton, Story

ROOT = Path(__file__).resolve().parent.parent.parent
WIRE = Wire("spotter", "bench", "dock-1")
STUDIO = 8
START_UTC = 1_767_225_600.0


def measure(argv: list[str]) -> dict[str, Any]:
    """The figures."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench dock", description=__doc__)
    parser.add_argument("--model", default=str(ROOT / "models" / "base.tflite"))
    parser.add_argument("--cartons", type=int, default=200)
    parser.add_argument("--shipments", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fps", type=float, default=5.0)
    parser.add_argument("--twice", action="store_true", help="and again: the same bytes?")
    parser.add_argument("--events", type=Path, help="file that the messages are written to, JSON lines")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)  # CPU time is that of one core
    story = receive(args.shipments, args.cartons, args.seed)
    with tempfile.TemporaryDirectory() as held:
        settings = EmbedderSettings(file=args.model)
        build_catalogue(
            _shop(Path(held) / "shop"), Path(held) / "out", settings, BuildSettings(jobs=1), created_utc=0.0
        )
        eyes, catalogue = open_folder(Path(held) / "out", settings)
        with closing(catalogue):
            run = Run(story, eyes, catalogue, args.fps)
            run.play()
            figures = {"cartons": args.cartons, "simulated_s": round(story.ends_s), **judged(run)}
            if args.twice:
                again = Run(story, eyes, catalogue, args.fps)
                again.play()
                figures["same_bytes_twice"] = again.digest() == run.digest()
            figures["reading_ms"] = reading_cost(eyes, catalogue)
    if args.events:
        args.events.write_text("".join(f"{line}\n" for line in run.lines))
    return figures


def _shop(folder: Path) -> Path:
    """References: cartons without a label, and with an empty one."""
    rows = ["sku,gtin,name"]
    for product in range(PRODUCTS):
        images = folder / "images" / f"p{product:02}"
        images.mkdir(parents=True)
        rows.append(f"p{product:02},{gtin_of(product)},Product {product}")
        for number in range(STUDIO):
            (images / f"{number}.png").write_bytes(encode_png(studio(product, number)))
    (folder / "products.csv").write_text("\n".join(rows))
    return folder


def make_pipeline(eyes: Embedder, catalogue: Catalogue, reader: viewing.Reader) -> Pipeline:
    """As it is configured for a dock."""
    motion = Motion(MotionSettings(absorb_s=600.0, detail_px=240, join_px=1), Zone(min_px=60))
    plan = CameraPlan(motion, ChangeSettings(), reader=reader)
    second = SecondLook(SecondLookSettings(), read_barcodes)
    return Pipeline(eyes, catalogue, {"dock": plan}, DecisionSettings(), TrackingSettings(), second)


@dataclass
class Run:
    """A story, frame by frame."""

    story: Story
    eyes: Embedder
    catalogue: Catalogue
    fps: float
    lines: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def play(self) -> None:
        """From before the first shipment until after the last."""
        reader = Reader(read_labels, InboundSettings().reads)
        pipeline = make_pipeline(self.eyes, self.catalogue, reader)
        dock = Inbound(
            "dock", InboundSettings(complete_s=0.0, epcis=EpcisSettings()), None, ("bench", "dock-1")
        )
        todo = sorted(self._deeds(), key=lambda deed: deed[0])
        at = self.story.shipments[0].opened_s - 2.0
        seq = 0
        while at < self.story.ends_s + 1.0:
            utc = START_UTC + at
            while todo and todo[0][0] <= at:
                _, what, number = todo.pop(0)
                self._tell(self._do(dock, what, number, at, utc))
            frame = Frame("dock", seq, at, utc, draw_dock(self.story, at))
            began = time.thread_time()
            told = pipeline.step(frame)
            scene = Scene("dock", at, utc, told, pipeline.tracks("dock"), frame, pipeline.codes("dock"))
            self._tell(dock.update(scene))
            self.cpu_ms.append(1e3 * (time.thread_time() - began))
            seq, at = seq + 1, at + 1 / self.fps
        for deed in todo:
            self._tell(self._do(dock, deed[1], deed[2], at, START_UTC + at))

    def digest(self) -> str:
        """Of all messages."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()

    def _deeds(self) -> Iterator[tuple[float, str, int]]:
        for number, shipment in enumerate(self.story.shipments):
            yield shipment.opened_s, "open", number
            yield shipment.closed_s, "close", number

    def _do(self, dock: Inbound, what: str, number: int, at: float, utc: float) -> tuple[Event, ...]:
        shipment = self.story.shipments[number]
        if what == "close":
            return dock.close(shipment.name, at, utc)[1]
        rows = [Row(unit, gtin, "", count, unit) for unit, (gtin, count) in shipment.units.items()]
        inside: Counter[str] = Counter()
        for gtin, count in shipment.units.values():
            inside[gtin] += count
        rows += [
            Row(gtin, gtin, "", count - inside[gtin])
            for gtin, count in shipment.lines
            if count > inside[gtin]
        ]
        return dock.open(made_order(shipment.name, rows, self.catalogue, strict=False), at, utc)[1]

    def _tell(self, events: tuple[Event, ...]) -> None:
        for event in events:
            message = WIRE.event(event)
            self.lines.append(f"{message.topic} {message.payload.decode()}")
            said: dict[str, Any] = json.loads(message.payload)
            if event.kind == "event":
                self.facts.append(said)
            elif event.kind == "epcis":
                self.kept.append(said["epcis"])
            elif event.kind == "inbound":
                self.results[said["shipment"]] = said


def reading_cost(eyes: Embedder, catalogue: Catalogue, frames: int = 60) -> dict[str, float]:
    """CPU that reading takes of each frame, where things move and nothing can be read."""
    story = receive(1, 12, seed=5)
    blank = tuple(_blank(carton) for carton in story.cartons)
    shown = replace(story, cartons=blank)
    reader = Reader(read_labels, InboundSettings().reads)
    timed = _Timed(reader)
    pipeline = make_pipeline(eyes, catalogue, timed)
    steps = []
    for n in range(frames):
        picture = draw_dock(shown, shown.shipments[0].opened_s + n / 5)
        frame = Frame("dock", n, n / 5, START_UTC + n / 5, picture)
        began = time.thread_time()
        pipeline.step(frame)
        steps.append(1e3 * (time.thread_time() - began))
    return {
        "looks": reader.looks,
        "mean": round(sum(timed.cpu_ms) / frames, 2),
        "p95": at_share(timed.cpu_ms, 0.95),
        "most": at_share(timed.cpu_ms, 1.0),
        "of_step_p50": at_share(steps, 0.5),
    }


class _Timed:
    """A reader with what each frame cost."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.cpu_ms: list[float] = []

    def codes(self, frame: Frame, tracks: Sequence[Track]) -> tuple[Read, ...]:
        began = time.thread_time()
        read = self._reader.codes(frame, tracks)
        self.cpu_ms.append(1e3 * (time.thread_time() - began))
        assert not read
        return read


def _blank(carton: Carton) -> Carton:
    return replace(carton, count=0, sscc="")
