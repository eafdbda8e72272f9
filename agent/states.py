"""What is true of this device, topic by topic, and what of that a broker still has to be told.

What a broker retains is remembered in the outbox, so that it can be taken back after a restart too. Nobody
asks the broker: nothing subscribes to its own topics.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from agent.core.errors import DeviceError
from agent.core.types import Delivery, Message
from agent.core.wire.home_assistant import announces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from agent.core.wire import Wire

    Gone = Callable[[str, str], bool]

log = logging.getLogger(__name__)


def nothing_gone(_camera: str, _below: str) -> bool:
    """There is still whatever any topic of a camera is about."""
    return False


class Notebook(Protocol):
    """Where it is remembered: `adapters.outbox.Outbox`."""

    def store(self) -> None:
        """Write what is in memory alone. DeviceError: the disk refuses."""

    def retain(self, topic: str, *, held: bool) -> bool:
        """Remember that the broker retains this topic, or does so no longer. True: that is new."""

    def retained(self) -> Mapping[str, bool]:
        """Topics that the broker retains (True), or should no longer (False)."""


class States:
    """The latest state of each topic. Any thread may call."""

    def __init__(self, notebook: Notebook, wire: Wire) -> None:
        self._notebook = notebook
        self._wire = wire
        self._lock = threading.Lock()
        self._states: dict[str, Message] = {}
        self._untold: dict[str, None] = {}  # topics that this connection was not told, oldest first

    @property
    def untold(self) -> bool:
        """Whether this connection has to be told something."""
        return bool(self._untold)

    def all(self) -> dict[str, bytes]:
        """Topic → what is true of it; empty where nothing is any more."""
        with self._lock:
            return {topic: message.payload for topic, message in self._states.items()}

    def set(self, message: Message) -> None:
        """What is true of this topic from now on."""
        with self._lock:
            if self._states.get(message.topic) != message:
                log.debug("true of %s: %s", message.topic, message.id)
                self._states[message.topic] = message
                self._untold[message.topic] = None

    def forget(self, topic: str) -> None:
        """Nothing is true of this topic any more."""
        self.set(_nothing(topic))

    def retire(self, cameras: Collection[str], gone: Gone = nothing_gone) -> None:
        """Forget whatever was ever set of other cameras than these, also before a restart.

        `gone(camera, below)`: whether there is no longer what a topic below that of a camera was about.
        """
        with self._lock:
            topics = [topic for topic, message in self._states.items() if message.payload]
        topics += [topic for topic, held in self._notebook.retained().items() if held]
        for topic in dict.fromkeys(topics):
            camera = self._wire.camera_of(topic)
            if camera and (camera not in cameras or gone(camera, self._wire.below(camera, topic))):
                self.forget(topic)

    def announce(self, message: Message | None) -> None:
        """Tell Home Assistant of this device, also where nothing changed: it may have begun anew.

        Announcements on any other topic are forgotten, also those before a restart: it may be switched off
        since (None), or have another prefix.
        """
        kept = message.topic if message else ""
        with self._lock:
            topics = set(self._states)
        topics |= {topic for topic, held in self._notebook.retained().items() if held}
        for topic in topics:
            if topic != kept and announces(topic, self._wire.root):
                self.forget(topic)
        if message is not None:
            with self._lock:
                self._states[kept] = message
                self._untold[kept] = None

    def connected(self) -> None:
        """A new connection is to be told everything: its broker may have forgotten, or remember too much."""
        gone = [topic for topic, held in self._notebook.retained().items() if not held]
        with self._lock:
            for topic in gone:
                if topic.startswith(f"{self._wire.root}/") or announces(topic, self._wire.root):
                    self._states.setdefault(topic, _nothing(topic))
            self._untold = dict.fromkeys(self._states)

    def next(self) -> Message | None:
        """What this connection is to be told next; None when it knows everything.

        Its topic is remembered before that: a kill must not leave one with the broker that nobody knows of.
        """
        with self._lock:
            topic = next(iter(self._untold), None)
            if topic is None:
                return None
            del self._untold[topic]
            message = self._states[topic]
        if message.payload and self._notebook.retain(topic, held=True):
            with suppress(DeviceError):  # whoever stores says so
                self._notebook.store()
        return message

    def told(self, message: Message) -> None:
        """The broker has it."""
        with self._lock:
            if not message.payload and self._states.get(message.topic) is message:
                del self._states[message.topic]
                self._notebook.retain(message.topic, held=False)


def _nothing(topic: str) -> Message:
    """What makes a broker retain nothing on this topic."""
    return Message(topic, b"", "", 0.0, retain=True, delivery=Delivery.STATE)
