"""`spotter record`: frames of the configured cameras to disk, for `spotter replay`."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_verb, check_argument, chosen_camera

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.core.clock import Clock


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "record",
        "write the frames of one camera to disk",
        "spotter record -c spotter.yaml --camera shelf-1 --seconds 60 OUT",
        do,
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="directory to make; one that holds a recording is refused"
    )
    add_config(parser)
    parser.add_argument("--camera", metavar="ID", help="which camera (default: the first)")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds (default: Ctrl-C)")
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N frames")
    parser.add_argument(
        "--lossless", action="store_true", help="PNG instead of JPEG: 5 to 10 times the bytes"
    )


def do(args: argparse.Namespace) -> int:
    """Record until the camera ends, the time is over, or Ctrl-C."""
    from agent.adapters.camera import open_camera
    from agent.adapters.recording import RecordingWriter
    from agent.adapters.system import SystemClock
    from agent.config import load_config
    from agent.core.errors import InputError
    from agent.core.privacy import Veil
    from agent.people import make_finder

    if args.seconds is not None:
        check_argument("--seconds", args.seconds, 0.1, 604_800)
    if args.frames is not None:
        check_argument("--frames", args.frames, 1, 1_000_000_000)
    settings = load_config(args.config)
    camera = chosen_camera(settings, args.camera)
    _refuse_recording(args.out)
    veil = Veil({camera.id: camera.privacy}, make_finder(settings.privacy))
    clock = Until(SystemClock(), args.seconds)
    written = 0
    why = "the camera showed nothing"
    with RecordingWriter(args.out, lossless=args.lossless) as writer:
        try:
            for seen in open_camera(camera, clock).frames():
                frame = veil.over(seen)
                # As in the daemon: nothing that was seen before belongs with the first picture.
                if not writer.write(replace(frame, cut=True) if written == 0 else frame):
                    why = "the recording is full"
                    break
                written += 1
                if written == args.frames or clock.wait(0.0):
                    break
        except KeyboardInterrupt:
            why = "it was interrupted"
    if not written:
        raise InputError(f"{args.out}: expected frames of camera {camera.id!r}, found none: {why}")
    print(f"{written} frames in {args.out}", file=sys.stderr)
    return 0


def _refuse_recording(out: Path) -> None:
    """One recording in one directory: the times of two would not follow each other."""
    from agent.adapters.recording import INDEX
    from agent.core.errors import UsageError

    try:
        size = (out / INDEX).stat().st_size
    except OSError:
        return  # none there, or nothing to write to: the writer says which
    if size:
        raise UsageError(f"{out}: expected a directory without a recording, found one")


class Until:
    """A clock that tells the camera to stop when the time is over, whatever it is waiting for."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._end = math.inf if seconds is None else clock.monotonic() + seconds

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def utc(self) -> float:
        return self._clock.utc()

    def wait(self, seconds: float) -> bool:
        left = self._end - self._clock.monotonic()
        return self._clock.wait(max(0.0, min(seconds, left))) or self._clock.monotonic() >= self._end
