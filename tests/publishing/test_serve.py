"""The server speaks HTTP as devices and caches expect it, and shows nothing but the files of its directory."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import ConfigError, DeviceError
from agent.publishing.serve import Server, make_server
from tests.support.certificates import make_certificates

BLOB = os.urandom(300_000)
DIGEST = hashlib.sha256(BLOB).hexdigest()


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def www(tmp_path: Path) -> Path:
    folder = tmp_path / "www"
    for name, data in {
        f"blobs/{DIGEST}": BLOB,
        "blobs/.leftover": b"hidden",
        "metadata/timestamp.json": b'{"signed": {}}',
        "metadata/1.root.json": b"{}",
        "targets/stores/berlin-12/release.json": b"{}",
        "empty": b"",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder-link").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def server(www: Path, lines: list[str]) -> Iterator[Server]:
    with serving(make_server(www, "127.0.0.1", 0, log=lines.append)) as server:
        yield server


def ask(
    server: Server, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def test_a_blob_comes_whole_and_may_be_kept_for_ever(server: Server) -> None:
    status, headers, body = ask(server, f"/blobs/{DIGEST}")
    assert (status, body) == (200, BLOB)
    assert headers["ETag"] == f'"{DIGEST}"'
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Length"] == str(len(BLOB))
    assert headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("path", "lasting"),
    [
        ("/metadata/timestamp.json", False),
        ("/metadata/1.root.json", True),
        ("/targets/stores/berlin-12/release.json", False),
    ],
)
def test_only_what_never_changes_is_kept_for_ever(path: str, lasting: bool, server: Server) -> None:
    status, headers, _ = ask(server, path)
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert ("immutable" in headers["Cache-Control"]) == lasting


RANGES = {
    "the beginning": ("bytes=0-99", 206, 0, 100),
    "one byte": ("bytes=7-7", 206, 7, 8),
    "the rest": ("bytes=299990-", 206, 299_990, 300_000),
    "all of it": ("bytes=0-", 206, 0, 300_000),
    "more than there is": ("bytes=299990-999999", 206, 299_990, 300_000),
    "the end": ("bytes=-10", 206, 299_990, 300_000),
    "a longer end than there is": ("bytes=-999999", 206, 0, 300_000),
    "with spaces around": (" bytes=5-9 ", 206, 5, 10),
    "beyond the end": ("bytes=300000-", 416, 0, 0),
    "no byte of the end": ("bytes=-0", 416, 0, 0),
    "backwards": ("bytes=9-5", 200, 0, 300_000),
    "nothing": ("bytes=-", 200, 0, 300_000),
    "two spans": ("bytes=0-1,5-6", 200, 0, 300_000),
    "another unit": ("lines=0-1", 200, 0, 300_000),
    "no numbers": ("bytes=a-b", 200, 0, 300_000),
    "a number without end": ("bytes=" + "9" * 400 + "-", 200, 0, 300_000),
}


@pytest.mark.parametrize("case", RANGES)
def test_single_ranges(case: str, server: Server) -> None:
    text, expected, start, end = RANGES[case]
    status, headers, body = ask(server, f"/blobs/{DIGEST}", {"Range": text})
    assert status == expected
    assert body == BLOB[start:end]
    if status == 206:
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/300000"
    elif status == 416:
        assert headers["Content-Range"] == "bytes */300000"
    else:
        assert "Content-Range" not in headers


def test_a_download_goes_on_only_in_the_same_file(server: Server) -> None:
    path = f"/blobs/{DIGEST}"
    assert ask(server, path, {"Range": "bytes=10-", "If-Range": f'"{DIGEST}"'})[0] == 206
    for other in ('"other"', f'W/"{DIGEST}"', "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert ask(server, path, {"Range": "bytes=10-", "If-Range": other})[0] == 200


def test_an_unchanged_poll_is_small(server: Server, www: Path) -> None:
    path = "/metadata/timestamp.json"
    etag = ask(server, path)[1]["ETag"]
    for condition in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        status, headers, body = ask(server, path, {"If-None-Match": condition})
        assert (status, body) == (304, b"")
        assert headers["ETag"] == etag
        assert sum(len(name) + len(value) + 4 for name, value in headers.items()) < 400
    temporary = www / "metadata" / ".new"
    temporary.write_bytes(b'{"signed": {}}')
    temporary.replace(www / "metadata" / "timestamp.json")
    status, headers, _ = ask(server, path, {"If-None-Match": etag})
    assert status == 200
    assert headers["ETag"] != etag


def test_head_says_the_same_without_the_content(server: Server) -> None:
    status, headers, body = ask(server, f"/blobs/{DIGEST}", {"Range": "bytes=0-9"}, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "300000")
    assert ask(server, "/nowhere", method="HEAD")[0] == 404


def test_an_empty_file_is_one(server: Server) -> None:
    assert ask(server, "/empty")[::2] == (200, b"")
    assert ask(server, "/empty", {"Range": "bytes=0-"})[0] == 416


NOT_SERVED = [
    "/", "/blobs", "/blobs/", "/metadata/", "/nowhere", "/../secret", "/blobs/../../secret",
    "/%2e%2e/secret", "/..%2fsecret", "/blobs/%2e%2e/%2e%2e/secret", "//secret", "/./empty", "/empty/", "/empty/x",
    "/link", "/folder-link/secret", "/pipe", "/blobs/.leftover", "/.git/config", "/empty%00", "/empty%0d%0aX:%20y",
    "/etc/passwd", "/..\\secret", "/%c0%ae%c0%ae/secret", "/~root", "http://127.0.0.1/empty", "/" + "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("path", NOT_SERVED)
def test_nothing_else_is_shown(path: str, server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    status = int(answer.split()[1])
    assert status in {400, 404}
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_is_taken(method: str, server: Server, www: Path) -> None:
    assert ask(server, "/empty", method=method)[0] == 501
    assert (www / "empty").read_bytes() == b""


def test_one_connection_serves_many_requests(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        for path, expected in [("/empty", 200), ("/nowhere", 404), (f"/blobs/{DIGEST}", 200), ("/", 404)] * 3:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == expected


def test_connections_do_not_wait_for_each_other(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            silent.sendall(b"GET /empty HTT")
        assert ask(server, "/empty")[0] == 200


def test_requests_are_told_in_one_line_each(server: Server, lines: list[str]) -> None:
    ask(server, "/empty")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"GET /\x1b[31mred HTTP/1.1\r\nConnection: close\r\n\r\n")
        while raw.recv(4096):
            pass
    assert lines[0] == '127.0.0.1 "GET /empty HTTP/1.1" 200 -'
    assert all(line.isprintable() for line in lines)


def test_a_file_that_becomes_shorter_is_broken_off(server: Server, www: Path) -> None:
    path = www / "growing"
    path.write_bytes(bytes(50_000_000))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/growing")
        answer = connection.getresponse()
        answer.read(10)
        os.truncate(path, 100)
        with pytest.raises(http.client.IncompleteRead):
            answer.read()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The authority that signed for the server, the server's certificate and its key."""
    folder = make_certificates(tmp_path_factory.mktemp("tls"))
    return folder / "ca.pem", folder / "server.pem", folder / "server.key"


