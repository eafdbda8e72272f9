"""What is recognised with: changed between two frames, and what is said of it on `/info` and `/index`."""

from __future__ import annotations

import platform
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent import __version__
from agent.core.errors import DeviceError
from agent.core.expecting import carries_nothing
from agent.learning import Teacher
from agent.parts import library_of, make_pipeline, make_sync, open_generation, open_overlay
from agent.sighting import Unknowns
from agent.standing import expect_round, index_status
from agent.updating import Updater

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.adapters.overlay import Overlay
    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.core.learned import Counts
    from agent.core.syncing import Generation
    from agent.core.types import Message
    from agent.core.wire import IndexStatus, Wire
    from agent.health import Health
    from agent.metrics import Metrics
    from agent.parts import Sight
    from agent.pipeline import Pipeline
    from agent.recognising import Recogniser
    from agent.viewing import Proposer


class Holding:
    """The sight in use. The sync thread changes it, any thread may ask."""

    def __init__(
        self,
        settings: Settings,
        sight: Sight,
        recogniser: Recogniser,
        wire: Wire,
        tell: Callable[[Message], None],
        health: Health,
        clock: Clock,
        metrics: Metrics | None = None,
        clear: Callable[[bytes], bytes] = lambda picture: picture,
    ) -> None:
        """`sight` is what `recogniser` begins with; `tell(message)` is for what is true from then on;
        `clear(jpeg)`: a picture that is kept, without people.
        """
        self._settings = settings
        self._carried = settings.decision.carried
        self._sight = sight
        self._recogniser = recogniser
        self._wire = wire
        self._tell = tell
        self._health = health
        self._clock = clock
        self._metrics = metrics
        self._next_utc: float | None = None  # when the next round of sync is due
        self._identified_utc: float | None = None  # s, Unix: when somebody last asked which device this is
        self._trouble = ""  # with syncing, if more than the disk says
        self._counts: Counts | None = None  # of what was learned, as they were last told
        self._index: IndexStatus | None = None  # as it was last told
        self._store: Overlay | None = None  # the teacher's own
        self._teacher: tuple[Sight, Teacher] | None = None
        self.unknowns = Unknowns(
            settings.unknown,
            Path(settings.state_dir),
            lambda: self._sight.memory,
            wire,
            tell,
            partial(health.report, "unknown"),
            clock,
            clear,
        )
        self._compare_assortment()

    @property
    def release(self) -> str:
        """Of the catalogue in use; empty while there is none."""
        return self._sight.memory.release

    @property
    def sight(self) -> Sight:
        """What is recognised with at this moment."""
        return self._sight

    @property
    def recogniser(self) -> Recogniser:
        """Who recognises with it."""
        return self._recogniser

    @property
    def versions(self) -> dict[str, str]:
        """Part → its version."""
        return {
            "spotter": __version__,
            "python": platform.python_version(),
            "runtime": self._sight.eyes.runtime,
        }

    @property
    def index(self) -> IndexStatus | None:
        """What was last told on `/index`; None before that."""
        return self._index

    def pipeline(self, settings: Settings, proposers: Mapping[str, Proposer]) -> Pipeline:
        """One of another configuration, with the sight in use. `proposers`: as `make_pipeline`."""
        sight = self._sight
        made = make_pipeline(settings, sight.eyes, sight.memory, self._clock, self._metrics, proposers)
        self._carried = settings.decision.carried
        self._compare_assortment()
        return made

    def updater(self) -> Updater | None:
        """The loop that looks for releases; None where no server is configured.

        Raises:
            ConfigError: the root metadata or the certificates cannot be used.
        """
        settings = self._settings
        if settings.sync is None:
            return None
        return Updater(
            sync=make_sync(settings, self._clock, lambda: self._sight.eyes),
            shelf=library_of(settings),
            use=self.use,
            say=self.say_index,
            clock=self._clock,
            interval_s=settings.sync.interval_s,
            in_use=self.release,
        )

    def use(self, generation: Generation) -> None:
        """Recognise with it, and with its eyes. The old ones go when the last frame has let them go.

        Raises:
            CatalogueError: it cannot be used; what was in use still is.
        """
        self._sight = open_generation(self._settings, self._sight.eyes, generation)
        self._recogniser.adopt(self._sight.memory, self._sight.eyes)
        self._compare_assortment()
        self.say_info()

    def identify(self) -> None:
        """Tell the broker that somebody asked which device this is."""
        self._identified_utc = self._clock.utc()
        self.say_info()

    def say_info(self) -> None:
        """Tell the broker what runs here."""
        eyes = self._sight.eyes
        self._tell(
            self._wire.info(
                utc=self._clock.utc(),
                versions=self.versions,
                model=f"{eyes.spec.name} {eyes.fingerprint[:12]}",
                release=self.release,
                capabilities=["recognition", *(f"command/{name}" for name in self._settings.commands.allow)],
                identified_utc=self._identified_utc,
            )
        )

    def say_index(self, next_s: float | None, trouble: str = "") -> None:
        """Tell the broker how the catalogue and syncing stand.

        `next_s`: seconds until the next round. `trouble`: what is wrong, if more than the disk says.
        """
        self._next_utc = None if next_s is None else self._clock.utc() + next_s
        if self._next_utc is not None:
            with suppress(DeviceError):  # the round itself meets the disk, and says so
                expect_round(self._settings, self._next_utc)
        self._trouble = trouble
        self._say_index()

    def tend(self) -> None:
        """Several times a second: tell what this device learned when that has changed, and what is wrong."""
        memory = self._sight.memory
        _ = memory.version  # looks, also while no camera sends a frame
        self._health.report("learned", memory.problem)
        if memory.counts != self._counts:
            self._say_index()
        self.unknowns.tend()

    def teacher(self) -> Teacher:
        """Of the sight in use, the same one until it changes. For one thread.

        Raises:
            DeviceError: the disk cannot be used.
            ConfigError: a newer Spotter wrote what was learned.
        """
        sight = self._sight
        if self._teacher is None or self._teacher[0] is not sight:
            self._store = self._store or open_overlay(self._settings)
            self._teacher = (sight, Teacher(self._store, sight.eyes, sight.memory, self._clock))
        return self._teacher[1]

    def _say_index(self) -> None:
        self._counts = self._sight.memory.counts
        status = index_status(self._settings, in_use=self.release, learned=self._counts)
        status = replace(status, next_poll_utc=self._next_utc, error=self._trouble or status.error)
        self._index = status
        self._tell(self._wire.index(status, self._clock.utc()))
        self._health.report("sync", status.error)

    def _compare_assortment(self) -> None:
        """Say so when the catalogue, if there is one, has nothing of what the store carries."""
        with suppress(DeviceError):  # recognising meets the table, and says so
            memory = self._sight.memory
            problem = carries_nothing(self._carried, memory) if memory.release else ""
            self._health.report("assortment", problem)
