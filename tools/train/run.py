"""One training run: batches made beside the training, checkpoints, resume, progress with an estimate."""

from __future__ import annotations

import copy
import csv
import queue
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from tools.train.augment import Camera
from tools.train.loss import MarginLoss

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.train.data import Sampler
    from tools.train.network import Network

MEAN = STD = 127.5
"""Pixels become (p - 127.5) / 127.5, as MobileNetV1 was trained by its makers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long, how large, how fast."""

    pictures: int
    sides: tuple[tuple[float, int], ...] = ((0.4, 128), (0.75, 160), (1.0, 192))
    """(up to this share of the run, px): most of what is learned is learned as well from small pictures."""
    batch: int = 64
    rate: float = 1e-3
    head_factor: float = 3.0
    weight_decay: float = 0.02
    warm_up: float = 0.06  # share of the run
    average: float = 0.998  # of the weights, per step
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return max(1, self.pictures // self.batch)

    def side(self, step: int) -> int:
        """Pixels across at a step."""
        return next(side for share, side in self.sides if step < share * self.steps or share == 1.0)

    def pace(self, step: int) -> float:
        """Learning rate at a step as a share of the highest: up in a line, down in half a cosine."""
        done = step / self.steps
        if done < self.warm_up:
            return 0.05 + 0.95 * done / self.warm_up
        return 0.5 + 0.5 * float(np.cos(np.pi * (done - self.warm_up) / (1 - self.warm_up)))


def tensor_of(pictures: list[np.ndarray]) -> torch.Tensor:
    """uint8 BGR squares → `(N, 3, H, W)` float32 RGB in -1..1, channels last in memory."""
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(pictures)[..., ::-1]))
    return ((stacked.float() - MEAN) / STD).permute(0, 3, 1, 2)


def batches(sampler: Sampler, schedule: Schedule, first: int, stop: threading.Event) -> Iterator[tuple]:
    """(step, pictures, labels) of all steps from `first` on, made in a thread of its own."""
    ready: queue.Queue = queue.Queue(maxsize=4)
    camera = Camera(schedule.seed)

    def make() -> None:
        for step in range(first, schedule.steps):
            chosen, labels, rng = sampler.batch(step, schedule.batch)
            side = schedule.side(step)
            seen = [camera.take(picture, side, rng, least=group.least, studio=group.studio) for picture, group in chosen]
            item = (step, tensor_of(seen), torch.from_numpy(labels))
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.5)
                    break
                except queue.Full:
                    continue
            if stop.is_set():
                return

    threading.Thread(target=make, daemon=True, name="batches").start()
    for _ in range(first, schedule.steps):
        yield ready.get()


def train(network: Network, sampler: Sampler, schedule: Schedule, folder: Path, device: str = "cpu") -> Network:
    """Train, or go on where `folder` says; the averaged network."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(schedule.seed)
    network = network.to(device=device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).requires_grad_(False)
    loss_of = MarginLoss(len(sampler.classes), network.dimension).to(device)
    slow = [p for p in network.steps.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim == 1]
    fast = [network.head.weight, loss_of.centres]
    optimiser = torch.optim.AdamW(
        [
            {"params": slow, "factor": 1.0, "weight_decay": schedule.weight_decay},
            {"params": plain, "factor": 1.0, "weight_decay": 0.0},
            {"params": fast, "factor": schedule.head_factor, "weight_decay": schedule.weight_decay},
        ],
        lr=schedule.rate,
    )
    first, checkpoint, log = 0, folder / "checkpoint.pt", folder / "log.csv"
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        loss_of.load_state_dict(state["loss"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    if first == 0:
        with log.open("w", newline="") as file:
            csv.writer(file).writerow(["step", "pictures", "side_px", "rate", "loss", "right"])
    began, sums = time.monotonic(), np.zeros(3)
    stop = threading.Event()
    saved = began
    try:
        for step, pictures, labels in batches(sampler, schedule, first, stop):
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate * group["factor"] * schedule.pace(step)
            pictures, labels = pictures.to(device), labels.to(device)
            with torch.autocast(device, torch.bfloat16, enabled=BF16):
                embeddings = network(pictures)
            loss = loss_of(embeddings, labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            with torch.no_grad():
                decay = min(schedule.average, (1 + step) / (10 + step))
                for kept, now in zip(average.parameters(), network.parameters(), strict=True):
                    kept.lerp_(now, 1 - decay)
                cosine = torch.nn.functional.normalize(embeddings.float()) @ torch.nn.functional.normalize(
                    loss_of.centres
                ).T
                sums += (loss.item(), (cosine.argmax(1) == labels).float().mean().item(), 1)
            last = step + 1 == schedule.steps
            if (step + 1) % 50 == 0 or last:
                taken = time.monotonic() - began
                done = step + 1 - first
                left = taken / done * (schedule.steps - step - 1)
                with log.open("a", newline="") as file:
                    row = [step + 1, (step + 1) * schedule.batch, schedule.side(step)]
                    csv.writer(file).writerow(
                        [*row, f"{optimiser.param_groups[0]['lr']:.2e}", *(f"{v:.4f}" for v in sums[:2] / sums[2])]
                    )
                print(
                    f"step {step + 1}/{schedule.steps}  {schedule.side(step)} px  loss {sums[0] / sums[2]:.3f}  "
                    f"right {sums[1] / sums[2]:.3f}  {done * schedule.batch / taken:.0f} pictures/s  "
                    f"{left / 60:.1f} min left",
                    file=sys.stderr,
                    flush=True,
                )
                sums[:] = 0
            if time.monotonic() - saved > 60 or last:
                saved = time.monotonic()
                state = {
                    "step": step + 1,
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "loss": loss_of.state_dict(),
                    "optimiser": optimiser.state_dict(),
                }
                part = folder / "checkpoint.part"
                torch.save(state, part)
                part.replace(checkpoint)
    finally:
        stop.set()
    return average


BF16 = False
