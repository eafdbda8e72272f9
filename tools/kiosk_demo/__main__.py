"""The demo of a kiosk: `python -m tools.kiosk_demo`, then look at the page that it names."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import yaml

from tools.kiosk_demo import props
from tools.kiosk_demo.camera import KioskCamera
from tools.synth.designs import design
from tools.synth.visit import Visit

ROOT = Path(__file__).resolve().parents[2]
STRANGER = 42
"""Number of a product that the catalogue lacks."""


def main() -> int:
    """Until Ctrl-C: every so often somebody holds something up."""
    parser = argparse.ArgumentParser(prog="python -m tools.kiosk_demo", description=__doc__)
    parser.add_argument("--products", type=int, default=16, metavar="N")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--pause", type=float, default=12.0, metavar="S", help="seconds between two customers"
    )
    parser.add_argument("--model", default=str(ROOT / "models" / "base.tflite"))
    args = parser.parse_args()
    products = props.assortment(args.products)
    with tempfile.TemporaryDirectory(prefix="spotter-kiosk-") as name, KioskCamera(products[0]) as camera:
        folder = Path(name)
        print(f"drawing {len(products)} products and building their catalogue", file=sys.stderr)
        props.write_products(folder / "products", products)
        _agent(
            "catalog",
            "build",
            str(folder / "products"),
            "--model",
            args.model,
            "-o",
            str(folder / "catalogue"),
        )
        config = folder / "spotter.yaml"
        settings = props.settings(
            folder, model=args.model, catalogue=folder / "catalogue", source=camera.url, port=args.port
        )
        config.write_text(yaml.safe_dump(settings, sort_keys=False))
        agent = subprocess.Popen([sys.executable, "-m", "agent", "run", "-c", str(config)], cwd=ROOT)
        print(f"http://127.0.0.1:{args.port}/kiosk", flush=True)
        try:
            with suppress(KeyboardInterrupt):
                for number, product in enumerate(cycle([*products, design(STRANGER)])):
                    time.sleep(args.pause)
                    if agent.poll() is not None:
                        return 1
                    camera.show(Visit(product, seed=number), 40)
        finally:
            agent.terminate()
            agent.wait(30)
    return 0


def _agent(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "agent", *args], cwd=ROOT, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
