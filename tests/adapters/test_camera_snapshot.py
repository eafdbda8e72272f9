"""Pictures asked for one by one, of a real HTTP server."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from agent.adapters.camera import CameraSettings, open_camera
from agent.adapters.system import SystemClock
from agent.core.errors import DeviceError
from tests.support.http_camera import PASSWORD, USER, HttpCamera
from tests.support.pictures import write_pictures
from tests.support.rtsp_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.types import Frame

CREDENTIALS = f"{USER}:{quote(PASSWORD, safe='')}"


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpCamera]:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder, range(30))
    server = HttpCamera(folder)
    yield server
    server.kill()


def frames_of(url: str, **changes: Any) -> Iterator[Frame]:
    settings = CameraSettings(**({"id": "door", "source": f"snapshot:{url}", "fps": 20.0} | changes))
    return open_camera(settings, SystemClock()).frames()


@pytest.mark.parametrize("path", ["picture.jpg", "moved.jpg", "basic.jpg", "digest.jpg"])
def test_shows_pictures(http: HttpCamera, path: str) -> None:
    frames = list(islice(frames_of(http.url(path, CREDENTIALS)), 5))
    assert [frame.seq for frame in frames] == list(range(5))
    assert len({frame.image.tobytes() for frame in frames}) == 5
    assert frames[4].at - frames[0].at >= 0.1, "four intervals of 0.05 s, less a late first answer"
    for frame in frames:
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.flags.owndata
        assert not frame.image.flags.writeable


LOST = {
    "missing": "expected status 200, found 404: is the path right?",
    "basic.jpg": "expected status 200, found 401: are name and password right?",
    "digest.jpg": "expected status 200, found 401: are name and password right?",
    "html": "picture: expected a JPEG, PNG, WebP or BMP picture, found an HTML page",
    "broken.jpg": "picture: damaged JPEG: the picture stops early",
    "endless.jpg": "expected a picture of at most 64,000,000 bytes, found more",
    "trickle.jpg": "the picture did not arrive in time, only",
    "silent.jpg": "no picture: no answer in time",
    "garbage": "no picture: ",
}


@pytest.mark.parametrize(("path", "says"), LOST.items(), ids=LOST.keys())
def test_says_what_is_wrong(http: HttpCamera, path: str, says: str) -> None:
    wrong = http.url(path, "eve:guess")
    with pytest.raises(DeviceError) as lost:
        next(frames_of(wrong, open_timeout_s=0.5, read_timeout_s=1.0 if path == "silent.jpg" else 2.0))
    assert str(lost.value).startswith(f"{http.url(path, 'eve:***')}: {says}")
    assert "guess" not in str(lost.value)
    assert "\n" not in str(lost.value)


def test_the_same_picture_for_too_long_is_a_lost_camera(http: HttpCamera) -> None:
    with pytest.raises(DeviceError, match=r"still\.jpg: the picture has not changed for"):
        list(frames_of(http.url("still.jpg"), frozen_after_s=0.5))


def test_a_server_that_is_away_is_a_lost_camera() -> None:
    with pytest.raises(DeviceError, match="no connection: Connection refused"):
        next(frames_of(f"http://127.0.0.1:{free_port()}/a.jpg"))
    with pytest.raises(DeviceError, match="no connection: "):
        next(frames_of("http://camera.invalid/a.jpg"))


def test_tls_that_is_none_is_a_lost_camera(http: HttpCamera) -> None:
    with pytest.raises(DeviceError, match="no connection: "):
        next(frames_of(http.url("picture.jpg").replace("http:", "https:")))


def test_a_frozen_or_killed_server_is_noticed_and_its_return_too(tmp_path: Any) -> None:
    write_pictures(tmp_path, range(30))
    server = HttpCamera(tmp_path)
    try:
        frames = frames_of(server.url("picture.jpg"))
        next(frames)
        server.freeze()
        began = time.monotonic()
        with pytest.raises(DeviceError, match="no picture: no answer in time"):
            list(frames)
        assert time.monotonic() - began < 6
        server.kill()
        with pytest.raises(DeviceError, match="Connection refused"):
            next(frames_of(server.url("picture.jpg")))
        server.start()
        assert next(frames_of(server.url("picture.jpg"))).seq == 0
    finally:
        server.kill()


def test_ends_when_the_process_is_to_stop(http: HttpCamera) -> None:
    clock = SystemClock()
    settings = CameraSettings(id="door", source=f"snapshot:{http.url('picture.jpg')}", fps=0.01)
    frames = open_camera(settings, clock).frames()
    next(frames)
    clock.stop()
    assert list(frames) == []
