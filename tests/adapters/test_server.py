"""Blobs from a real server on loopback, whatever it does: whole and verified, or one clear error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.server.download import Downloader
from agent.adapters.server.http import Http
from agent.adapters.server.settings import SyncSettings
from agent.adapters.system import SystemClock
from agent.core.errors import ConfigError, DeviceError, SyncError, TransferError, VerifyError
from tests.support import static_host as does
from tests.support.certificates import make_certificates, serving_tls
from tests.support.static_host import Behaviour, StaticHost

BLOB = bytes(range(256)) * 1200  # 307,200 bytes: some socket buffers
SHA256 = hashlib.sha256(BLOB).hexdigest()
PATH = f"blobs/{SHA256}"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[StaticHost]:
    (tmp_path / "www" / "blobs").mkdir(parents=True)
    (tmp_path / "www" / PATH).write_bytes(BLOB)
    with StaticHost(tmp_path / "www") as host:
        yield host


def settings(url: str, **more: Any) -> SyncSettings:
    """As configured, but for a patience that tests can wait for."""
    quick = {"timeout_s": 0.5, "stall_s": 0.5, "min_bytes_per_s": 1000}
    return SyncSettings(**{"url": url, "root": "root.json", **quick, **more})


class ImpatientClock(SystemClock):
    """Real time, but pauses between two tries are short."""

    def wait(self, seconds: float) -> bool:
        return super().wait(min(seconds, 0.01))


def fetch(url: str, part: Path, clock: SystemClock | None = None, **more: Any) -> Http:
    chosen = settings(url, **more)
    clock = clock or ImpatientClock()
    http = Http(chosen, clock)
    try:
        Downloader(http, chosen, clock).fetch(SHA256, len(BLOB), part)
    finally:
        http.close()
    return http


@dataclass
class Story:
    """What the server does, one behaviour per request, and what comes of it."""

    does: list[Behaviour] = field(default_factory=list)
    always: Behaviour | None = None
    here: bytes = b""  # of an earlier round
    error: type[SyncError] | None = None
    says: str = ""
    asked: int | None = None  # requests


STORIES = {
    "a good server": Story(asked=1),
    "a server that breaks off once": Story([does.break_off(100_000)], asked=2),
    "a server that breaks off at every 70,000 bytes": Story([does.break_off(70_000)] * 4, asked=5),
    "a server that breaks off before the first byte": Story([does.break_off(0)], asked=2),
    "half of it is here": Story(here=BLOB[:150_000], asked=1),
    "all of it is here": Story(here=BLOB, asked=0),
    "more than all of it is here": Story(here=BLOB + b"more", asked=1),
    "what is here is something else": Story(here=b"x" * 1000, asked=2),
    "all that is here is something else": Story(here=b"x" * len(BLOB), asked=1),
    "a server that sends everything although a part was asked": Story(
        [does.promise(0)], here=BLOB[:9], asked=1
    ),
    "a server that answers 206 with another part": Story([does.wrong_range], here=BLOB[:150_000], asked=2),
    "a server that lies about the part it sends": Story([does.lying_range], here=BLOB[:150_000], asked=2),
    "a server that says the range is past the end": Story([does.status(416)], here=BLOB[:150_000], asked=2),
    "a server that hangs once": Story([does.hang], asked=2),
    "a server that closes a connection it kept": Story([does.break_off(0)], asked=2),
    "a redirect within the server": Story([does.redirect_to(f"/{PATH}?moved")], asked=1),
    "a server that hangs": Story(always=does.hang, error=TransferError, says="no answer in time"),
    "a server that drips": Story(
        always=does.drip, error=TransferError, says="expected at least 1000 bytes a second"
    ),
    "a server that drips its head": Story(
        always=does.drip_the_head, error=TransferError, says="expected at least 1000 bytes a second"
    ),
    "a server that always breaks off at once": Story(
        always=does.break_off(10), error=TransferError, says="found an end after 10", asked=4
    ),
    "a redirect to another server": Story(
        always=does.redirect_to("http://127.0.0.2:1/x"),
        error=TransferError,
        says="found a redirect to 'http://127.0.0.2:1/x'",
    ),
    "redirects without end": Story(
        always=does.redirect_to(f"/{PATH}"), error=TransferError, says="redirects without end"
    ),
    "a redirect to nowhere": Story(
        always=does.redirect_to("http://["), error=TransferError, says="Invalid IPv6"
    ),
    "a blob that is not there": Story(
        always=does.status(404), error=TransferError, says="expected status 200, found 404", asked=1
    ),
    "a server that is overloaded": Story(
        always=does.status(503), error=TransferError, says="expected status 200, found 503"
    ),
    "206 although no range was asked": Story(
        always=does.wrong_range, error=TransferError, says="expected status 200, found 206"
    ),
    "a page in HTML with status 200": Story(
        always=does.as_html,
        error=TransferError,
        says="expected 307200 bytes, found 26 of type 'text/html'",
        asked=1,
    ),
    "a length that is too long": Story(
        always=does.promise(5), error=TransferError, says="found 307205", asked=1
    ),
    "a length that is too short": Story(
        always=does.promise(-5), error=TransferError, says="found 307195", asked=1
    ),
    "bytes without end": Story(always=does.without_end, error=TransferError, says="found more", asked=1),
    "something else of the right length": Story(
        always=does.wrong_bytes, error=VerifyError, says="expected the content of this digest, found", asked=1
    ),
    "compressed bytes": Story(always=does.zipped, error=TransferError, says="found encoding 'gzip'"),
    "no HTTP at all": Story(always=does.garbage, error=TransferError, says="expected an HTTP answer"),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_blob_from(story: Story, host: StaticHost, tmp_path: Path) -> None:
    part = tmp_path / "part"
    if story.here:
        part.write_bytes(story.here)
    host.plan[PATH] = list(story.does)
    if story.always:
        host.always[PATH] = story.always
    if story.error is None:
        fetch(host.url, part)
        assert part.read_bytes() == BLOB
    else:
        with pytest.raises(story.error) as raised:
            fetch(host.url, part)
        assert story.says in str(raised.value)
        assert "\n" not in str(raised.value)
        assert story.error is not VerifyError or not part.exists()
    if story.asked is not None:
        assert len([code for _, _, code in host.asked if code != 302]) == story.asked


def test_what_came_is_not_fetched_again(host: StaticHost, tmp_path: Path) -> None:
    host.plan[PATH] = [does.break_off(100_000)]
    fetch(host.url, tmp_path / "part")
    assert [asked for _, asked, _ in host.asked] == ["", "bytes=100000-"]
    assert host.sent == len(BLOB)


def test_a_file_that_changed_between_two_pieces_begins_anew(host: StaticHost, tmp_path: Path) -> None:
    """The ETag says so: the server answers If-Range with all of it."""
    file = host.folder / PATH

    def other_file(handler: does.Handler, _body: bytes) -> None:
        handler.head(200, len(BLOB), ETag='"of another file"')
        handler.write(b"y" * 1000)
        handler.close_connection = True

    host.plan[PATH] = [other_file]
    fetch(host.url, tmp_path / "part")
    assert [code for _, _, code in host.asked] == [200, 200]
    assert file.read_bytes() == (tmp_path / "part").read_bytes()


@pytest.mark.parametrize("ranges", [True, False], ids=["with ranges", "without ranges"])
def test_hosts_with_and_without_ranges(tmp_path: Path, host: StaticHost, ranges: bool) -> None:
    host.ranges, host.etags = ranges, ranges
    host.plan[PATH] = [does.break_off(200_000)]
    fetch(host.url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == BLOB


def test_nobody_listens(tmp_path: Path, host: StaticHost) -> None:
    host.close()
    with pytest.raises(TransferError, match="no connection: Connection refused"):
        fetch(host.url, tmp_path / "part")
    host.close = lambda: None  # type: ignore[method-assign]


def test_no_such_host(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="no connection"):
        fetch("http://nobody.invalid/", tmp_path / "part")


def test_stopping_ends_a_transfer_at_once(host: StaticHost, tmp_path: Path) -> None:
    clock = ImpatientClock()
    clock.stop()
    with pytest.raises(TransferError, match="stopping"):
        fetch(host.url, tmp_path / "part", clock)


def test_a_disk_that_cannot_be_written(host: StaticHost, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be written"):
        fetch(host.url, tmp_path / "nowhere" / "part")


def test_a_full_disk(host: StaticHost, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.symlink_to("/dev/full")  # what is removed on failure is the link
    with pytest.raises(DeviceError, match="No space left"):
        Downloader(Http(settings(host.url), SystemClock()), settings(host.url), SystemClock()).fetch(
            SHA256, len(BLOB), part
        )


def test_the_limit_of_the_line_is_kept(host: StaticHost, tmp_path: Path) -> None:
    """By what is waited for, not by the clock on the wall."""
    waits: list[float] = []

    class Waiting(ImpatientClock):
        def wait(self, seconds: float) -> bool:
            waits.append(max(0.0, seconds))
            return super().wait(0.0)

    fetch(host.url, tmp_path / "part", Waiting(), bytes_per_s=100_000)
    assert 0.8 * len(BLOB) / 100_000 < sum(waits) <= 1.1 * len(BLOB) / 100_000


def test_every_byte_is_counted(host: StaticHost, tmp_path: Path) -> None:
    http = fetch(host.url, tmp_path / "part")
    assert len(BLOB) + 100 < http.pace.received < len(BLOB) + 400
    assert 100 < http.pace.sent < 400


def test_one_connection_serves_many_questions(host: StaticHost) -> None:
    http = Http(settings(host.url), SystemClock())
    ports = set()
    for _ in range(5):
        with http.get(PATH) as answer:
            assert b"".join(answer.chunks) == BLOB
            assert http._connection is not None
            ports.add(http._connection.sock._sock.getsockname()[1])
    http.close()
    assert len(ports) == 1


def test_a_body_that_is_left_unread_spoils_no_later_answer(host: StaticHost) -> None:
    http = Http(settings(host.url), SystemClock())
    with http.get(PATH) as answer:
        next(answer.chunks)
    with http.get(PATH) as answer:
        assert b"".join(answer.chunks) == BLOB
    http.close()


def test_login_and_password_are_sent_and_never_shown(host: StaticHost) -> None:
    heard = []

    def listen(handler: does.Handler, body: bytes) -> None:
        heard.append(handler.headers["Authorization"])
        does.status(403)(handler, body)

    host.always[PATH] = listen
    url = host.url.replace("://", "://eve:p%40ss@")
    with pytest.raises(TransferError) as raised:
        fetch(url, Path("/nowhere/part"))
    assert heard == ["Basic ZXZlOnBAc3M="]
    assert "p%40ss" not in str(raised.value)
    assert "found 403" in str(raised.value)


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path: Path, host: StaticHost) -> Iterator[tuple[StaticHost, Path]]:
        folder = make_certificates(tmp_path)
        with StaticHost(host.folder, tls=serving_tls(folder)) as secure:
            yield secure, folder / "ca.pem"

    def test_a_certificate_that_is_trusted(self, secure: tuple[StaticHost, Path], tmp_path: Path) -> None:
        server, cert = secure
        server.plan[PATH] = [does.break_off(100_000)]
        fetch(server.url, tmp_path / "part", ca=str(cert))
        assert (tmp_path / "part").read_bytes() == BLOB

    def test_a_certificate_that_nobody_signed(self, secure: tuple[StaticHost, Path], tmp_path: Path) -> None:
        with pytest.raises(TransferError, match="certificate not trusted"):
            fetch(secure[0].url, tmp_path / "part")

    def test_a_server_that_drips_over_tls(self, secure: tuple[StaticHost, Path], tmp_path: Path) -> None:
        server, cert = secure
        server.always[PATH] = does.drip
        with pytest.raises(TransferError, match="expected at least 1000 bytes a second"):
            fetch(server.url, tmp_path / "part", ca=str(cert))

    def test_a_file_of_certificates_that_is_none(self, tmp_path: Path) -> None:
        for content in (None, b"no certificate"):
            ca = tmp_path / "ca.pem"
            if content:
                ca.write_bytes(content)
            with pytest.raises(ConfigError, match=r"sync\.ca: expected a PEM file"):
                fetch("https://127.0.0.1:1/", tmp_path / "part", ca=str(ca))


BAD_SETTINGS: dict[str, Callable[[], SyncSettings]] = {
    "a path": lambda: settings("/var/www"),
    "ftp": lambda: settings("ftp://host/"),
    "no host": lambda: settings("http:///x"),
    "a query": lambda: settings("http://host/?x"),
    "a line end": lambda: settings("http://host/\nx"),
    "a port that is none": lambda: settings("http://host:99999/"),
    "a channel that climbs": lambda: settings("http://host/", channel="../x"),
    "no channel": lambda: settings("http://host/", channel=""),
    "no root": lambda: settings("http://host/", root=""),
    "an interval of nothing": lambda: settings("http://host/", interval_s=0.0),
    "a limit below the slowest that is borne": lambda: settings("http://host/", bytes_per_s=10),
    "not a number": lambda: settings("http://host/", stall_s=float("nan")),
}


@pytest.mark.parametrize("make", BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_settings_that_cannot_be(make: Callable[[], SyncSettings]) -> None:
    with pytest.raises(ValueError, match=r"^\w+: expected"):
        make()
