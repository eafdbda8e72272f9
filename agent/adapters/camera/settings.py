"""What the operator says about one camera: where its pictures come from, how often, and when it is lost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from agent.core.clock import Backoff
from agent.core.errors import masked_url, quoted
from agent.core.settings import check_range, setting

CAMERA_ID = re.compile(r"[a-z0-9_-]{1,64}")
"""It is a level of every MQTT topic of the camera: no `/`, `+`, `#` or spaces."""

SOURCE_FORMS = (
    "folder:/path, file:/path/video.mp4, recording:/path, /dev/video0, "
    "rtsp://host/path, http://host/stream, snapshot:http://host/picture.jpg or csi:0"
)
VIDEO_SUFFIXES = (".avi", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm")
"""A bare path that ends like this is a video file."""


class Kind(StrEnum):
    """What a source is, and so which part reads it."""

    FOLDER = "folder"
    FILE = "file"
    RECORDING = "recording"
    V4L2 = "v4l2"
    STREAM = "stream"  # rtsp, rtsps, http, https
    SNAPSHOT = "snapshot"
    CSI = "csi"


FINITE = frozenset({Kind.FOLDER, Kind.FILE, Kind.RECORDING})
"""Sources that lie on a disk: they can wait for whoever looks, and nothing of them need be dropped."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source string taken apart. `target` is a path, a URL or the number of a CSI camera."""

    kind: Kind
    target: str

    @property
    def shown(self) -> str:
        """The target as it may appear in logs, statuses and errors: without its password."""
        return masked_url(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One camera."""

    id: str = setting("name of the camera in every topic: 1 to 64 of a-z, 0-9, _ and -")
    source: str = setting(f"where the pictures come from: {SOURCE_FORMS}")
    fps: float = setting(
        "frames per second to look at; 0 means as fast as they are taken (folder, file and recording only)",
        2.0,
    )
    loop: bool = setting("folder, file, recording: begin again at the end", False)
    watch: bool = setting("folder: at the end wait for new pictures instead of ending", False)
    independent: bool = setting("folder: every picture is another scene, not the next of a sequence", False)
    width: int = setting("pixels to ask of a V4L2 or CSI camera, with height; 0 leaves it to the camera", 0)
    height: int = setting("pixels to ask of a V4L2 or CSI camera, with width; 0 leaves it to the camera", 0)
    # A server on the same network answers within 0.1 s. FFmpeg's own limit is 30 s, during which the
    # status would say that all is well; with 3 and 2 s a frozen server is noticed after 2 s.
    open_timeout_s: float = setting("seconds until a camera that does not answer is given up", 3.0)
    read_timeout_s: float = setting("seconds without a picture until an open camera is lost", 2.0)
    # Noise makes every picture of a working sensor another one. 30 s are several key frames of an H.264
    # stream, so that an encoder that repeats a still scene between two of them is not taken for dead.
    frozen_after_s: float = setting(
        "live sources: seconds of identical pictures until the camera is taken to hang; 0 switches this off",
        30.0,
    )
    verify_tls: bool = setting("snapshot over https: refuse a certificate that nobody we know signed", True)
    # A shop's switch that restarts takes every camera with it: 3 s brings pictures within 5 s of its
    # return, and one connection attempt in 2 s is no load for anybody.
    reopen_limit_s: float = setting("longest pause between two attempts to reopen a lost camera", 2.0)

    def __post_init__(self) -> None:
        if not CAMERA_ID.fullmatch(self.id):
            raise ValueError(f"id: expected 1 to 64 of a-z, 0-9, _ and -, found {quoted(self.id)}")
        kind = parse_source(self.source).kind
        check_range("fps", self.fps, 0, 120)
        if self.fps == 0 and kind not in FINITE:
            raise ValueError("fps: expected more than 0 for a live source, found 0")
        if self.watch and self.loop:
            raise ValueError("watch: expected false together with loop: true, found true")
        for name, allowed in (("watch", {Kind.FOLDER}), ("independent", {Kind.FOLDER}), ("loop", FINITE)):
            if getattr(self, name) and kind not in allowed:
                forms = " or ".join(sorted(allowed))
                raise ValueError(f"{name}: expected true only for a {forms} source, found it for {kind}")
        check_range("width", self.width, 0, 16384)
        check_range("height", self.height, 0, 16384)
        if (self.width > 0) != (self.height > 0):
            raise ValueError(f"height: expected with width, or neither, found {self.width} × {self.height}")
        check_range("open_timeout_s", self.open_timeout_s, 0.1, 60)
        check_range("read_timeout_s", self.read_timeout_s, 0.1, 60)
        check_range("frozen_after_s", self.frozen_after_s, 0, 86400)
        check_range("reopen_limit_s", self.reopen_limit_s, 0.5, 3600)

    def backoff(self) -> Backoff:
        """How long to wait before the camera is opened again."""
        return Backoff(first_s=0.5, limit_s=self.reopen_limit_s)


def parse_source(text: str) -> Source:
    """`"/dev/video0"` → `Source(Kind.V4L2, "/dev/video0")`.

    Raises:
        ValueError: names the field, the forms expected and what was found, its password masked.
    """
    source = _parse(text) if text.isprintable() else None
    if source is None:
        raise ValueError(f"source: expected {SOURCE_FORMS}, found {quoted(masked_url(text))}")
    return source


def _parse(text: str) -> Source | None:
    head, _, rest = text.partition(":")
    if head in {"rtsp", "rtsps", "http", "https"}:
        return Source(Kind.STREAM, text) if _is_url(text) else None
    if head == "snapshot":
        web = rest.startswith(("http://", "https://"))
        return Source(Kind.SNAPSHOT, rest) if web and _is_url(rest) else None
    if head == "csi":
        number = rest.isascii() and rest.isdigit() and len(rest) <= 2
        return Source(Kind.CSI, str(int(rest))) if number else None
    if text.startswith("/dev/"):
        return Source(Kind.V4L2, text)
    if head == "v4l2":
        return Source(Kind.V4L2, rest) if rest.startswith("/dev/") else None
    if head in {"folder", "file", "recording"}:
        path = rest[2:] if rest.startswith("///") else rest  # file:///a/b is another way to say file:/a/b
        return Source(Kind(head), path) if path else None
    if "://" not in text and text.lower().endswith(VIDEO_SUFFIXES):
        return Source(Kind.FILE, text)
    return None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return False
    return bool(parts.hostname)
