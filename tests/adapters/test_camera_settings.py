"""What may be written as a camera, and what is said about what may not."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from agent.adapters.camera import CameraSettings, open_camera
from agent.adapters.camera.settings import Kind, Source, parse_source
from agent.core.errors import masked_url
from tests.support.clock import ManualClock

FORMS = {
    "folder:/srv/photos": Source(Kind.FOLDER, "/srv/photos"),
    "folder:photos": Source(Kind.FOLDER, "photos"),
    "file:/srv/a.bin": Source(Kind.FILE, "/srv/a.bin"),
    "file:///srv/a.mp4": Source(Kind.FILE, "/srv/a.mp4"),
    "/srv/Holiday.MP4": Source(Kind.FILE, "/srv/Holiday.MP4"),
    "clips/a.mkv": Source(Kind.FILE, "clips/a.mkv"),
    "recording:/srv/r": Source(Kind.RECORDING, "/srv/r"),
    "/dev/video0": Source(Kind.V4L2, "/dev/video0"),
    "/dev/v4l/by-id/usb-cam": Source(Kind.V4L2, "/dev/v4l/by-id/usb-cam"),
    "v4l2:/dev/video2": Source(Kind.V4L2, "/dev/video2"),
    "rtsp://cam/1": Source(Kind.STREAM, "rtsp://cam/1"),
    "rtsps://eve:secret@cam:322/1": Source(Kind.STREAM, "rtsps://eve:secret@cam:322/1"),
    "http://[::1]:8080/stream": Source(Kind.STREAM, "http://[::1]:8080/stream"),
    "https://cam/live.m3u8": Source(Kind.STREAM, "https://cam/live.m3u8"),
    "snapshot:https://cam/shot.jpg": Source(Kind.SNAPSHOT, "https://cam/shot.jpg"),
    "csi:0": Source(Kind.CSI, "0"),
    "csi:01": Source(Kind.CSI, "1"),
}


@pytest.mark.parametrize(("text", "source"), FORMS.items(), ids=FORMS.keys())
def test_understands(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "text",
    ["", "0", "folder:", "file:", "/srv/photos", "photos", "v4l2:0", "csi:", "csi:x", "csi:100", "csi:²",
     "rtsp:cam", "rtsp://", "http:///x", "http://cam:port/", "http://[::1/x", "snapshot:/srv/a.jpg",
     "snapshot:ftp://cam/a.jpg", "ftp://cam/a.mp4", "folder:/a\nb", "file:/a\0b.mp4"],
)  # fmt: skip
def test_refuses_other_sources(text: str) -> None:
    with pytest.raises(ValueError, match=r"^source: expected folder:/path, .* or csi:0, found '") as refusal:
        parse_source(text)
    assert "\n" not in str(refusal.value)


def test_shows_no_password() -> None:
    with pytest.raises(ValueError, match=r"found 'rtsp://eve:\*\*\*@cam:x/1'"):
        parse_source("rtsp://eve:secret@cam:x/1")
    with pytest.raises(ValueError, match=r"found 'snapshot:ftp://eve:\*\*\*@cam/1'"):
        parse_source("snapshot:ftp://eve:secret@cam/1")
    assert parse_source("rtsp://eve:secret@cam/1").shown == "rtsp://eve:***@cam/1"


MASKED = {
    "rtsp://eve:secret@cam/1": "rtsp://eve:***@cam/1",
    "rtsp://eve@cam/1": "rtsp://eve@cam/1",
    "http://eve:se/cret@cam/1": "http://eve:***@cam/1",
    "http://eve:se?cret@cam/1": "http://eve:***@cam/1",
    "http://eve:s@cr/e@t@cam/1": "http://eve:***@cam/1",
    "http://eve:1234@cam/": "http://eve:***@cam/",
    "http://cam:80/@home": "http://cam:80/@home",
    "http://cam/a?user=eve&PassWord=secret&x=1#y": "http://cam/a?user=eve&PassWord=***&x=1#y",
    "http://cam/a?pwd=secret": "http://cam/a?pwd=***",
    "/srv/a@b:c": "/srv/a@b:c",
}


@pytest.mark.parametrize(("url", "shown"), MASKED.items(), ids=MASKED.values())
def test_masks(url: str, shown: str) -> None:
    assert masked_url(url) == shown


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an id with a slash": ({"id": "a/b"}, "id: expected 1 to 64 of a-z, 0-9, _ and -, found 'a/b'"),
    "an id in capitals": ({"id": "Shelf"}, "id: expected"),
    "an id with a line end": ({"id": "a\n"}, r"id: expected .* found 'a\\n'"),
    "no id": ({"id": ""}, "id: expected"),
    "a long id": ({"id": "a" * 65}, "id: expected"),
    "a bad source": ({"source": "x"}, "source: expected"),
    "a negative rate": ({"fps": -1}, "fps: expected a number from 0 to 120, found -1"),
    "a rate that is no number": ({"fps": float("nan")}, "fps: expected a number"),
    "a stream as fast as taken": ({"source": "rtsp://c/1", "fps": 0}, "fps: expected more than 0 for a live"),
    "a stream that loops": ({"source": "rtsp://c/1", "loop": True}, "loop: expected true only for a file or"),
    "a video that is watched": ({"source": "a.mp4", "watch": True}, "watch: expected true only for a folder"),
    "a video of scenes": ({"source": "a.mp4", "independent": True}, "independent: expected true only for a"),
    "a loop that watches": ({"watch": True, "loop": True}, "watch: expected false together with loop"),
    "no time to open": ({"open_timeout_s": 0}, "open_timeout_s: expected a number from 0.1 to 60, found 0"),
    "no time to read": ({"read_timeout_s": 0}, "read_timeout_s: expected"),
    "frozen before it began": ({"frozen_after_s": -1}, "frozen_after_s: expected"),
    "a negative width": ({"width": -1}, "width: expected a number from 0 to 16384, found -1"),
    "a width without a height": ({"width": 640}, "height: expected with width, or neither, found 640 × 0"),
    "a pause of nothing": ({"reopen_limit_s": 0}, "reopen_limit_s: expected"),
}


@pytest.mark.parametrize(("change", "says"), BAD.values(), ids=BAD.keys())
def test_refuses(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CameraSettings(**({"id": "shelf", "source": "folder:/x"} | change))


def test_pauses_grow_to_their_limit() -> None:
    backoff = CameraSettings(id="a", source="rtsp://c/1").backoff()
    assert [backoff.delay_s(attempt, 0.999999) for attempt in (0, 1, 2, 3, 9)] == pytest.approx(
        [0.5, 1, 2, 2, 2], abs=1e-4
    )


@pytest.mark.parametrize(
    ("source", "waits"),
    [("folder:/x", True), ("/x.mp4", True), ("recording:/x", True), ("/dev/video0", False),
     ("rtsp://c/1", False), ("http://c/1", False), ("snapshot:http://c/1", False)],
)  # fmt: skip
def test_says_whether_it_can_wait_and_touches_nothing(source: str, waits: bool) -> None:
    camera = open_camera(CameraSettings(id="a", source=source), ManualClock())
    assert camera.waits is waits
    assert camera.skipped == 0
    camera.frames()  # a generator: nothing happens before its first step


def test_the_settings_load_no_picture_library() -> None:
    """`spotter --help` and a configuration that is wrong need not wait for OpenCV."""
    program = "import sys, agent.adapters.camera; print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
