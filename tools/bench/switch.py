"""What a camera at full speed notices while a release is tried, opened and gone over to.

Two releases of random vectors are drawn, each with 16 probes; the second brings another model. The recognise
loop gets a frame whenever a camera of that speed would have one, while the two are tried, opened and adopted
in turn, as the sync thread does it. A frame is dropped when the next one comes before it was taken. The pause
is how much longer than the median the longest time from a frame to its answer was.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.adapters.catalogue import read_manifest, write_manifest, write_model_files, write_probes
from agent.adapters.embedder import EmbedderSettings, load_embedder, read_model
from agent.adapters.images import decode_image, encode_jpeg
from agent.adapters.system import SystemClock
from agent.adapters.vectors import codes_of
from agent.apps.watch import Watch
from agent.benching import VIEWS, drawn_catalogue, drawn_picture
from agent.channel import Latest
from agent.core.changes import ChangeSettings
from agent.core.evidence import DecisionSettings
from agent.core.probes import Probe, Probes
from agent.core.regions import FixedRegions, GridSettings, RegionSettings, kept_centre, propose
from agent.core.tracking import TrackingSettings
from agent.core.types import Frame
from agent.core.wire import Wire
from agent.metrics import Metrics
from agent.parts import PROBE_REST_S
from agent.pipeline import Pipeline
from agent.recognising import Recogniser
from agent.sight import open_folder, try_folder
from agent.viewing import CameraPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.capturing import Lost
    from agent.core.types import Recognition

PROBES = 16
PICTURES = 8
GRID = GridSettings(rows=2, columns=2)
LOAD = 0.7
"""Share of the time between two frames that looking at one takes. At 1 the camera is as fast as recognising:
some frames are dropped anyway then, and what counts is how many more while it switches."""


class _Timed(Pipeline):
    """Remembers how old each frame was when its answer was there."""

    def __init__(self, clock: SystemClock, *parts: Any) -> None:
        super().__init__(*parts)
        self.ages_s: list[float] = []
        self._clock = clock

    def step(self, frame: Frame) -> tuple[Recognition, ...]:
        """As it is, timed."""
        told = super().step(frame)
        self.ages_s.append(self._clock.monotonic() - frame.at)
        return told


class _Nowhere:
    def put(self, messages: object) -> None:
        """Takes every fact."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Draw both, then switch between them while a camera runs."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench switch", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the device's model")
    parser.add_argument("--other", type=Path, required=True, help="the model that the second release brings")
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--switches", type=int, default=10)
    parser.add_argument(
        "--load", type=float, default=LOAD, help="1: frames come as fast as they are looked at"
    )
    options = parser.parse_args(argv)
    own = EmbedderSettings(file=str(options.model))
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as folder:
        plain = _release(Path(folder) / "plain", own, options.references, brings=False)
        again = _release(Path(folder) / "again", own, options.references + VIEWS, brings=False)
        other = EmbedderSettings(file=str(options.other))
        bringing = _release(Path(folder) / "bringing", other, options.references, brings=True)
        return {
            "references": options.references,
            "same_model": _switched(own, [plain, again], options.switches, options.load),
            "another_model": _switched(own, [plain, bringing], options.switches, options.load),
        }


def _release(folder: Path, model: EmbedderSettings, references: int, *, brings: bool) -> Path:
    """A drawn catalogue with probes: random pictures, and the answers that this machine gets."""
    eyes = load_embedder(model)
    catalogue = drawn_catalogue(folder, eyes, references)
    probes = []
    for number in range(PROBES):
        picture = encode_jpeg(np.ascontiguousarray(drawn_picture(number)[::10, ::10]), 75)
        pixels = decode_image(picture, "probe")
        row = eyes.embed(pixels, propose(kept_centre(1.0), pixels.shape[1], pixels.shape[0]))
        probe = Probe(picture, codes_of(row).tobytes(), "?", 0.0)
        best = catalogue.nearest(probe.embedding[np.newaxis])[0][0]
        probes.append(replace(probe, sku=catalogue.product(best.product).sku, similarity=best.similarity))
    # The nearest of random vectors are hard to find: of 100,000 a search finds 0.44, of real ones 0.98.
    manifest = replace(
        read_manifest(folder), probes=write_probes(folder, Probes(0.98, 0.002, 0.0, tuple(probes)))
    )
    if brings:
        file, spec = write_model_files(folder, *read_model(model))
        manifest = replace(manifest, model_file=file, model_spec=spec)
    write_manifest(folder, manifest)
    return folder


