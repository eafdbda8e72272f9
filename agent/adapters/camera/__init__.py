"""Pictures from the outside: one `Camera` per source, each in a file of its own.

    folder.py     a folder of pictures            v4l2.py    a USB or built-in camera
    video.py      a video file                    stream.py  RTSP and HTTP streams
    recorded.py   what `spotter record` wrote     snapshot.py  a picture asked for by HTTP, again and again
                                                  csi.py     a Raspberry Pi camera, through picamera2

A camera is used by one thread: what opens it in `frames()` also reads and releases it. Nothing outside is
touched before the first frame is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.adapters.camera.settings import CameraSettings, Kind, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.clock import Clock
    from agent.core.types import Frame

__all__ = ["Camera", "CameraSettings", "open_camera"]


class Camera(Protocol):
    """Where pictures come from."""

    @property
    def waits(self) -> bool:
        """Whether the source can wait for the reader, so that nothing need be dropped."""

    @property
    def skipped(self) -> int:
        """Pictures of this source that could not be read and were passed over."""

    def frames(self) -> Iterator[Frame]:
        """Open the source and yield what it shows, `seq` counting from 0; return at the end of a finite one,
        or when the process is to stop. Images are C-contiguous, read-only and own their memory. The source
        is released when the iterator ends or is closed.

        Raises:
            DeviceError: it cannot be opened, was lost, or hangs; one line with the source and the reason.
        """


def open_camera(settings: CameraSettings, clock: Clock) -> Camera:
    """The camera that the settings describe; nothing is opened yet.

    Raises:
        ConfigError: the source needs a package that is not installed.
    """
    source = parse_source(settings.source)
    # Imported one by one: each brings its library, and most devices need one of them.
    match source.kind:
        case Kind.FOLDER:
            from agent.adapters.camera.folder import FolderCamera

            return FolderCamera(settings, source, clock)
        case Kind.FILE:
            from agent.adapters.camera.video import VideoCamera

            return VideoCamera(settings, source, clock)
        case Kind.RECORDING:
            from agent.adapters.camera.recorded import RecordedCamera

            return RecordedCamera(settings, source, clock)
        case Kind.V4L2:
            from agent.adapters.camera.v4l2 import V4l2Camera

            return V4l2Camera(settings, source, clock)
        case Kind.STREAM:
            from agent.adapters.camera.stream import StreamCamera

            return StreamCamera(settings, source, clock)
        case Kind.SNAPSHOT:
            from agent.adapters.camera.snapshot import SnapshotCamera

            return SnapshotCamera(settings, source, clock)
        case Kind.CSI:
            from agent.adapters.camera.csi import CsiCamera

            return CsiCamera(settings, source, clock)
