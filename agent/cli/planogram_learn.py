"""`spotter planogram learn`, `empty` and `accept`: what is done where a shelf's camera hangs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.cli.options import add_config, add_verb, chosen_camera, complain

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.config import CameraEntry, Settings
    from agent.core.types import Frame

PICTURES: Final = 5
"""Of which the median is taken: noise and who walks past leave no trace."""

ANSWER_S: Final = 10.0
"""The daemon looks twice a second for what it is asked."""

PATIENCE_S: Final = 30.0
"""A camera that shows nothing for so long is broken or not there."""


def add(inner: Verbs) -> None:
    """Describe the verbs, below `planogram`."""
    learned = add_verb(
        inner,
        "learn",
        "draft a planogram from what a camera sees now, for you to correct",
        "spotter planogram learn -c spotter.yaml --camera bay-4 -o planogram.yaml",
        do_learn,
    )
    _add_source(learned)
    learned.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the YAML file to write"
    )
    empty = add_verb(
        inner,
        "empty",
        "take the picture by which empty slots are known, while nothing is in them",
        "spotter planogram empty -c spotter.yaml --camera bay-4 -o empty.png",
        do_empty,
    )
    _add_source(empty)
    empty.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the PNG file to write"
    )
    accepted = add_verb(
        inner,
        "accept",
        "let a camera stay where it was moved to: its slots are where it shows them now",
        "spotter planogram accept -c spotter.yaml --camera bay-4",
        do_accept,
    )
    add_config(accepted)
    accepted.add_argument("--camera", metavar="ID", help="which camera (default: the only one with a shelf)")


def do_learn(args: argparse.Namespace) -> int:
    """Look, recognise, check as the daemon will, and write."""
    from agent.adapters.durable import write_whole
    from agent.cli.options import Progress
    from agent.config import load_config
    from agent.core.errors import InputError
    from agent.core.planogram import Planogram
    from agent.drafting import as_yaml, drafted
    from agent.parts import load_eyes
    from agent.settings_fill import fill
    from agent.yamlfile import parse_yaml

    settings = load_config(args.config)
    camera = chosen_camera(settings, args.camera)
    frame = _seen(args, settings, camera)
    eyes, catalogue = load_eyes(settings)
    try:
        slots = drafted(frame.image, eyes, catalogue, Progress("candidates"))
    except InputError as error:
        raise InputError(f"{args.image or camera.source}: {error}") from None
    text = as_yaml(camera.id, slots)
    document = parse_yaml(text.encode(), str(args.output), len(text.encode()))
    fill(document, Planogram, {}).cells(frame.width, frame.height)
    write_whole(args.output, text.encode())
    unsure = sum(bool(each.others) for each in slots)
    complain(f"{args.output}: {len(slots)} slots, {unsure} of them unsure: check them, then name the file in "
             "shelf.planogram")  # fmt: skip
    return 0


def do_empty(args: argparse.Namespace) -> int:
    """Look, say in which slots something stands all the same, and write."""
    from agent.adapters.durable import write_whole
    from agent.adapters.images import encode_png
    from agent.config import load_config
    from agent.core.errors import UsageError
    from agent.drafting import not_empty
    from agent.parts import load_eyes

    if args.output.suffix.lower() != ".png":
        raise UsageError(f"-o: expected a .png file, found {args.output.name}")
    settings = load_config(args.config)
    camera = chosen_camera(settings, args.camera)
    frame = _seen(args, settings, camera)
    if camera.shelf is not None and camera.shelf.plan is not None:
        for slot, sku in not_empty(frame, camera.shelf.plan, *load_eyes(settings)):
            complain(f"slot {slot}: expected nothing in it, found {sku}: take it out, and the picture again")
    write_whole(args.output, encode_png(frame.image))
    complain(f"{args.output}: name it in shelf.empty of camera {camera.id}")
    return 0


def do_accept(args: argparse.Namespace) -> int:
    """Ask the daemon, over the disk."""
    import json
    from contextlib import suppress

    from agent.adapters.durable import write_whole
    from agent.adapters.system import SystemClock
    from agent.config import load_config
    from agent.core.errors import DeviceError, InputError
    from agent.shelving import ANSWER, REQUEST
    from agent.state import check_user

    state, clock = Path(load_config(args.config).state_dir), SystemClock()
    check_user(state)
    (state / ANSWER).unlink(missing_ok=True)
    write_whole(state / REQUEST, (args.camera or "").encode())
    until = clock.monotonic() + ANSWER_S
    while not (state / ANSWER).exists():
        if clock.monotonic() > until:
            (state / REQUEST).unlink(missing_ok=True)
            raise DeviceError(f"expected a running daemon with the state directory {state}, found none")
        clock.wait(0.2)
    answer = json.loads((state / ANSWER).read_bytes())
    with suppress(OSError):
        (state / ANSWER).unlink()
    if answer["error"]:
        raise InputError(answer["error"])
    complain(f"camera {answer['camera']}: its slots lie up to {answer['moved_px']:g} px from before")
    return 0


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image", nargs="?", type=Path, metavar="IMAGE", help="a picture of the camera, in place of a new one"
    )
    add_config(parser)
    parser.add_argument("--camera", metavar="ID", help="which camera (default: the first)")


def _seen(args: argparse.Namespace, settings: Settings, camera: CameraEntry) -> Frame:
    """What the camera shows, with its masks and whoever is in the picture blurred: it may be kept."""
    from itertools import islice

    import numpy as np

    from agent.adapters.camera import open_camera
    from agent.adapters.images import read_image
    from agent.adapters.system import SystemClock
    from agent.cli.record import Until
    from agent.core.errors import InputError
    from agent.core.privacy import Veil
    from agent.core.types import Frame
    from agent.people import make_finder

    veil = Veil({camera.id: camera.privacy}, make_finder(settings.privacy))
    if args.image is not None:
        return veil.over(Frame(camera.id, 0, 0.0, 0.0, read_image(args.image)))
    opened = open_camera(camera, Until(SystemClock(), PATIENCE_S))
    shown = [frame.image for frame in islice(opened.frames(), PICTURES)]
    if not shown:
        raise InputError(f"camera {camera.id!r}: expected pictures within {PATIENCE_S:g} s, found none")
    same = [image for image in shown if image.shape == shown[-1].shape]
    picture = np.median(np.stack(same), axis=0).astype(np.uint8)
    return veil.over(Frame(camera.id, 0, 0.0, 0.0, picture))
