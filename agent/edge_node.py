"""Tells Sparkplug hosts of this device, over a connection of its own: its last will is another than ours.

any thread ──hear──▶ the latest messages ──step──▶ what changed ──▶ broker

A live view: what changes while there is no connection is told with the next birth, as it is then.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from agent.adapters.durable import write_whole
from agent.core.delivery import Ack, Down, Up
from agent.core.edge import asks_for_birth, next_number
from agent.core.errors import DeviceError
from agent.core.incoming import Deaf, Incoming
from agent.core.payload import content
from agent.core.types import Message
from agent.core.wire.sparkplug import (
    host_state,
    host_topic,
)
from agent.core.wire.sparkplug_metrics import (
    KINDS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.delivery import Network, Signal
    from agent.core.edge import Edge, Out
    from agent.core.watched import Watched
    from agent.core.wire import Wire
    from agent.core.wire.sparkplug import Namespace, Payload

log = logging.getLogger(__name__)

_EVERY_S: Final = 0.5
"""Shortest time between two messages of data about one source: what changes meanwhile goes together."""

_REBIRTH_S: Final = 1.0
"""Hosts that ask all at once are answered at once: one sequence of births serves all of them."""

_HEARD: Final = 1_000
"""Messages that wait for the next step, twice a second."""

_COMMAND_BYTES: Final = 65_536
"""A command is some fifty bytes. A larger one is not read: unpacked it may be a hundred times its size."""

_DEATH_S: Final = 1.0
"""How long the broker may take to acknowledge that we go."""

_BIRTH, _DEATH = 0, 1


class Codec(Protocol):
    """Payloads as bytes: `adapters.sparkplug.Codec`."""

    def encode(self, payload: Payload) -> bytes:
        """The bytes of a payload."""

    def decode(self, data: bytes) -> Payload:
        """What they say. ValueError: nothing."""


class EdgeNode:
    """`hear` and `watch` are for any thread, everything else for one."""

    def __init__(
        self,
        connect: Callable[[Callable[[], Message], Sequence[str]], Network],
        edge: Edge,
        codec: Codec,
        names: Namespace,
        memory: Path,
        wire: Wire,
        clock: Clock,
        primary_host: str = "",
    ) -> None:
        """`connect(will, topics)` makes the way to the broker. `memory` is a file of its own.

        Where there is a primary host, nothing is told on a connection until that is there.
        """
        self.report: Callable[[str], None] = lambda _reason: None
        """Is told what is wrong with the connection, and with nothing that all is well again."""
        self._edge = edge
        self._codec = codec
        self._names = names
        self._memory = memory
        self._wire = wire
        self._clock = clock
        self._heard: deque[Message | Mapping[str, Watched]] = deque(maxlen=_HEARD)
        self._number = self._last_number()
        self._born = False
        self._data_at = self._birth_at = clock.monotonic()
        self._rebirth = False
        self._complaint = ""
        self._host = host_topic(primary_host) if primary_host else ""
        self._host_at = 0  # ms, Unix: when it last said whether it is there
        topics = [names.topic("NCMD"), *([self._host] if primary_host else [])]
        self._network = connect(self._will, topics)

    def hear(self, message: Message) -> None:
        """A message of ours, which hosts may want to know of."""
        self._heard.append(message)

    def watch(self, cameras: Mapping[str, Watched]) -> None:
        """These are the cameras from now on."""
        self._heard.append(cameras)

    def run(self) -> None:
        """Until the process stops."""
        while not self._clock.wait(0.0):
            self.step(_EVERY_S)
        self._close()

    def step(self, timeout_s: float) -> None:
        """Take in what was heard, tell what is due, wait for up to `timeout_s` for the broker."""
        while self._heard:
            self._take_in(self._heard.popleft())
        now = self._clock.monotonic()
        if self._born and self._rebirth:
            if now >= self._birth_at:  # until then no data: the host waits for births
                self._send_births(self._edge.again(self._clock.utc()))
        elif self._born and now >= self._data_at:
            self._data_at = now + _EVERY_S
            self._send(self._edge.due(self._clock.utc()))
        for signal in self._network.service(timeout_s):
            self._heed(signal)

    def _take_in(self, heard: Message | Mapping[str, Watched]) -> None:
        if not isinstance(heard, Message):
            self._send(self._edge.watch(heard, self._clock.utc()))
            return
        kind = self._wire.kind(heard.topic)
        if kind in KINDS and heard.payload:
            camera = self._wire.camera_of(heard.topic)
            self._edge.hear(kind, camera, content(heard.payload), heard.utc)

    def _heed(self, signal: Signal) -> None:
        if isinstance(signal, Up):
            self._complain(self._network.warning)
            if self._host:
                self._host_at = 0  # another broker may have heard of it at another time
                log.info("nothing is told before %s says that it is there", self._host)
            else:
                self._be_born()
        elif isinstance(signal, Down):
            self._born = False
            self._edge.lost()
            self._complain(signal.reason)
        elif isinstance(signal, Deaf):
            self._complain(signal.reason)
        elif isinstance(signal, Incoming):
            self._obey(signal)

    def _be_born(self) -> None:
        self._remember()
        self._born = True
        self._send_births(self._edge.birth(self._number, self._clock.utc()))
        log.info("the broker has us as edge node %s", self._names.topic("NBIRTH"))

    def _follow_host(self, incoming: Incoming) -> None:
        """Nobody listens while it is away: what is told then would look as if it had arrived."""
        try:
            online, moment = host_state(incoming.payload)
        except ValueError as error:
            log.warning("%s: %s", incoming.topic, error)
            return
        if moment < self._host_at:
            return  # its last will of a connection before this one
        self._host_at = moment
        if online and not self._born:
            self._be_born()
        elif not online and self._born:
            log.info("%s is not there any more", self._host)
            self._die()
            self._network.drop("the primary host has gone")  # it may be there on another broker

    def _obey(self, incoming: Incoming) -> None:
        if incoming.topic == self._host:
            self._follow_host(incoming)
            return
        if incoming.retained:
            return  # somebody asked some time ago
        try:
            if len(incoming.payload) <= _COMMAND_BYTES and asks_for_birth(
                self._codec.decode(incoming.payload)
            ):
                self._rebirth = True
        except ValueError as error:
            log.debug("%s: %s", incoming.topic, error)

    def _send_births(self, births: Iterable[Out]) -> None:
        self._rebirth = False
        self._birth_at = self._clock.monotonic() + _REBIRTH_S
        self._send(births)

    def _send(self, told: Iterable[Out]) -> None:
        for kind, camera, payload in told:  # where there is no connection any more, all is born again
            self._network.publish(_BIRTH, self._message(kind, camera, payload))

    def _message(self, kind: str, camera: str, payload: Payload, qos: int = 0) -> Message:
        return Message(
            topic=self._names.topic(kind, camera),
            payload=self._codec.encode(payload),
            id="",
            utc=self._clock.utc(),
            qos=qos,
            content_type="application/protobuf",
        )

    def _will(self) -> Message:
        """Of the connection that is about to be made: its number is in its births too."""
        self._number = next_number(self._number)
        return self._message("NDEATH", "", self._edge.death(self._number), qos=1)

    def _close(self) -> None:
        """Say what the will would: the broker does not send that after a farewell."""
        if self._born:
            self._die()
        self._network.close(1.0)

    def _die(self) -> None:
        """At return the broker has it, or does not answer."""
        self._born = False
        self._edge.lost()
        self._network.publish(_DEATH, self._message("NDEATH", "", self._edge.death(self._number), qos=1))
        end = self._clock.monotonic() + _DEATH_S
        while self._clock.monotonic() < end:
            if any(isinstance(each, Ack) and _DEATH in each.tokens for each in self._network.service(0.1)):
                break

    def _last_number(self) -> int:
        """That of the last connection, also before a restart."""
        try:
            return int(self._memory.read_bytes()) % 256
        except FileNotFoundError:
            return -1
        except (OSError, ValueError) as error:
            log.warning(
                "%s: the number of the last connection is not known any more: %s", self._memory, error
            )
            return -1

    def _remember(self) -> None:
        """Once for each connection that a birth is told on: attempts alone write nothing to the card."""
        try:
            write_whole(self._memory, str(self._number).encode())
        except DeviceError as error:
            log.warning("%s", error)

    def _complain(self, reason: str) -> None:
        if reason:
            log.log(logging.DEBUG if reason == self._complaint else logging.WARNING, "sparkplug: %s", reason)
        self._complaint = reason
        self.report(reason)
