"""`spotter replay`: recorded frames through the exact pipeline, messages as JSON lines.

Times come from the recording, so the same recording, model and catalogue give the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_verb, print_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from agent.apps.inbound import Inbound
    from agent.cli.options import Verbs
    from agent.core.inbound.orders import Products
    from agent.core.types import Event, Frame


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "replay",
        "run a recording through the pipeline and print its messages as JSON lines",
        "spotter replay -c spotter.yaml RECORDING",
        do,
    )
    parser.add_argument(
        "recording", type=Path, metavar="RECORDING", help="directory that `spotter record` wrote"
    )
    add_config(parser)
    parser.add_argument("--camera", metavar="ID", help="treat every frame as from this camera")
    parser.add_argument(
        "--order",
        type=Path,
        metavar="FILE",
        help="shipment (CSV, JSON) that a dock receives from first to last frame",
    )
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the output is always JSON"
    )


def do(args: argparse.Namespace) -> int:
    """Print what a subscriber would have received."""
    from agent.adapters.recording import read_recording
    from agent.applying import make_apps, proposers
    from agent.apps.inbound import Inbound
    from agent.config import load_config
    from agent.core.errors import ConfigError, InputError, UsageError, quoted
    from agent.core.scene import TROUBLE, Scene
    from agent.core.wire import Wire
    from agent.parts import load_eyes, make_pipeline

    settings = load_config(args.config)
    cameras = {camera.id for camera in settings.cameras}
    if args.camera is not None and args.camera not in cameras:
        raise UsageError(
            f"--camera: expected one of {', '.join(sorted(cameras))}, found {quoted(args.camera)}"
        )
    eyes, catalogue = load_eyes(settings)
    apps = make_apps(settings)
    docks = {camera: app for camera, app in apps.items() if args.order and isinstance(app, Inbound)}
    if args.order and not docks:
        raise UsageError("--order: expected a camera with inbound in the configuration, found none")
    pipeline = make_pipeline(settings, eyes, catalogue, proposers=proposers(apps))
    wire = Wire(settings.mqtt.prefix, settings.site, settings.device)

    def tell(events: Sequence[Event]) -> None:
        for event in events:
            if event.kind == TROUBLE:
                continue
            message = wire.event(event)
            print_json(
                {"topic": message.topic, "payload": json.loads(message.payload), "retain": message.retain}
            )

    last = {}
    for recorded in read_recording(args.recording):
        frame = replace(recorded, camera=args.camera) if args.camera else recorded
        if frame.camera not in cameras:
            raise ConfigError(
                f"{args.recording}: expected frames of {', '.join(sorted(cameras))}, found {frame.camera!r}; "
                "name one with --camera"
            )
        if frame.camera in docks and frame.camera not in last:
            tell(_opened(docks[frame.camera], args.order, frame, catalogue))
        last[frame.camera] = frame
        try:
            recognitions = pipeline.step(frame)
        except InputError as error:
            raise ConfigError(f"{args.config}: camera {frame.camera!r}: {error}") from None
        tracks = pipeline.tracks(frame.camera)
        codes = pipeline.codes(frame.camera)
        scene = Scene(frame.camera, frame.at, frame.utc, recognitions, tracks, frame, codes)
        tell(apps[frame.camera].update(scene))
    for camera, frame in last.items():
        scene = Scene(camera, frame.at, frame.utc, pipeline.close(camera, frame.at, frame.utc))
        tell(apps[camera].update(scene))
        if camera in docks and docks[camera].open_session is not None:
            tell(docks[camera].close("", frame.at, frame.utc)[1])
    return 0


def _opened(dock: Inbound, file: Path, frame: Frame, products: Products) -> tuple[Event, ...]:
    """A shipment as a file in the directory of orders opens it."""
    from agent.core.errors import ConfigError, InputError
    from agent.core.inbound.order_files import read_order

    try:
        data = file.read_bytes()
        name = file.stem if file.suffix.lower() == ".csv" else ""
        order = read_order(data, file.name, name, products, strict=dock.settings.strict)
    except (InputError, OSError) as error:
        raise ConfigError(f"--order: {error}") from None
    return dock.open(order, frame.at, frame.utc)[1]
