"""Decisions for a person to look at again: noted where they are made, kept and answered by other threads.

recognise ──note──▶ tracks that may change ──tend (main)──▶ disk ◀── list, answer (pages)
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from contextlib import closing, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

from agent.adapters.decisions import Decisions
from agent.adapters.images import shrunk_jpeg
from agent.core.errors import AgentError, CatalogueError, DeviceError, InputError
from agent.core.review import Decided, body_of, kind_of
from agent.core.types import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.review import Answer, Kept, ReviewSettings
    from agent.core.types import Frame, Recognition
    from agent.memory import DeviceMemory

log = logging.getLogger(__name__)

FOLDER: Final = "review"
"""Within the state directory."""

FOLLOWED: Final = 64
"""Tracks whose answer may still change; the oldest is taken as it is when another one comes."""

WAITING: Final = 128
"""Decisions between two beats of the main thread; more is a flood, of which the latest are enough."""

REMEMBERED: Final = 1024
"""Tracks that may turn out sure after they were kept, and are dropped then."""

SETTLED_S: Final = 10.0
"""An answer that did not change for so long is one: that of the first look often is not the last."""

TAKEN_S: Final = 2.0
"""Between two writes: an SD card wears out by their number, not by their size."""

TIDIED_S: Final = 600.0
"""What is too old goes also where nothing new comes."""

SIDE_PX: Final = 512
QUALITY: Final = 85
PICTURE_BYTES: Final = 120_000
"""Of one picture: 512 pixels of a package have 40 to 80 KB."""

Noted = tuple["Recognition", bytes]


class Reviews:
    """`note` is for the thread that recognises, `tend` and `close` for the main one, the rest for any."""

    def __init__(
        self,
        settings: ReviewSettings,
        state: Path,
        memory: Callable[[], DeviceMemory],
        report: Callable[[str], None],
        clock: Clock,
        clear: Callable[[bytes], bytes] = lambda picture: picture,
    ) -> None:
        """`memory()`: what is recognised with. `report(reason)`: what is wrong with keeping them.
        `clear(jpeg)`: the picture without people, for the thread that keeps it.
        """
        self.settings = settings
        self._folder = state / FOLDER
        self._memory = memory
        self._report = report
        self._clock = clock
        self._clear = clear
        self._following: OrderedDict[str, Noted] = OrderedDict()  # track → what was last told of it
        self._ready: deque[Noted] = deque(maxlen=WAITING)
        self._taken: OrderedDict[str, None] = OrderedDict()  # tracks that went to the disk, the latest ones
        self._noting = Lock()  # of the three above; never held while anything waits
        self._store: Decisions | None = None
        self._using = Lock()  # of the store
        self._next = 0.0  # s, monotonic: not before then
        self._tidied = float("-inf")  # s, monotonic

    def note(self, recognitions: Sequence[Recognition], frame: Frame | None) -> None:
        """What was just told; `frame` shows it as others may see it, unless it went away without one."""
        if not self.settings.keep:
            return
        for each in recognitions:
            track = each.track.id
            worth = kind_of(each, self.settings) is not None
            shown = worth and self.settings.pictures and each.phase is not Phase.END
            picture = _crop(frame, each) if shown and frame is not None else b""
            with self._noting:
                before = self._following.pop(track, None)
                if not worth and track not in self._taken:
                    continue  # sure, as most are: nothing is to be done about it
                noted = (each, picture or (before[1] if before is not None else b""))
                if each.phase is Phase.END:
                    self._ready.append(noted)
                    continue
                self._following[track] = noted
                if len(self._following) > FOLLOWED:
                    self._ready.append(self._following.popitem(last=False)[1])

    def tend(self) -> None:
        """Several times a second: what is settled goes to the disk now and then."""
        now = self._clock.monotonic()
        if not self.settings.keep or now < self._next:
            return
        self._next = now + TAKEN_S
        self._take(settled=now - SETTLED_S)

    def close(self) -> None:
        """Keep what was noted last, and let the disk go."""
        if self.settings.keep:
            self._take(settled=self._clock.monotonic())
        with self._using:
            if self._store is not None:
                self._store.close()
                self._store = None

    def listed(self, *, answered: bool, limit: int) -> tuple[list[Kept], dict[Answer, int]]:
        """Decisions with or without an answer, and how many have which.

        Raises:
            InputError: none are kept here.
            DeviceError, ConfigError: the file cannot be used.
        """
        with self._opened() as store:
            return store.listed(answered=answered, limit=limit), store.counts()

    def get(self, number: int) -> Kept | None:
        """The decision with this number; None where there is none. Raises as `listed`."""
        with self._opened() as store:
            return store.get(number)

    def picture(self, kept: Kept) -> bytes:
        """What it showed. InputError: the picture is missing or damaged. Or as `listed`."""
        with self._opened() as store:
            return store.pictures.get(kept.picture)

    def answer(self, number: int, answer: Answer, sku: str) -> bool:
        """Keep what a person says; whether there is such a decision. Raises as `listed`."""
        with self._opened() as store:
            return store.answer(number, answer, sku)

    def _take(self, settled: float) -> None:
        """Everything that ended, or of which nothing was told since `settled`, to the disk."""
        with self._noting:
            while self._following and next(iter(self._following.values()))[0].at <= settled:
                self._ready.append(self._following.popitem(last=False)[1])
            taken = list(self._ready)
            self._ready.clear()
            for told, _ in taken:
                self._taken[told.track.id] = None
            while len(self._taken) > REMEMBERED:
                self._taken.popitem(last=False)
        try:
            with self._opened() as store:
                if taken or self._clock.monotonic() >= self._tidied + TIDIED_S:
                    store.take([self._decided(*each) for each in taken], self.settings, self._clock.utc())
                    self._tidied = self._clock.monotonic()
            self._report(
                f"decisions were damaged and set aside: {store.moved_aside}" if store.moved_aside else ""
            )
        except AgentError as error:
            with self._noting:
                room = WAITING - len(self._ready)
                self._ready.extendleft(reversed(taken[len(taken) - min(room, len(taken)) :]))
            self._report(str(error))

    def _decided(self, told: Recognition, picture: bytes) -> Decided:
        track = told.track
        kind = kind_of(told, self.settings)
        if kind is None:
            return Decided(track.id, track.camera, told.utc, None)
        return Decided(
            track.id, track.camera, told.utc, kind, body_of(told, self._keys(told)), self._clear(picture)
        )

    def _keys(self, told: Recognition) -> dict[str, int]:
        """SKU → the reference that came nearest in any of its looks."""
        memory = self._memory()
        if memory.release != told.release:
            return {}  # numbers of another catalogue
        seen = (each for look in told.track.looks for each in look.candidates)
        nearest = {each.product: each.key for each in sorted(seen, key=lambda each: each.similarity)}
        try:
            products = {each.sku: memory.by_sku(each.sku) for each in told.options}
        except CatalogueError:
            return {}  # the page shows another picture of the product, or says why it cannot
        return {
            sku: nearest[product.no]
            for sku, product in products.items()
            if product is not None and product.no in nearest
        }

    @contextmanager
    def _opened(self) -> Iterator[Decisions]:
        if not self.settings.keep:
            raise InputError(
                "review: expected review.keep above 0 in the configuration, found 0: nothing is kept"
            )
        with self._using:
            if self._store is None:
                self._store = Decisions(self._folder)
            try:
                yield self._store
            except DeviceError:  # opened again it is looked through, and set aside where it is damaged
                self._store.close()
                self._store = None
                raise


def kept(state: Path) -> list[Kept]:
    """What is kept in a state directory, hard ones first; nothing is made where nothing is.

    Raises:
        DeviceError: it cannot be read.
        ConfigError: a newer Spotter wrote it.
    """
    if not (state / FOLDER).exists():
        return []
    with closing(Decisions(state / FOLDER)) as store:
        return store.listed()


def _crop(frame: Frame, recognition: Recognition) -> bytes:
    x1, y1, x2, y2 = recognition.track.region.box
    part = frame.image[max(0, y1) : y2, max(0, x1) : x2]
    return shrunk_jpeg(part, SIDE_PX, QUALITY, PICTURE_BYTES)[0] if part.size else b""
