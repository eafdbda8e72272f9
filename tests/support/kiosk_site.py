"""A kiosk in a shop: a daemon with a drawn camera, before which tests have products held up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.road import ROOT, Daemon, spotter
from tests.support.web import LONG, Client, free_port, kept
from tools.kiosk_demo import props
from tools.kiosk_demo.camera import KioskCamera
from tools.synth.designs import Design, design
from tools.synth.visit import Visit

PASSWORD = "head of the shop"
STRANGER = design(42)
"""A product that the catalogue lacks, and that resembles none of it."""

TWINS = {"TWIN-1": "A twin of another product", "TWIN-2": "The other twin of it"}

EXTRA = {"description": "", "brand": "", "category": "", "price": "", "aisle": "", "bay": "", "tags": ""}
WITHOUT_PICTURES = (
    {**EXTRA, "sku": "LONG-1", "name": LONG, "brand": LONG, "price": "1234567.89", "aisle": "Aisle 3",
     "bay": "B", "description": f"{LONG}. " * 6, "tags": ", ".join([LONG, *map(str, range(20))])},
    {**EXTRA, "sku": "LONG-2", "name": "Donaudampfschifffahrtsgesellschaftskapitänsmützenhalterung" * 2},
    {**EXTRA, "sku": "RTL-1", "name": "زيت زيتون بكر ممتاز", "price": "₪ 39.90", "aisle": "9"},
    {**EXTRA, "sku": "CJK-1", "name": "有机初榨橄榄油五百毫升", "price": "¥58", "aisle": "2", "bay": "C"},
)  # fmt: skip


class KioskSite(Client):
    """The page of this machine may only find; everything else needs the password."""

    def __init__(self, folder: Path, products: int = 10) -> None:
        super().__init__(free_port())
        self.folder = folder
        self.products = props.assortment(products)
        props.write_products(folder / "products", self.products, *WITHOUT_PICTURES)
        subprocess.run(
            [sys.executable, "-m", "agent", "catalog", "build", str(folder / "products"),
             "--model", "models/base.tflite", "-o", str(folder / "catalogue"), "--jobs", "1"],
            cwd=ROOT, check=True, capture_output=True, timeout=400,
        )  # fmt: skip
        self.camera = KioskCamera(self.products[0])
        self.camera.__enter__()
        self.settings = props.settings(
            folder,
            model="models/base.tflite",
            catalogue=folder / "catalogue",
            source=self.camera.url,
            port=self.port,
        )
        self.settings["web"] |= {"local": "kiosk", **kept(operator=PASSWORD)}
        self.settings["cameras"][0]["kiosk"]["idle_s"] = 10
        self.settings["decision"]["false_accept"] = 0.005
        self.config = folder / "spotter.yaml"
        self._write()
        self._teach_twins()
        self.daemon = Daemon(self.config, folder / "daemon.log")
        self.daemon.wait_for("web: http", 60)
        self.daemon.wait_for("camera kiosk is online", 60)

    @property
    def twin(self) -> Design:
        """The product that has twins."""
        return self.products[4]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/kiosk"

    def hold(self, product: Design, *, held: int = 60) -> None:
        """Somebody holds it up from now on, for so many frames at 10 a second."""
        self.camera.show(Visit(product, seed=1, before=0, held=12), held)

    def mood(self) -> str:
        """What it shows. Not asked in a tight loop: how often one may ask is limited."""
        time.sleep(0.3)
        return str(self.ask("/api/kiosks").json["kiosks"][0]["mood"])

    def told(self) -> list[dict[str, Any]]:
        """What the kiosk told over MQTT of late, newest first."""
        time.sleep(0.3)
        events = self.ask("/api/recognitions?limit=200", password=PASSWORD).json["events"]
        return [each["payload"] for each in events if each["topic"].endswith("/kiosk/kiosk")]

    def change(self, **keys: Any) -> None:
        """Have the running daemon take over other settings."""
        self.settings |= keys
        self._write()
        self.daemon.process.send_signal(signal.SIGHUP)

    def close(self) -> None:
        code = self.daemon.stop()
        self.camera.__exit__(None, None, None)
        assert code == 0, self.daemon.text()
        assert "Traceback" not in self.daemon.text(), self.daemon.text()

    def _teach_twins(self) -> None:
        """Products with the pictures of one that there is: which of the three it is, nobody can see."""
        pictures = sorted(map(str, (self.folder / "products" / "images" / props.sku_of(self.twin)).iterdir()))
        for sku, name in TWINS.items():
            done = spotter("enrol", sku, *pictures, "--name", name, "-c", str(self.config))
            assert done.returncode == 0, done.stderr

    def _write(self) -> None:
        self.config.write_text(json.dumps(self.settings))
