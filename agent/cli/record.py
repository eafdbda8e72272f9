"""`spotter record`: frames of the configured cameras to disk, for `spotter replay`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_verb

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs


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
        "out", type=Path, metavar="OUT", help="directory of the recording; must not hold one already"
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
    from agent.core.errors import UsageError

    settings = load_config(args.config)
    by_id = {camera.id: camera for camera in settings.cameras}
    wanted = args.camera or settings.cameras[0].id
    if wanted not in by_id:
        raise UsageError(f"--camera: expected one of {', '.join(by_id)}, found {wanted!r}")
    clock = SystemClock()
    written = 0
    began = clock.monotonic()
    with RecordingWriter(args.out, lossless=args.lossless) as writer:
        try:
            for frame in open_camera(by_id[wanted], clock).frames():
                if args.seconds is not None and frame.at - began > args.seconds:
                    break
                if not writer.write(frame):
                    print("the recording is full", file=sys.stderr)
                    break
                written += 1
                if args.frames is not None and written >= args.frames:
                    break
        except KeyboardInterrupt:
            pass
    print(f"{written} frames in {args.out}", file=sys.stderr)
    return 0 if written else 1