def test_over_tls(www: Path, certificate: tuple[Path, Path, Path], lines: list[str]) -> None:
    ca, cert, key = certificate
    with serving(make_server(www, "127.0.0.1", 0, cert=cert, key=key, log=lines.append)) as server:
        context = ssl.create_default_context(cafile=str(ca))
        for _ in range(3):
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=context)
            with contextlib.closing(connection):
                connection.request("GET", f"/blobs/{DIGEST}")
                assert connection.getresponse().read() == BLOB
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as silent:
            plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            with contextlib.closing(plain):
                plain.sendall(b"GET /empty HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    assert b"200" not in plain.recv(100)
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=context)
            with contextlib.closing(connection):  # while another one says nothing at all
                connection.request("GET", "/empty")
                assert connection.getresponse().status == 200
            assert silent.fileno() > 0


def test_what_cannot_be_served_is_said(
    www: Path, tmp_path: Path, certificate: tuple[Path, Path, Path]
) -> None:
    with pytest.raises(ConfigError, match="expected a directory made by"):
        make_server(tmp_path / "nowhere", "127.0.0.1", 0)
    with pytest.raises(ConfigError, match="expected a certificate and its key in PEM"):
        make_server(www, "127.0.0.1", 0, cert=certificate[1], key=www / "empty")
    with (
        make_server(www, "127.0.0.1", 0) as server,
        pytest.raises(DeviceError, match="cannot be listened on"),
    ):
        make_server(www, "127.0.0.1", server.port)
    for host, port in (("127.0.0.1", 70_000), ("no such host", 0)):
        with pytest.raises(DeviceError, match="cannot be listened on"):
            make_server(www, host, port)
