"""The machine: its clocks, systemd's notify socket, and this process's memory."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path


class SystemClock:
    """The real clock. `stop()` ends every wait, now and later."""

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def monotonic(self) -> float:
        """Seconds since some moment; never jumps."""
        return time.monotonic()

    def utc(self) -> float:
        """Unix seconds."""
        return time.time()

    def wait(self, seconds: float) -> bool:
        """Sleep; True as soon as `stop()` was called."""
        return self._stopping.wait(seconds) if seconds > 0.0 else self._stopping.is_set()

    def stop(self) -> None:
        """End every wait. Not for a signal handler: what it interrupts may hold the lock that this takes."""
        self._stopping.set()


class Signals:
    """What the process was told: SIGTERM or SIGINT to stop, SIGHUP to read its configuration again.

    A handler runs wherever the main thread stands, also while that holds a lock. So it takes none, not even
    that of an event: it leaves a note, and whoever minds the process looks for it now and then.
    """

    def __init__(self) -> None:
        self.stop = False
        self.reload = False

    def listen(self) -> None:
        """From now on; for the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def _stop(self, *_: object) -> None:
        self.stop = True

    def _reload(self, *_: object) -> None:
        self.reload = True


class Notifier:
    """`sd_notify(3)`: tells systemd READY, STATUS, WATCHDOG, STOPPING; silent when not run by systemd."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        env = os.environ if environment is None else environment
        path = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        usec = env.get("WATCHDOG_USEC", "")
        mine = env.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(usec) / 1e6 if mine and usec.isdigit() and int(usec) > 0 else 0.0
        """Seconds within which WATCHDOG=1 is expected; 0 when systemd does not watch."""

    def send(self, state: str) -> None:
        """Send e.g. `READY=1` or `STATUS=…`; a socket that is gone is not worth failing for."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            try:
                sock.sendto(state.encode(), self._address)
            except OSError:
                return


class Lock:
    """A file that one process holds until it ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take it.

        Raises:
            BlockingIOError: another process holds it.
            OSError: it cannot be opened.
        """
        self._file = path.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise

    def release(self) -> None:
        """Give it back before the process ends."""
        self._file.close()


def hostname() -> str:
    """What this machine calls itself."""
    return socket.gethostname()


def machine() -> str:
    """What it is, as its firmware says (`Raspberry Pi 4 Model B Rev 1.4`), else its architecture."""
    for path in ("/proc/device-tree/model", "/sys/devices/virtual/dmi/id/product_name"):
        with suppress(OSError):
            text = Path(path).read_bytes().decode("utf-8", "replace").strip("\0 \n")
            if text.isprintable() and text:
                return text
    return os.uname().machine


def serial() -> str:
    """The number of this very board, as its firmware says; empty where it says none to everybody."""
    with suppress(OSError):
        text = Path("/proc/device-tree/serial-number").read_bytes().decode("utf-8", "replace").strip("\0 \n")
        return text if text.isprintable() else ""
    return ""


def own_addresses() -> list[str]:
    """The addresses that this machine speaks to the internet from: of IPv4 and IPv6, where it has them."""
    found = []
    # Connecting a datagram socket sends nothing: the kernel only picks the way. Both are for documentation.
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((far, 9))
            found.append(str(sock.getsockname()[0]))
    return found


def temperature_c(zones: Path = Path("/sys/class/thermal")) -> float | None:
    """Degrees Celsius of the hottest part that the kernel measures; None where it measures nothing."""
    found = []
    for file in zones.glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):  # a zone may be switched off
            found.append(int(file.read_bytes()) / 1000)
    return max((each for each in found if -60 < each < 200), default=None)


def resident_mb() -> float:
    """Resident memory of this process in MB (10⁶ bytes); 0 where /proc is not there."""
    try:
        fields = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
