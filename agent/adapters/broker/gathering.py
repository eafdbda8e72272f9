"""paho, with many packets in one call of the kernel: each way it makes one or three for every packet.

Both methods that it reads and writes by are paho's own and undocumented; the tests of the broker would show
a version of paho that has none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as mqtt

_READ_BYTES: Final = 65_536
_GATHER_BYTES: Final = 65_536
"""More is not gathered: it is sent as it comes."""


class GatheringClient(mqtt.Client):
    """What is sent while `gathering` goes out by `flush`, or before the next that is sent without."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.gathering = False
        self._gathered = bytearray()
        self._ahead = b""  # read, and not yet asked for

    @property
    def unsent(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._gathered)

    def turn(self) -> None:
        """Read, write, keep alive. What was read ahead is taken in whole: the socket shows nothing of it."""
        read = self.loop_read()
        while self._ahead and read == mqtt.MQTT_ERR_SUCCESS:
            read = self.loop_read()
        self.loop_write()
        self.loop_misc()

    def flush(self) -> None:
        """Send what was gathered, as far as the network takes it. A broken one is met by who reads."""
        with suppress(OSError, ValueError):  # BlockingIOError is one
            self._flush()

    def _flush(self) -> None:
        while self._gathered:
            del self._gathered[: super()._sock_send(self._gathered)]

    def _sock_send(self, buf: bytes | bytearray) -> int:
        if self.gathering and len(self._gathered) < _GATHER_BYTES:
            self._gathered += buf
            return len(buf)
        self._flush()  # each in its place
        return super()._sock_send(buf)

    def _sock_recv(self, bufsize: int) -> bytes:
        data = self._ahead or super()._sock_recv(_READ_BYTES)
        self._ahead = data[bufsize:]
        return data[:bufsize]
