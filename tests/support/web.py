"""A device with pages, and a client that says exactly what a test wants said."""

from __future__ import annotations

import csv
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from agent.adapters.web import hash_password
from tests.support.road import ONE_LOOK, Daemon, Road, photos_camera, picture, spotter

PASSWORDS = {"operator": "correct horse", "viewer": "battery staple", "kiosk": "only to find"}
LONG = "An extraordinarily long name of a product that no label on any screen could ever hold in one line"
NAMES = ["Apple juice", "Orange juice", "Tomato soup", "Red lentil soup", "Dark chocolate", LONG]


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def kept(**roles: str) -> dict[str, str]:
    """Role → what the configuration keeps of its password."""
    return {role: hash_password(password) for role, password in (roles or PASSWORDS).items()}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self
        return str(self.json["detail"])


class Client:
    """Asks one server; each question in a connection of its own."""

    def __init__(self, port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.port, self.host, self.tls = port, host, tls

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "",
        witness: bool = True,
        password: str = "",
        cookie: str = "",
        source: str = "",
        **headers: str,
    ) -> Answer:
        """A body makes it a POST: bytes as they are, anything else as JSON. `_` in a header's name is `-`.

        `source`: the address it comes from.
        """
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            said.setdefault("content-type", "application/json")
            if witness:
                said.setdefault("x-spotter", "1")
        if password:
            said["authorization"] = f"Bearer {password}"
        if cookie:
            said["cookie"] = cookie
        kind: Any = http.client.HTTPConnection
        more: dict[str, Any] = {"source_address": (source, 0)} if source else {}
        if self.tls is not None:
            kind, more = http.client.HTTPSConnection, {**more, "context": self.tls}
        connection = kind(self.host, self.port, timeout=120, **more)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, said)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def log_in(self, role: str) -> str:
        """The cookie of a new session."""
        answer = self.ask("/api/login", {"password": PASSWORDS[role]})
        assert answer.status == 200, answer
        return answer.headers["set-cookie"].partition(";")[0]


class Shop:
    """A catalogue of six products, one with a very long name, and photos of them."""

    def __init__(self, folder: Path) -> None:
        self.road = Road(folder)
        products = folder / "products"
        products.mkdir()
        with (products / "products.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["sku", "name", "category", "price", "aisle", "bay"])
            for number, name in enumerate(NAMES):
                table.writerow([f"sku-{number:02d}", name, "food", f"{number}.99", f"{number % 3 + 1}", "B"])
        for number in range(len(NAMES)):
            images = products / "images" / f"sku-{number:02d}"
            images.mkdir(parents=True)
            for view in range(2):
                cv2.imwrite(str(images / f"{view}.png"), picture(number, view))
        done = spotter(
            "catalog", "build", str(products),
            "--model", str(self.road.model), "-o", str(self.road.catalogue), "--jobs", "1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.photos = folder / "photos"
        self.photos.mkdir()
        for number in range(len(NAMES)):
            photo = picture(number, 50 + number, 240)
            cv2.imwrite(str(self.photos / f"{number}.png"), photo)

    def photo(self, number: int) -> bytes:
        """A PNG of a product."""
        return (self.photos / f"{number}.png").read_bytes()


class Site(Client):
    """A running daemon with pages on a free port of this machine, or of all its addresses."""

    def __init__(
        self,
        shop: Shop,
        folder: Path,
        *,
        fps: float = 5,
        broker_port: int = 9,
        allow: tuple[str, ...] = (),
        camera: dict[str, Any] | None = None,
        more: dict[str, Any] | None = None,
        **web: Any,
    ) -> None:
        super().__init__(free_port())
        self.looks = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.shop = shop
        self.folder = folder
        road = shop.road
        settings = road.settings(
            photos_camera(shop.photos, **{"loop": True, "fps": fps, **(camera or {})}),
            decision=ONE_LOOK,
            state_dir=str(folder / "state"),
            mqtt={"url": f"mqtt://127.0.0.1:{broker_port}"},
            web={"port": self.port, **web},
            commands={"allow": list(allow)},
            **(more or {}),
        )
        self.config = folder / "spotter.yaml"
        self.config.write_text(json.dumps(settings))
        self.daemon = Daemon(self.config, folder / "daemon.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> Site:
        """Until it serves and sees."""
        try:
            self.daemon.wait_for("web: http", 60)
            self.daemon.wait_for("camera cam is online", 60)
        except BaseException:
            self.daemon.kill()
            raise
        return self

    def looked_at(self, password: str = "") -> float:
        """Frames so far. Asked from ever another address, as rates are counted for each."""
        self.looks += 1
        source = f"127.1.{self.looks // 250 % 250}.{self.looks % 250 + 1}"
        status = self.ask("/api/status", password=password, source=source).json
        return float(status["figures"].get("frames.recognised.cam", 0))

    def close(self) -> None:
        code = self.daemon.stop()
        text = self.daemon.text()
        assert code == 0, text
        assert "Traceback" not in text, text
