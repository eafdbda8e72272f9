"""Server-sent events: what happens, as it happens, to whoever looks. Nobody is waited for.

    any thread ──hear──▶ the loop of the server ──▶ one bounded queue per reader ──▶ its connection

A reader that does not keep up is sent away, and comes again by itself, as browsers do. Of what takes the
place of something older (what a camera shows now) only the latest waits. While nobody looks the device is not
listened to at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from agent.adapters.web.asking import dumped
from agent.core.access import Role
from agent.core.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Send

    from agent.adapters.web.device import Device, Note

log = logging.getLogger(__name__)

READERS: Final = 32
_QUEUE: Final = 128
"""Notes that wait for one reader: some 100 KB."""

_TICK_S: Final = 1.0
_LASTS_S: Final = 1800.0
"""A reader then comes again: whether it still may is asked anew."""

_OF_THE_KIOSK: Final = frozenset({"kiosk"})
"""Kinds of message that the kiosk's role hears of."""


class Reader:
    """One connection. For the thread of the server."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._waiting: OrderedDict[object, Note] = OrderedDict()
        self._changed = asyncio.Event()
        self.ended = False

    def put(self, note: Note) -> None:
        """Leave it, where this reader may hear of it."""
        if self.ended or (self._role < Role.VIEWER and note.kind not in _OF_THE_KIOSK):
            return
        if note.slot and note.slot in self._waiting:
            self._waiting[note.slot] = note
            return
        if len(self._waiting) >= _QUEUE:
            self.end()
            return
        self._waiting[note.slot or object()] = note
        self._changed.set()

    def end(self) -> None:
        """It gets nothing more."""
        self.ended = True
        self._waiting.clear()
        self._changed.set()

    async def take(self, timeout_s: float) -> list[Note]:
        """What waits; nothing after that long."""
        if not self._waiting and not self.ended:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                return []
        notes = list(self._waiting.values())
        self._waiting.clear()
        return notes


class Hub:
    """All readers. `serve` and `close` are for the thread of the server."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._readers: set[Reader] = set()
        self._leave: Callable[[], None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether there are as many readers as there may be."""
        return len(self._readers) >= READERS or self._closed

    async def serve(self, role: Role, receive: Receive, send: Send, greeting: list[Note]) -> None:
        """Tell one reader everything until it goes, is sent away, or has been here for long."""
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"x-accel-buffering", b"no"),
                ],
            }
        )
        reader = Reader(role)
        for note in greeting:
            reader.put(note)
        self._join(reader)
        gone = asyncio.ensure_future(_gone(receive, reader))
        try:
            await self._tell(reader, send)
        finally:
            gone.cancel()
            self._drop(reader)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def close(self) -> None:
        """Send everybody away."""
        self._closed = True
        for reader in self._readers:
            reader.end()

    async def _tell(self, reader: Reader, send: Send) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _LASTS_S
        await _send(send, "retry: 2000\n\n")
        while not reader.ended and loop.time() < end:
            notes = await reader.take(15.0)
            text = "".join(f"event: {note.name}\ndata: {dumped(note.body)}\n\n" for note in notes)
            await _send(send, text or ": still here\n\n")

    def _join(self, reader: Reader) -> None:
        self._readers.add(reader)
        if self._leave is None:
            loop = asyncio.get_running_loop()

            def hear(note: Note) -> None:
                try:
                    loop.call_soon_threadsafe(self._put, note)
                except RuntimeError:  # the loop has ended; whoever calls goes on
                    log.debug("nobody hears %s any more", note.name)

            self._leave = self._device.follow(hear)
            self._ticker = loop.create_task(self._tick())

    def _drop(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if not self._readers and self._leave is not None:
            self._leave()
            self._leave = None
            if self._ticker is not None:
                self._ticker.cancel()

    def _put(self, note: Note) -> None:
        for reader in self._readers:
            reader.put(note)

    async def _tick(self) -> None:
        while True:
            try:
                for note in await to_thread.run_sync(self._device.tick):
                    self._put(note)
            except (AgentError, ValueError) as error:
                log.debug("nothing to tell now: %s", error)
            await asyncio.sleep(_TICK_S)


async def _gone(receive: Receive, reader: Reader) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.end()


async def _send(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})
