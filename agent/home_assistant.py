"""Shows this device to Home Assistant: at the start, when cameras change, and when that begins anew."""

from __future__ import annotations

import json
import logging
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agent.adapters.durable import write_whole
from agent.core.errors import DeviceError
from agent.core.wire.home_assistant import BIRTH, announcement, platforms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.incoming import Incoming
    from agent.core.types import Message
    from agent.core.watched import Watched
    from agent.core.wire import Wire
    from agent.core.wire.home_assistant import HomeAssistantSettings
    from agent.core.wire.home_assistant_components import Facts

log = logging.getLogger(__name__)

_SPREAD_S: Final = 3.0
"""A fleet does not answer the birth of its Home Assistant in the same moment."""

_REMEMBERED: Final = 1_000
"""Components that were announced once. A camera has three."""


class HomeAssistant:
    """`heed` is for the thread of the network, everything else for one other."""

    def __init__(
        self,
        settings: HomeAssistantSettings | None,
        wire: Wire,
        facts: Facts,
        memory: Path,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Without settings it only takes back what was announced before. `memory` is a file of its own."""
        self._settings = settings
        self._wire = wire
        self._facts = facts
        self._memory = memory
        self._clock = clock
        self._jitter = jitter
        self._announce: Callable[[Message | None], None] = lambda _message: None
        self._due: float | None = None  # s, monotonic: when to announce again

    @property
    def topics(self) -> tuple[str, ...]:
        """What has to be subscribed to."""
        return (self._settings.birth_topic,) if self._settings else ()

    def begin(self, announce: Callable[[Message | None], None]) -> None:
        """`announce(message)` tells the broker from now on; None: there is nothing to tell."""
        self._announce = announce
        self._say()

    def watch(self, cameras: Mapping[str, Watched]) -> None:
        """These are the cameras from now on."""
        if dict(cameras) != dict(self._facts.cameras):
            self._facts = replace(self._facts, cameras=cameras)
            self._say()

    def heed(self, incoming: Incoming) -> bool:
        """Whether it was for us: Home Assistant comes or goes."""
        if incoming.topic not in self.topics:
            return False
        if incoming.payload == BIRTH:
            self._due = self._clock.monotonic() + _SPREAD_S * self._jitter()
        return True

    def tend(self) -> None:
        """Several times a second."""
        due = self._due
        if due is not None and self._clock.monotonic() >= due:
            self._due = None
            log.info("Home Assistant has begun: it is told of this device again")
            self._say()

    def _say(self) -> None:
        if self._settings is None:
            self._announce(None)  # a broker that takes it back has Home Assistant forget all components
            self._memory.unlink(missing_ok=True)
            return
        known = self._known()
        message = announcement(self._wire, self._settings.prefix, self._facts, known, self._clock.utc())
        now = known | platforms(message)
        if now != known:
            self._remember(dict(list(now.items())[-_REMEMBERED:]))
        self._announce(message)

    def _known(self) -> dict[str, str]:
        """Component → platform of all that were ever announced."""
        try:
            known = json.loads(self._memory.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s: which components were announced is not known any more: %s", self._memory, error)
            return {}
        return {str(key): str(platform) for key, platform in known.items()} if isinstance(known, dict) else {}

    def _remember(self, known: Mapping[str, str]) -> None:
        """Before the broker has it: a kill must not leave a component there that nobody knows of."""
        try:
            write_whole(self._memory, json.dumps(known).encode())
        except DeviceError as error:
            log.warning("%s", error)