def _switched(own: EmbedderSettings, folders: list[Path], switches: int, load: float) -> dict[str, Any]:
    clock, mailbox = SystemClock(), Latest[Any]()
    eyes, catalogue = open_folder(folders[0], own)
    plan = CameraPlan(FixedRegions(RegionSettings(mode="grid", grid=GRID)), ChangeSettings(tolerance=-1))
    pipeline = _Timed(clock, eyes, catalogue, {"cam": plan}, DecisionSettings(), TrackingSettings())
    recogniser = Recogniser(
        pipeline, {"cam": Watch()}, mailbox, _Nowhere(), Wire("bench", "bench", "bench").event,
        lambda *_: None, lambda: None, clock, Metrics(),
    )  # fmt: skip
    pictures = [drawn_picture(number) for number in range(PICTURES)]
    loop = threading.Thread(target=recogniser.run, args=(0.1,))
    loop.start()
    try:
        alone = _fed(pipeline, mailbox, pictures, clock, lambda: len(pipeline.ages_s) >= 100, 0.0)
        interval_s = median(alone) / load
        quiet = _fed(pipeline, mailbox, pictures, clock, lambda: len(pipeline.ages_s) >= 300, interval_s)
        before = mailbox.dropped("cam")
        work = _Work(own, folders, switches, recogniser, eyes, clock)
        worker = threading.Thread(target=work.run)
        worker.start()
        busy = _fed(pipeline, mailbox, pictures, clock, lambda: not worker.is_alive(), interval_s)
        worker.join()
    finally:
        clock.stop()
        mailbox.close()
        loop.join()
    return {
        "frame_interval_ms": round(1e3 * interval_s, 2),
        "switches": switches,
        "frames": len(busy),
        "frames_quiet": len(quiet),
        "dropped_quiet": before,
        "dropped_switching": mailbox.dropped("cam") - before,
        "pause_quiet_over_interval": round((max(quiet) - median(quiet)) / interval_s, 3),
        "pause_over_interval": round((max(busy) - median(quiet)) / interval_s, 3),
        "median_busy_over_quiet": round(median(busy) / median(quiet), 3),
        "trial_ms": round(1e3 * median(work.trials_s), 1),
        "open_ms": round(1e3 * median(work.opens_s), 1),
    }


class _Work:
    """What the sync thread does, again and again."""

    def __init__(
        self, own: EmbedderSettings, folders: list[Path], switches: int, recogniser: Recogniser, eyes: Any,
        clock: SystemClock,
    ) -> None:  # fmt: skip
        self._own, self._folders, self._switches = own, folders, switches
        self._recogniser, self._eyes, self._clock = recogniser, eyes, clock
        self.trials_s: list[float] = []
        self.opens_s: list[float] = []

    def run(self) -> None:
        """Try, open and adopt one after the other."""
        for number in range(self._switches):
            folder = self._folders[(number + 1) % len(self._folders)]
            began = self._clock.monotonic()
            try_folder(folder, self._own, self._eyes, lambda: self._clock.wait(PROBE_REST_S))
            tried = self._clock.monotonic()
            self._eyes, catalogue = open_folder(folder, self._own, self._eyes)
            self._recogniser.adopt(catalogue, self._eyes)
            self.trials_s.append(tried - began)
            self.opens_s.append(self._clock.monotonic() - tried)
            self._clock.wait(0.2)


def _fed(
    pipeline: _Timed,
    mailbox: Latest[Frame | Lost],
    pictures: list[Any],
    clock: SystemClock,
    done: Callable[[], bool],
    interval_s: float,
) -> list[float]:
    """Give frames until it is done, every `interval_s` or, for 0, as they are taken; the ages of answers."""
    pipeline.ages_s.clear()
    number, due = 0, clock.monotonic()
    while not done():
        image = pictures[number % len(pictures)]
        mailbox.put(
            "cam", Frame("cam", number, clock.monotonic(), clock.utc(), image), 0.0 if interval_s else 5.0
        )
        number += 1
        if interval_s:
            due += interval_s
            clock.wait(max(0.0, due - clock.monotonic()))
        else:
            taken = len(pipeline.ages_s)
            while len(pipeline.ages_s) == taken and number > taken:
                clock.wait(0.0005)
    return list(pipeline.ages_s)
