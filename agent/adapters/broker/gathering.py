"""paho, with many packets in one call of the kernel, and without its memory of what was sent.

Each way it makes one or three calls for every packet. Of each message it keeps an object with a lock and a
condition, and of each acknowledgement it makes one with a list of all properties there are, for whoever wants
to wait: two thirds of what publishing cost. Nobody waits here, and what has to be sent again is in the
outbox, so what goes out with QoS 1 is known by its identifier alone, and passes by paho's queue. Connecting,
subscribing, keeping alive and what others send stay with paho.

The methods that it reads and writes by are paho's own and undocumented; the tests of the broker would show a
version of paho that has none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import paho.mqtt.client as mqtt

from agent.adapters.broker.packets import publish_packet, read_puback

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.broker.bell import Bell
    from agent.adapters.broker.packets import Packed

_READ_BYTES: Final = 65_536
_GATHER_BYTES: Final = 65_536
"""More is sent at once, as far as the network takes it."""

_PUBACK: Final = 0x40


class GatheringClient(mqtt.Client):
    """What is sent by `send` goes out with `flush`, or before the next that paho sends by itself."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.on_ack: Callable[[tuple[int, ...], int], None] = lambda _tokens, _reason: None
        """Told the tokens of what was acknowledged, and the reason code that all of them had."""
        self._tokens: dict[int, int] = {}  # packet identifier → token
        self._gathered = bytearray()
        self._within = False  # a packet of paho's: some of it, or none yet for want of room, was sent
        self._ahead = b""  # read, and not yet asked for

    def send(
        self, token: int, topic: str, payload: bytes, *, retain: bool, properties: Packed | None
    ) -> None:
        """Publish with QoS 1; `on_ack` follows, or the end of the connection.

        Raises:
            ValueError: a topic that is none.
        """
        identifier = self._mid_generate()
        while identifier in self._tokens:
            identifier = self._mid_generate()
        self._gathered += publish_packet(topic, payload, identifier, retain=retain, properties=properties)
        self._tokens[identifier] = token
        if len(self._gathered) > _GATHER_BYTES:
            self.flush()

    def turn(self, bell: Bell, timeout_s: float, rest_s: float = 0.0) -> None:
        """Send what was gathered; wait for the network or the bell; read, write, keep alive.

        For `rest_s` answers may come together. If none did, the wait is for up to `timeout_s`.
        """
        self.flush()
        sent = len(self._tokens)
        if rest_s:
            bell.wait(rest_s)
            self._work()
            if len(self._tokens) < sent or self.socket() is None:
                return
        bell.wait(timeout_s, self.socket(), writing=bool(self._gathered) or self.want_write())
        self._work()

    def _work(self) -> None:
        """What was read ahead is taken in whole: the socket shows nothing of it."""
        while self._takes_acks() and self.loop_read() == mqtt.MQTT_ERR_SUCCESS and self._ahead:
            pass
        if self.want_write():
            self.loop_write()
        self.loop_misc()

    def flush(self) -> None:
        """Send what was gathered, as far as the network takes it. A broken one is met by who reads."""
        if not self._within:
            with suppress(OSError, ValueError):  # BlockingIOError is one
                self._flush()

    def _takes_acks(self) -> bool:
        """Take in acknowledgements that came. True: what is next, or the end, is for paho to read.

        The end is not looked for behind them: a broker may hang up on whom it refuses, and why has to be told
        before.

        Raises:
            ValueError: one of them is none.
        """
        if self._in_packet["command"]:
            return True  # it is within a packet
        if not self._take_acks() and (not self._ahead or self._ahead[0] == _PUBACK):
            try:
                more = super()._sock_recv(_READ_BYTES)
            except BlockingIOError:
                return False
            except OSError:
                return True  # paho meets it too
            if not more:
                return True
            self._ahead += more
            self._take_acks()
        return bool(self._ahead) and self._ahead[0] != _PUBACK

    def _take_acks(self) -> bool:
        """Those that were read already; whether there was one."""
        data, at = self._ahead, 0
        tokens: list[int] = []
        reason = 0
        while at < len(data) and data[at] == _PUBACK and (ack := read_puback(data, at)):
            at += ack.size
            token = self._tokens.pop(ack.identifier, None)
            if ack.reason != reason and tokens:
                self.on_ack(tuple(tokens), reason)
                tokens.clear()
            reason = ack.reason
            if token is not None:
                tokens.append(token)
        if tokens:
            self.on_ack(tuple(tokens), reason)
        self._ahead = data[at:]
        return at > 0

    def _flush(self) -> None:
        while self._gathered:
            del self._gathered[: super()._sock_send(self._gathered)]

    def _sock_send(self, buf: bytes | bytearray) -> int:
        """Each packet in its place: none between the parts of another, and TLS wants the same bytes again."""
        if not self._within:
            self._flush()
        self._within = True
        sent = super()._sock_send(buf)
        self._within = sent < len(buf)
        return sent

    def _sock_recv(self, bufsize: int) -> bytes:
        data = self._ahead or super()._sock_recv(_READ_BYTES)
        self._ahead = data[bufsize:]
        return data[:bufsize]
