"""Whatever is thrown at the pages: no crash, no defect, and the cameras are looked at as before."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent.adapters.web.protocol import CONNECTIONS, HEAD_S
from agent.core.api.openapi import document
from agent.core.requests import REQUEST_LIMIT_BYTES
from tests.support.road import until
from tests.support.web import Site

EXAMPLES = int(os.environ.get("SPOTTER_WEB_REQUESTS", "300"))
"""Generated requests in all. 10,000 take some minutes."""


@pytest.fixture(autouse=True)
def goes_on(site: Site) -> Iterator[None]:
    """After each attack the device serves, looks at pictures, and has met no defect."""
    yield
    site.ask("/api/commands/resume", {})
    assert site.ask("/healthz").status == 200
    before = site.looked_at()
    until(lambda: site.looked_at() > before, 20, site.daemon.text)
    assert "Traceback" not in site.daemon.text()


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that claims a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg(width: int, height: int, scans: int = 1) -> bytes:
    """A JPEG that claims a size, and has so many scans."""
    frame = (
        b"\xff\xc2\x00\x11\x08"
        + struct.pack(">HH", height, width)
        + b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00"
    )
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    return b"\xff\xd8" + frame + scan * scans + b"\xff\xd9"


def webp(width: int, height: int) -> bytes:
    """A WebP that claims a size."""
    body = (
        b"VP8X"
        + struct.pack("<I", 10)
        + b"\0\0\0\0"
        + struct.pack("<I", width - 1)[:3]
        + struct.pack("<I", height - 1)[:3]
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
PICTURES = {
    "a PNG of 30,000 × 30,000 pixels": (
        "image/png",
        png(30_000, 30_000, zlib.compress(b"\0" * 900_000)),
        400,
    ),
    "a PNG of four milliards on a side": ("image/png", png(2**32 - 1, 2**32 - 1), 400),
    "a PNG without pixels": ("image/png", png(0, 0), 400),
    "a JPEG of 65,535 × 65,535 pixels": ("image/jpeg", jpeg(65_535, 65_535), 400),
    "a JPEG of ten thousand scans": ("image/jpeg", jpeg(4000, 4000, 10_000), 400),
    "a WebP of 16,000,000 × 16,000,000 pixels": ("image/webp", webp(16_000_000, 16_000_000), 400),
    "an SVG that reads files": ("image/svg+xml", SVG, 415),
    "an SVG that says it is a PNG": ("image/png", SVG, 400),
    "a web page that says it is a JPEG": ("image/jpeg", b"<!doctype html><script>", 400),
    "nothing": ("image/png", b"", 400),
    "noise": ("image/jpeg", random.Random(1).randbytes(50_000), 400),
    "a form": ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--", 415),
    "text": ("text/plain", b"{}", 415),
}


@pytest.mark.parametrize(("media", "data", "status"), PICTURES.values(), ids=PICTURES)
def test_a_picture_that_is_none_is_refused_in_a_sentence(
    site: Site, media: str, data: bytes, status: int
) -> None:
    answer = site.ask("/api/find", data, content_type=media)
    assert answer.status == status, answer
    assert "expected" in answer.detail or "damaged" in answer.detail


def test_a_body_that_is_too_large_is_not_read(site: Site) -> None:
    with suppress(ConnectionError):  # it may end before all of it was sent
        answer = site.ask("/api/find", b"x" * (REQUEST_LIMIT_BYTES + 1), content_type="image/png")
        assert answer.status == 413
    said = raw(
        site,
        b"POST /api/find HTTP/1.1\r\nHost: localhost\r\nX-Spotter: 1\r\nContent-Type: image/png\r\n"
        b"Content-Length: 99999999999999999999\r\n\r\n",
    )
    assert b" 413 " in said or b" 400 " in said
    with ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection((site.host, site.port), 20))
        sock.sendall(
            b"POST /api/find HTTP/1.1\r\nHost: localhost\r\nX-Spotter: 1\r\nContent-Type: image/png\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        with suppress(OSError):
            for _ in range(REQUEST_LIMIT_BYTES // 65_536 + 20):
                sock.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        with suppress(OSError):
            assert b" 413 " in sock.recv(4096)


JSON = {
    "no JSON": b"{",
    "a number": b"7",
    "a field twice": b'{"text": "a", "text": "b"}',
    "deep nesting": b"[" * 100_000,
    "a number that is none": b'{"text": "a", "k": NaN}',
    "a huge number": b'{"text": "a", "k": ' + b"9" * 5000 + b"}",
    "bytes that are no UTF-8": b'{"text": "\xff"}',
    "half a surrogate pair": b'{"text": "\\ud800"}',
    "both": b'{"text": "a", "image": "aaaa"}',
    "neither": b"{}",
    "a text that is too long": b'{"text": "' + b"a" * 100_000 + b'"}',
}


@pytest.mark.parametrize("body", JSON.values(), ids=JSON)
def test_json_that_is_wrong_is_refused_in_a_sentence(site: Site, body: bytes) -> None:
    answer = site.ask("/api/find", body)
    assert (answer.status, "expected" in answer.detail) == (400, True), answer


PATHS = [
    "/pages/../server.py",
    "/pages/..%2f..%2fconfig.py",
    "/pages/%2e%2e/%2e%2e/etc/passwd",
    "/pages//etc/passwd",
    "/pages/..\\..\\etc\\passwd",
    "/pages/live.html%00.js",
    "/pages/text/../../../agent/daemon.py",
    "/pages/%c0%ae%c0%ae/etc/passwd",
    "//etc/passwd",
    "/api/products/..%2f..%2fetc%2fpasswd",
    "/api/products/%2e%2e/picture",
    "/api/cameras/..%2fcam/picture",
    "/api/cameras/%00/picture",
    "/api/products?text=%ff",
    "/api/products?text=%00",
    "/api/products?" + "a=b&" * 2000,
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
def test_no_path_leads_out_of_the_pages(site: Site, path: str) -> None:
    answer = site.ask(path)
    assert answer.status in {400, 404}
    assert b"root:" not in answer.body
    assert b"import" not in answer.body


def raw(site: Site, data: bytes, timeout_s: float = 15) -> bytes:
    """What comes back of some bytes until the server ends the connection or says no more."""
    said = b""
    with socket.create_connection((site.host, site.port), timeout_s) as sock, suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while part := sock.recv(65_536):
            said += part
    return said


REQUESTS = {
    "noise": random.Random(2).randbytes(4000),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET /api/status HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "no host in HTTP/1.0": b"GET /api/status HTTP/1.0\r\n\r\n",
    "a head that does not end": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"x" * 100_000,
    "ten thousand headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    "two lengths": b"POST /api/find HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST /api/find HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length below zero": b"POST /api/find HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a name with a line in it": b"GET /x\rHost: evil HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an upgrade": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a method of its own": b"BREW / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "an absolute address": b"GET http://evil.example/api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS)
def test_what_is_no_request_harms_nobody(site: Site, data: bytes) -> None:
    said = raw(site, data)
    assert not said or said.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in said[:40]


@pytest.mark.slow  # it waits for the server's patience to end
def test_whoever_says_nothing_or_little_is_sent_away(site: Site) -> None:
    starts = (b"", b"GET / HTTP/1.1\r\nHost: lo", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
    with ExitStack() as stack:
        socks = []
        for number in range(30):
            sock = stack.enter_context(socket.create_connection((site.host, site.port), 5))
            sock.sendall(starts[number % len(starts)])
            socks.append(sock)
        end = time.monotonic() + HEAD_S + 10
        left = set(socks)
        while left and time.monotonic() < end:
            assert site.ask("/healthz").status == 200  # others are served meanwhile
            for sock in list(left):
                try:
                    sock.setblocking(False)
                    if sock.recv(1) == b"":
                        left.discard(sock)
                        continue
                except BlockingIOError:
                    with suppress(OSError):
                        sock.send(b"x")  # a byte now and then does not help
                except OSError:
                    left.discard(sock)
            time.sleep(0.5)
        assert not left


def test_more_connections_than_there_may_be_are_ended(site: Site) -> None:
    with ExitStack() as stack:
        socks = [
            stack.enter_context(socket.create_connection((site.host, site.port), 5))
            for _ in range(CONNECTIONS + 20)
        ]
        ended = 0
        for sock in socks[CONNECTIONS:]:
            sock.settimeout(5)
            with suppress(TimeoutError):
                try:
                    ended += sock.recv(1) == b""
                except ConnectionResetError:
                    ended += 1
        assert ended >= 20
    until(lambda: _serves(site), 10)


def _serves(site: Site) -> bool:
    try:
        return site.ask("/healthz").status == 200
    except OSError:
        return False


class FromManyAddresses(HTTPAdapter):
    """Each request from another address of the loopback: rates are counted for each."""

    def __init__(self) -> None:
        self._count = 0
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        self._count += 1
        address = (
            f"127.{self._count // 62_500 % 250 + 1}.{self._count // 250 % 250 + 1}.{self._count % 250 + 1}"
        )
        super().init_poolmanager(*args, source_address=(address, 0), **more)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the generator's own
    SCHEMA = schemathesis.openapi.from_dict(document("0"))
    OPERATIONS = [each.ok() for each in SCHEMA.get_all_operations()]

UNASKED = {"/api/events"}
"""It goes on for half an hour."""

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore")
def test_generated_requests_are_answered_as_the_document_says(site: Site) -> None:
    operations = [each for each in OPERATIONS if each.path not in UNASKED]
    for operation in operations:
        quiet = list(HealthCheck)

        @settings(
            max_examples=max(1, EXAMPLES // len(operations)),
            deadline=None,
            database=None,
            suppress_health_check=quiet,
            phases=(hypothesis.Phase.generate,),
        )
        @hypothesis.seed(7)
        @given(case=operation.as_strategy())
        def asked(case: Any) -> None:
            kwargs = case.as_transport_kwargs(base_url=site.url)
            kwargs["headers"] = {**kwargs.get("headers", {}), "x-spotter": "1"}
            kwargs.pop("cookies", None)
            with requests.Session() as session:
                session.mount("http://", FromManyAddresses())
                try:
                    response = session.request(**kwargs, timeout=60, allow_redirects=False)
                except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, UnicodeError):
                    return  # the client itself cannot say it
            if response.status_code not in {405, 503}:
                case.validate_response(response, checks=CHECKS)
            assert response.status_code < 500 or response.status_code == 503, response.text

        asked()
