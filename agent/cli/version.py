"""`spotter version`: what is installed."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

from agent import __version__
from agent.cli.options import add_json, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs

LIBRARIES = ("ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless", "paho-mqtt", "usearch")


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs, "version", "show the version of Spotter and of what it stands on", "spotter version --json", do
    )
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """Print versions."""
    found = {"spotter": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    if args.json:
        print_json(found)
    else:
        for name, version in found.items():
            print(f"{name:24} {version}")
    return 0
