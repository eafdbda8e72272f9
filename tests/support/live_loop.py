"""The recognise loop in a thread of its own, fed as a live camera feeds it: what it has not taken is replaced."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from agent.adapters.system import SystemClock
from agent.apps.watch import Watch
from agent.channel import Latest
from agent.core.types import Frame
from agent.core.wire import Wire
from agent.metrics import Metrics
from agent.parts import make_pipeline
from agent.recognising import Recogniser
from tests.support.road import COLOURS, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.adapters.catalogue import Catalogue
    from agent.adapters.embedder import Embedder
    from agent.capturing import Lost
    from agent.config import Settings
    from agent.core.types import Message


class LiveLoop:
    """Runs from the start. It is its own store: facts stay in memory."""

    def __init__(self, settings: Settings, eyes: Embedder, catalogue: Catalogue) -> None:
        self.mailbox: Latest[Frame | Lost] = Latest()
        self.frames = 0
        self._clock = SystemClock()
        self._payloads: list[bytes] = []
        self.recogniser = Recogniser(
            make_pipeline(settings, eyes, catalogue), {"cam": Watch()}, self.mailbox, self,
            Wire("spotter", "test", "dev-1").event, lambda *_: None, lambda: None, self._clock, Metrics(),
        )  # fmt: skip
        self._thread = threading.Thread(target=self.recogniser.run, args=(0.1,))
        self._thread.start()

    def put(self, messages: Sequence[Message]) -> None:
        self._payloads += [message.payload for message in messages]

    def show_next(self) -> None:
        """The next product in a scene of its own."""
        image = picture(self.frames % COLOURS, self.frames)
        frame = Frame("cam", self.frames, self._clock.monotonic(), self._clock.utc(), image, cut=True)
        self.mailbox.put("cam", frame)
        self.frames += 1

    def finish(self) -> None:
        """Let it take what is there, and end."""
        self.mailbox.close()
        self._clock.stop()
        self._thread.join()

    def new(self) -> list[dict[str, Any]]:
        """What was told when a thing was new, in order."""
        return [told for told in map(json.loads, self._payloads) if told["phase"] == "new"]
