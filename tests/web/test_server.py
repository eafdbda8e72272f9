"""The life of the server: it is loaded where it is wanted, waits for its address, and speaks TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.system import SystemClock
from agent.adapters.web import Asker, Note, WebSettings
from agent.adapters.web.server import WebServer
from agent.core.errors import ConfigError
from agent.core.settings import Secret
from tests.support.certificates import make_certificates
from tests.support.road import until
from tests.support.web import PASSWORDS, Client, free_port, kept


class Quiet:
    """A device on which nothing happens."""

    def do(self, operation: str, arguments: Any, asker: Asker) -> Any:
        return {"operation": operation}

    def follow(self, hear: Any) -> Any:
        return lambda: None

    def tick(self) -> list[Note]:
        return []

    def metrics(self) -> str:
        return ""

    def unready(self) -> str:
        return "there is no catalogue yet"


@contextmanager
def serving(settings: WebSettings, state: Path, reports: list[str]) -> Iterator[None]:
    clock = SystemClock()
    server = WebServer(settings, Quiet(), state, clock, reports.append)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        clock.stop()
        thread.join(10)
        assert not thread.is_alive()


def test_nothing_of_it_is_loaded_without_a_web_section() -> None:
    code = (
        "import sys, agent.daemon; print([m for m in ('uvicorn', 'starlette', 'anyio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_address_that_another_program_holds_is_said_and_waited_for(tmp_path: Path) -> None:
    port, reports = free_port(), []  # type: ignore[var-annotated]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with serving(WebSettings(port=port), tmp_path, reports):
            until(lambda: reports, 10)
            assert reports == [f"127.0.0.1:{port}: cannot be listened on: Address already in use"]
            other.close()
            until(lambda: reports[-1] == "", 10)
            assert Client(port).ask("/healthz").status == 200
            answer = Client(port).ask("/readyz")
            assert (answer.status, answer.body) == (503, b"not ready\n")


def test_an_address_of_another_machine_is_said(tmp_path: Path) -> None:
    reports: list[str] = []
    settings = WebSettings(
        host="192.0.2.250", port=free_port(), viewer=Secret(kept(viewer="12345678")["viewer"])
    )
    with serving(settings, tmp_path, reports):
        until(lambda: reports, 10)
        assert "cannot be listened on" in reports[0]


def test_ipv6_is_spoken(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
            port = sock.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    reports: list[str] = []
    with serving(WebSettings(host="::1", port=port), tmp_path, reports):
        until(lambda: reports == [""], 10)
        assert Client(port, "::1").ask("/api/session").json["role"] == "operator"


def test_over_tls_the_cookie_is_for_tls_alone(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    port, reports = free_port(), []  # type: ignore[var-annotated]
    settings = WebSettings(
        port=port,
        cert=str(certificates / "server.pem"),
        key=str(certificates / "server.key"),
        viewer=Secret(kept(viewer=PASSWORDS["viewer"])["viewer"]),
    )
    with serving(settings, tmp_path, reports):
        until(lambda: reports == [""], 10)
        trust = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        client = Client(port, "127.0.0.1", trust)
        said = client.ask("/api/login", {"password": PASSWORDS["viewer"]}).headers["set-cookie"]
        assert said.startswith("__Host-spotter=")
        assert "; Secure" in said
        assert client.ask("/api/session", cookie=said.partition(";")[0]).json["role"] == "viewer"
        with pytest.raises((ConnectionError, OSError)):
            Client(port).ask("/healthz")  # without TLS


def test_a_certificate_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    settings = WebSettings(port=free_port(), cert=str(tmp_path / "cert.pem"))
    with pytest.raises(ConfigError, match=r"web\.cert: .*cert\.pem: cannot be used"):
        WebServer(settings, Quiet(), tmp_path, SystemClock())
    settings = WebSettings(port=free_port(), cert=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"web\.cert: .*none\.pem: cannot be used"):
        WebServer(settings, Quiet(), tmp_path, SystemClock())
