"""The demo from its first step to its exit code. Run it by `tools/demo`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tools.shop_demo import props, report
from tools.shop_demo.ear import Ear, Heard
from tools.shop_demo.processes import DemoError, Program, free_port, start_broker
from tools.shop_demo.stream import ShelfCamera
from tools.synth.scenes import Bay
from tools.synth.script import eventful

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.synth.script import Script

FIRST_S = 60.0
"""How long the first recognition may take: the agent starts, opens the camera and warms up meanwhile."""

BEGIN_S = 8.0
"""Seconds of film in which the shelf is as planned: one sees it named before anything changes."""

FAREWELL_S = 2.0
"""How long the end listens for `offline`, the last thing that the agent says."""


def main(argv: Sequence[str] | None = None) -> int:
    """0 when recognitions arrived through the broker, else 1."""
    args = _arguments(argv)
    told = Told()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told.stop)
    try:
        with tempfile.TemporaryDirectory(prefix="spotter-demo-") as folder:
            return Demo(Path(folder), args.seed, told, as_json=args.json).run(args.seconds)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/demo",
        description="A drawn shelf is filmed, recognised by the real agent, and told through a real broker, "
        "all on this machine. Prints what a subscriber hears.",
        epilog="example: tools/demo --seconds 20 --json",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        metavar="S",
        help="stop S seconds after the first recognition (default: Ctrl-C)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each message")
    parser.add_argument("--seed", type=int, default=3, metavar="N", help="draw another shop (default: 3)")
    return parser.parse_args(argv)


def _positive(words: str) -> float:
    value = float(words)
    if not 0.0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, found {words}")
    return value


class Told:
    """Whether to stop. No event: a signal's handler that takes its lock may wait for itself."""

    def __init__(self) -> None:
        self.to_stop = False

    def stop(self, *_: object) -> None:
        """For `signal.signal`."""
        self.to_stop = True


class Demo:
    """One run in one temporary folder."""

    def __init__(self, folder: Path, seed: int, told: Told, *, as_json: bool) -> None:
        self._folder = folder
        self._told = told
        self._json = as_json
        self._bay = Bay(seed=abs(seed))
        self._board = report.Scoreboard(props.sku_of)

    def run(self, seconds: float | None) -> int:
        """Build, start, listen, stop, judge; the exit code.

        Raises:
            DemoError: something that it needs is missing or does not start.
        """
        model = props.find_model(self._folder)
        catalogue = self._build_catalogue(model)
        if catalogue is None:
            return 1
        script = eventful(self._bay, len(self._bay.slots), BEGIN_S)
        broker, port = start_broker(self._folder)
        try:
            with Ear(port, "spotter/#") as ear, ShelfCamera(script) as camera:
                config, web_port = self._folder / "spotter.yaml", free_port()
                props.write_config(
                    config,
                    bay=self._bay,
                    model=model,
                    catalogue=catalogue,
                    stream_url=camera.url,
                    broker_port=port,
                    web_port=web_port,
                )
                self._say(f"what the agent sees: http://127.0.0.1:{web_port}/")
                agent = self._agent("agent", "run", "-c", str(config))
                try:
                    self._listen(ear, agent, seconds)
                    at_s = camera.elapsed_s()
                    ended_early = agent.ended
                finally:
                    agent.stop()
                self._hear_farewell(ear)
            return self._sum_up(script, at_s, agent, ended_early=ended_early)
        finally:
            broker.stop()

    def _build_catalogue(self, model: Path) -> Path | None:
        """Products drawn, pictures embedded by `spotter catalog build`; None when told to stop meanwhile."""
        products, catalogue = self._folder / "products", self._folder / "catalogue"
        products.mkdir()
        count = len(self._bay.slots)
        self._say(f"drawing {count} products and building their catalogue with {model.name}")
        props.write_products(products, self._bay.seed, count)
        build = self._agent(
            "build", "catalog", "build", str(products), "--model", str(model), "-o", str(catalogue)
        )
        code = build.wait(lambda: self._told.to_stop)
        build.stop()
        if code is None:
            return None
        if code != 0:
            raise DemoError(f"`spotter catalog build` failed with exit code {code}:\n{build.last_lines()}")
        return catalogue

    def _agent(self, name: str, *words: str) -> Program:
        return Program(name, [sys.executable, "-m", "agent", *words], self._folder / f"{name}.log")

    def _listen(self, ear: Ear, agent: Program, seconds: float | None) -> None:
        """Show what arrives until the time is over, a signal comes or the agent ends.

        A slow machine starts slowly: the seconds count from the first recognition.
        """
        self._say(
            "the agent watches the shelf" + ("; Ctrl-C ends it" if seconds is None else f" for {seconds:g} s")
        )
        end = None if seconds is None else time.monotonic() + FIRST_S
        counting = False
        while not self._told.to_stop and not agent.ended and (end is None or time.monotonic() < end):
            self._show(ear.next(0.1))
            if seconds is not None and not counting and self._board.recognitions:
                counting, end = True, time.monotonic() + seconds
        while (heard := ear.next(0.0)) is not None:
            self._show(heard)

    def _hear_farewell(self, ear: Ear) -> None:
        """What is said while stopping is shown and not judged."""
        end = time.monotonic() + FAREWELL_S
        while time.monotonic() < end:
            heard = ear.next(0.1)
            if heard is not None:
                self._print(heard)
                if heard.topic.endswith("/availability") and heard.payload == "offline":
                    return

    def _show(self, heard: Heard | None) -> None:
        if heard is not None:
            self._board.hear(heard)
            self._print(heard)

    def _print(self, heard: Heard) -> None:
        if self._json:
            print(json.dumps(asdict(heard), ensure_ascii=False), flush=True)
        else:
            print(report.line(heard, time.strftime("%H:%M:%S")), flush=True)

    def _sum_up(self, script: Script, at_s: float, agent: Program, *, ended_early: bool) -> int:
        if ended_early or not self._board.recognitions:
            what = (
                f"the agent ended with exit code {agent.exit_code}"
                if ended_early
                else "no recognition arrived"
            )
            self._say(f"{what}; its last words:\n{agent.last_lines()}")
            return 1
        judgement = self._board.judge(script, at_s)
        self._say(f"{self._board.recognitions} recognitions through the broker; {judgement.text}")
        for words in judgement.wrong:
            self._say(f"  {words}")
        return 0

    def _say(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
