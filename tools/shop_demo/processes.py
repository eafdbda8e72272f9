"""The programs that the demo starts: each has a log, ends when told to, and never outlives the demo."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

START_S = 15.0
"""Longest time until a broker listens, on a small machine that does other things too."""

END_S = 10.0
"""Longest time a program gets to end in good order; the agent needs up to 5 s for each of its threads."""

ATTEMPTS = 5
"""Somebody else may take the free port between our look and the broker's start."""


class DemoError(Exception):
    """The demo cannot go on, in one sentence for the person who started it."""


class Program:
    """A program in a session of its own: Ctrl-C in a terminal reaches the demo alone, which ends it."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        """Start it. Where `setpriv` is at hand the kernel ends it, should the demo be killed."""
        tied = [shutil.which("setpriv") or "", "--pdeathsig", "TERM", "--"]
        self.name = name
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*(tied if tied[0] else []), *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def last_lines(self, count: int = 20) -> str:
        """The end of what it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-count:])

    def wait(self, given_up: Callable[[], bool]) -> int | None:
        """Its exit code, or None as soon as `given_up()`."""
        while not given_up():
            try:
                return self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        return None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help. Harmless when it has ended."""
        if self.ended:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_broker(folder: Path, port: int = 0) -> tuple[Program, int]:
    """A mosquitto on a port of the loopback interface that keeps nothing on disk, and its port.

    `port` 0: any that is free.

    Raises:
        DemoError: it is not installed, or does not start.
    """
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/sbin")
    if program is None:
        raise DemoError("mosquitto is missing. Install it with: sudo apt-get install mosquitto")
    config = folder / "mosquitto.conf"
    # Started by root it would become another user, and so lose the tie that ends it with the demo.
    user = pwd.getpwuid(os.getuid()).pw_name
    broker = None
    for _ in range(ATTEMPTS):
        port = port or free_port()
        config.write_text(
            f"user {user}\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
            "persistence false\nlog_dest stderr\n"
            "max_queued_messages 0\n"  # else a listener that is slow misses some
        )
        broker = Program("broker", [program, "-c", str(config)], folder / "mosquitto.log")
        if _listens(broker, port):
            return broker, port
        broker.stop()
    raise DemoError(f"mosquitto does not start:\n{broker.last_lines() if broker else ''}")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _listens(broker: Program, port: int) -> bool:
    end = time.monotonic() + START_S
    while time.monotonic() < end and not broker.ended:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False
