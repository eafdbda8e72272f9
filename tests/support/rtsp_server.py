"""A real RTSP camera on loopback, in a process of its own that tests can freeze, kill and start again.

Run as a script it is the server, by the system's Python, whose `gi` brings GStreamer (Debian:
`apt install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-{base,good,bad,ugly}`).
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

PYTHON = "/usr/bin/python3"
HERE = Path(__file__).resolve()


class RtspServer:
    """`rtsp://127.0.0.1:<port>/cam`, 320 × 240 at 15 frames a second; a moving ball, or a still picture."""

    def __init__(self, port: int = 0, pattern: str = "ball") -> None:
        self.port = port or free_port()
        self._pattern = pattern
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    @staticmethod
    def missing() -> str:
        """Why this machine cannot run one; empty when it can."""
        try:
            done = subprocess.run([PYTHON, str(HERE), "--check"], capture_output=True, text=True, timeout=120)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"no RTSP server here: {error}"
        if done.returncode == 0:
            return ""
        return f"no RTSP server here: {(done.stderr.strip() or 'unknown reason').splitlines()[-1]}"

    def start(self) -> None:
        assert self._process is None
        command = [PYTHON, str(HERE), str(self.port), self._pattern]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int, pattern: str) -> None:
    """Never returns."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    if port < 0:
        for element in ("videotestsrc", "x264enc", "rtph264pay"):
            if Gst.ElementFactory.find(element) is None:
                sys.exit(f"GStreamer has no {element}")
        return
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( videotestsrc is-live=true pattern={pattern} ! video/x-raw,width=320,height=240,framerate=15/1 "
        "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
    )
    factory.set_shared(True)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(-1 if sys.argv[1] == "--check" else int(sys.argv[1]), sys.argv[-1])
