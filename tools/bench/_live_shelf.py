"""Drawn stories in real time: a network camera and a daemon for each, all heard through one broker."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tools.bench._shelf_device import CAMERA, planogram
from tools.shop_demo.ear import Ear
from tools.shop_demo.processes import DemoError, Program, start_broker
from tools.shop_demo.stream import ShelfCamera

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.shop_demo.ear import Heard
    from tools.synth.stories import Story

FILM_FPS, SEEN_FPS = 2.0, 1.0
"""Twice what the daemons look at, so that they always find a new picture."""

START_S = 120.0
"""Longest time until every daemon has opened its camera."""


@dataclass
class Watched:
    """One story as it was told through the broker, in seconds of its film."""

    story: Story
    camera: ShelfCamera
    daemon: Program
    states: list[dict[str, str]] = field(default_factory=list)  # second by second, slot → state
    facts: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    _now: dict[str, str] = field(default_factory=dict)

    def hear(self, heard: Heard) -> None:
        """A message of this story's device."""
        name = heard.topic.partition(f"/{CAMERA}/")[2]
        if not isinstance(heard.payload, dict):
            return
        if name == "event":
            self.facts.append((round(self.camera.elapsed_s(), 1), heard.payload))
        elif name.startswith("shelf/"):
            self._now[name.removeprefix("shelf/")] = str(heard.payload["state"])

    def tick(self) -> None:
        """Note what is told now for each second that has begun."""
        while len(self.states) < min(self.camera.elapsed_s(), self.story.seconds):
            self.states.append(dict(self._now))


def watch(stories: Sequence[Story], model: str, catalogues: Mapping[str, Path]) -> list[Watched]:
    """All at once, until the longest is over.

    Raises:
        DemoError: the broker or a daemon does not start, or a daemon ends.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spotter-bench-")))
        broker, port = start_broker(folder)
        stack.callback(broker.stop)
        ear = stack.enter_context(Ear(port, "spotter/#"))
        watched = {}
        for number, story in enumerate(stories):
            camera = stack.enter_context(ShelfCamera(story.script, FILM_FPS))
            device = f"story-{number}"
            config = folder / f"{device}.yaml"
            settings = {
                **_settings(story, model, catalogues[story.name], camera),
                "device": device,
                "state_dir": str(folder / device),
                "mqtt": {"url": f"mqtt://127.0.0.1:{port}", "prefix": "spotter"},
            }
            config.write_text(yaml.safe_dump(settings))
            daemon = Program(
                device, [sys.executable, "-m", "agent", "run", "-c", str(config)], folder / f"{device}.log"
            )
            stack.callback(daemon.stop)
            watched[device] = Watched(story, camera, daemon)
        _listen(ear, watched)
        return list(watched.values())


def _listen(ear: Ear, watched: Mapping[str, Watched]) -> None:
    late = time.monotonic() + START_S
    while any(len(each.states) < each.story.seconds for each in watched.values()):
        if heard := ear.next(0.05):
            _, _, device, *_ = heard.topic.split("/")
            watched[device].hear(heard)
        for each in watched.values():
            each.tick()
            stuck = time.monotonic() > late and not each.states
            if each.daemon.ended or stuck:
                what = "never opened its camera" if stuck else "ended"
                raise DemoError(f"the daemon of {each.story.name!r} {what}:\n{each.daemon.last_lines()}")


def _settings(story: Story, model: str, catalogue: Path, camera: ShelfCamera) -> dict[str, Any]:
    plan = planogram(story.script.bay, story.plan, story.script.looks)
    return {
        "site": "bench",
        "model": {"file": str(Path(model).resolve()), "threads": 1},
        "catalogue": {"path": str(catalogue.resolve())},
        "cameras": [{"id": CAMERA, "source": camera.url, "fps": SEEN_FPS, "shelf": {"plan": plan}}],
    }
