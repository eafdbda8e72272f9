"""RTSP and HTTP streams of real servers, which are frozen, killed and started again."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from agent.adapters.camera import CameraSettings, open_camera
from agent.adapters.system import SystemClock
from agent.core.errors import DeviceError
from tests.support.http_camera import HttpCamera
from tests.support.pictures import write_pictures
from tests.support.rtsp_server import RtspServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.types import Frame

NOTICED_S = 6.0
"""A frozen server is to be noticed within this; measured: 2 s, or 3 s while it is opened."""


def frames_of(url: str, **changes: Any) -> Iterator[Frame]:
    settings = CameraSettings(**({"id": "door", "source": url, "fps": 10.0} | changes))
    return open_camera(settings, SystemClock()).frames()


@pytest.fixture
def rtsp() -> Iterator[RtspServer]:
    if reason := RtspServer.missing():
        pytest.skip(reason)
    server = RtspServer()
    yield server
    server.kill()


@pytest.fixture
def http(tmp_path: Any) -> Iterator[HttpCamera]:
    write_pictures(tmp_path, range(30))
    server = HttpCamera(tmp_path)
    yield server
    server.kill()


@pytest.fixture(params=["rtsp", "http"])
def served(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """A running server, and the URL of its stream."""
    server = request.getfixturevalue(request.param)
    return server, server.url if request.param == "rtsp" else server.url("stream")


def until_lost(frames: Iterator[Frame]) -> tuple[float, str]:
    """Seconds until the DeviceError, and what it says."""
    began = time.monotonic()
    with pytest.raises(DeviceError) as lost:
        deque(frames, maxlen=0)
    return time.monotonic() - began, str(lost.value)


def comes_back(open_frames: Callable[[], Iterator[Frame]]) -> float:
    """Seconds until the first picture, when a lost camera is reopened as the daemon does it."""
    settings = CameraSettings(id="door", source="rtsp://x/", fps=10)
    began, attempt = time.monotonic(), 0
    while True:
        frames = open_frames()
        try:
            next(frames)
        except DeviceError:
            time.sleep(settings.backoff().delay_s(attempt, 0.999))
            attempt += 1
        else:
            return time.monotonic() - began
        finally:
            frames.close()


def test_shows_its_pictures_at_the_rate_asked_for(served: tuple[Any, str]) -> None:
    before, before_utc = time.monotonic(), time.time()
    frames = list(islice(frames_of(served[1], fps=5.0), 8))
    assert [frame.seq for frame in frames] == list(range(8))
    assert {frame.camera for frame in frames} == {"door"}
    gaps = [later.at - earlier.at for earlier, later in pairwise(frames)]
    assert min(gaps) > 0
    assert sum(gaps) >= 0.9, "7 intervals of 0.2 s, less what came at once when it was opened"
    assert before <= frames[0].at <= frames[-1].at <= time.monotonic()
    assert before_utc - 1 <= frames[0].utc <= time.time() + 1
    assert len({frame.image.tobytes() for frame in frames}) > 4, "the picture moves"
    for frame in frames:
        assert frame.image.flags.c_contiguous
        assert frame.image.flags.owndata
        assert not frame.image.flags.writeable


def test_a_killed_server_is_noticed_at_once_and_its_return_soon(served: tuple[Any, str]) -> None:
    server, url = served
    frames = frames_of(url)
    next(frames)
    server.kill()
    seconds, reason = until_lost(frames)
    assert seconds < NOTICED_S
    assert reason == f"{url}: the stream has ended"
    _, reason = until_lost(frames_of(url))
    assert reason == f"{url}: no connection to port {server.port}: Connection refused"
    server.start()
    assert comes_back(lambda: frames_of(url)) < 10


def test_a_frozen_server_is_noticed_and_its_return_soon(served: tuple[Any, str]) -> None:
    server, url = served
    frames = frames_of(url)
    next(frames)
    server.freeze()
    seconds, reason = until_lost(frames)
    assert seconds < NOTICED_S
    assert reason.startswith(f"{url}: no picture for ")
    seconds, reason = until_lost(frames_of(url))
    assert seconds < NOTICED_S
    assert f"port {server.port} answers but no video came within 3 s" in reason
    server.thaw()
    assert comes_back(lambda: frames_of(url)) < 10


def test_a_picture_that_stands_still_is_a_lost_camera() -> None:
    if reason := RtspServer.missing():
        pytest.skip(reason)
    server = RtspServer(pattern="smpte100")
    try:
        _, reason = until_lost(frames_of(server.url, frozen_after_s=1.5))
        assert "the picture has not changed for" in reason
        assert reason.startswith(server.url)
    finally:
        server.kill()


def test_a_stream_may_be_given_up_at_any_picture(served: tuple[Any, str]) -> None:
    frames = frames_of(served[1])
    next(frames)
    frames.close()
    assert list(frames) == []


def test_ends_when_the_process_is_to_stop(http: HttpCamera) -> None:
    clock = SystemClock()
    frames = open_camera(CameraSettings(id="door", source=http.url("stream"), fps=10), clock).frames()
    next(frames)
    clock.stop()
    assert list(frames) == []


@pytest.mark.parametrize("path", ["missing", "html", "endless.jpg", "garbage"])
def test_what_is_no_stream_is_a_lost_camera(http: HttpCamera, path: str) -> None:
    seconds, reason = until_lost(frames_of(http.url(path)))
    assert reason.startswith(http.url(path) + ": ")
    assert seconds < NOTICED_S


def test_says_no_password() -> None:
    port = free_port()
    _, reason = until_lost(frames_of(f"rtsp://eve:secret@127.0.0.1:{port}/cam"))
    assert reason == f"rtsp://eve:***@127.0.0.1:{port}/cam: no connection to port {port}: Connection refused"


def test_says_that_a_name_is_not_known() -> None:
    _, reason = until_lost(frames_of("http://camera.invalid/stream"))
    assert reason == "http://camera.invalid/stream: the name camera.invalid is not known here"
