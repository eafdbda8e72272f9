"""One training run: batches made beside the training, checkpoints, resume, progress with an estimate."""

from __future__ import annotations

import copy
import csv
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tools.train.augment import Camera
from tools.train.distil import Lesson
from tools.train.loss import MarginLoss
from tools.train.network import DEPTHS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.train.data import Sampler
    from tools.train.network import Network
    from tools.train.recipes import Schedule

    Batch = tuple[int, torch.Tensor, torch.Tensor]

HALF = 127.5
"""Pixels become (p - 127.5) / 127.5, as those who made the starting weights did."""

SAVE_S = 60.0
"""Seconds between checkpoints: what an interruption costs at most."""

REPORT = 50
"""Steps between two lines of progress and of the log."""

CLIP = 5.0
"""Longest gradient: a batch of dark or covered pictures must not throw the network."""

AHEAD = 4
"""Batches made ahead of the training: enough to even out that some take longer to make."""


def train(
    network: Network,
    sampler: Sampler,
    schedule: Schedule,
    folder: Path,
    device: str,
    teachers: Sequence[Network] = (),
) -> Network:
    """Train, going on from the checkpoint in `folder` if there is one; the averaged network, on the CPU.

    Teachers have their fitted heads, and are the same when the run goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lesson = None
    if teachers:
        lesson = Lesson(
            network, [each.to(device=device, memory_format=torch.channels_last) for each in teachers]
        )
    state = _State(network, len(sampler.classes), schedule, device, lesson)
    checkpoint, log = folder / "checkpoint.pt", _Log(folder / "log.csv", schedule)
    if checkpoint.is_file():
        state.load(checkpoint)
    log.begin(state.step)
    stop = threading.Event()
    saved = time.monotonic()
    try:
        for step, pictures, labels in _batches(sampler, schedule, state.step, stop):
            log.add(step, *state.learn(step, pictures, labels))
            if time.monotonic() - saved > SAVE_S or step + 1 == schedule.steps:
                state.save(checkpoint)
                saved = time.monotonic()
    finally:
        stop.set()
    trained: Network = state.average.cpu()
    return trained


def tensor_of(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """uint8 BGR squares → `(N, 3, H, W)` float32 RGB in -1..1, channels last in memory."""
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(pictures)[..., ::-1]))
    return ((stacked.float() - HALF) / HALF).permute(0, 3, 1, 2)


class _State:
    """Everything that changes from step to step, and its checkpoint."""

    def __init__(
        self, network: Network, classes: int, schedule: Schedule, device: str, lesson: Lesson | None
    ) -> None:
        torch.manual_seed(schedule.seed)
        self._schedule = schedule
        self._device = device
        self._half = _has_bfloat16(device)
        self._network = network.to(device=device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self._network).requires_grad_(False)
        self._loss = MarginLoss(classes, network.dimension).to(device)
        self._lesson = lesson if lesson is None else lesson.to(device)
        self._optimiser = torch.optim.AdamW(self._groups(), lr=schedule.rate)
        self.step = 0

    def _groups(self) -> list[dict[str, Any]]:
        schedule, network = self._schedule, self._network
        biases = [each for each in network.parameters() if each.ndim == 1]
        kernels = [each for each in network.steps.parameters() if each.ndim > 1]
        fresh = [network.head.weight, self._loss.centres]
        if self._lesson is not None:
            biases.append(self._lesson.linear.bias)
            fresh.append(self._lesson.linear.weight)
        decay = schedule.weight_decay
        return [
            {"params": kernels, "factor": 1.0, "weight_decay": decay},
            {"params": biases, "factor": 1.0, "weight_decay": 0.0},
            {"params": fresh, "factor": schedule.head_factor, "weight_decay": decay},
        ]

    def learn(self, step: int, pictures: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        """One step; the mean loss, and the share of pictures nearest to the centre of their class."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._schedule.rate * group["factor"] * self._schedule.pace(step)
        labels, pictures = labels.to(self._device), pictures.to(self._device)
        with torch.autocast(self._device, torch.bfloat16, enabled=self._half):
            means = self._network.means(pictures, DEPTHS)  # the last is what the head is given
            embeddings = self._network.head(means[-1])
            taught = 0.0 if self._lesson is None else self._lesson(means, pictures)
        loss, right = self._loss(embeddings, labels)
        loss = loss + taught
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), CLIP)
        self._optimiser.step()
        kept = min(self._schedule.average, (1 + step) / (10 + step))  # the first steps are soon forgotten
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self._network.parameters(), strict=True):
                mean.lerp_(now, 1 - kept)
        self.step = step + 1
        return loss.item(), right.item()

    def save(self, path: Path) -> None:
        """Replace the checkpoint by the state now."""
        part = path.with_suffix(".part")
        torch.save({"step": self.step, **{k: v.state_dict() for k, v in self._parts().items()}}, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint of the same recipe."""
        saved = torch.load(path, weights_only=True, map_location=self._device)
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.step = saved["step"]

    def _parts(self) -> dict[str, Any]:
        parts = {
            "network": self._network,
            "average": self.average,
            "loss": self._loss,
            "optimiser": self._optimiser,
        }
        return parts if self._lesson is None else parts | {"lesson": self._lesson}


class _Log:
    """`log.csv`, and progress for whoever watches."""

    def __init__(self, path: Path, schedule: Schedule) -> None:
        self._path = path
        self._schedule = schedule
        self._sums = np.zeros(3)

    def begin(self, step: int) -> None:
        """From `step` on; a new run begins a new file."""
        self._first, self._began = step, time.monotonic()
        if step == 0:
            with self._path.open("w", newline="") as file:
                csv.writer(file).writerow(["step", "pictures", "side_px", "rate", "loss", "right"])

    def add(self, step: int, loss: float, right: float) -> None:
        """What one step gave."""
        self._sums += (loss, right, 1)
        schedule, done = self._schedule, step + 1
        if done % REPORT and done != schedule.steps:
            return
        mean_loss, mean_right, _ = self._sums / self._sums[2]
        self._sums[:] = 0
        rate = schedule.rate * schedule.pace(step)
        row = [done, done * schedule.batch, schedule.side(step), f"{rate:.2e}", f"{mean_loss:.4f}"]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow([*row, f"{mean_right:.4f}"])
        taken = time.monotonic() - self._began
        each = taken / (done - self._first)
        print(
            f"step {done}/{schedule.steps}  {schedule.side(step)} px  loss {mean_loss:.3f}  "
            f"right {mean_right:.3f}  {schedule.batch / each:.0f} pictures/s  "
            f"{each * (schedule.steps - done) / 60:.1f} min left",
            file=sys.stderr,
            flush=True,
        )


def _batches(sampler: Sampler, schedule: Schedule, first: int, stop: threading.Event) -> Iterator[Batch]:
    """All batches from step `first` on, made in a thread of its own."""
    ready: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
    maker = threading.Thread(
        target=_make, args=(sampler, schedule, first, stop, ready), daemon=True, name="batches"
    )
    maker.start()
    for _ in range(first, schedule.steps):
        item = ready.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def _make(
    sampler: Sampler,
    schedule: Schedule,
    first: int,
    stop: threading.Event,
    ready: queue.Queue[Batch | BaseException],
) -> None:
    camera = Camera(schedule.seed)
    try:
        for step in range(first, schedule.steps):
            side = schedule.side(step)
            chosen, labels, rng = sampler.batch(step, schedule.batch)
            taken = [
                camera.take(picture, side, rng, least=group.least, studio=group.studio)
                for picture, group in chosen
            ]
            if not _hand_over((step, tensor_of(taken), torch.from_numpy(labels)), ready, stop):
                return
    except BaseException as error:  # noqa: BLE001 - raised again where the batches are taken
        _hand_over(error, ready, stop)


def _hand_over(item: Any, ready: queue.Queue[Any], stop: threading.Event) -> bool:
    """Wait for room; False when told to stop meanwhile."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.5)
            return True
        except queue.Full:
            continue
    return False


def _has_bfloat16(device: str) -> bool:
    """Whether the device computes with 16-bit floats: 1.3 times as fast, on a CPU too."""
    if device == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - there is no public name
    return bool(torch.cuda.is_bf16_supported())
