"""What is recognised with: changed between two frames, and what is said of it on `/info` and `/index`."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent import __version__
from agent.adapters.library import Library
from agent.parts import index_status, make_pipeline, make_sync, open_generation
from agent.updating import Updater

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.core.syncing import Generation
    from agent.core.types import Message
    from agent.core.wire import Wire
    from agent.health import Health
    from agent.parts import Sight
    from agent.pipeline import Pipeline
    from agent.recognising import Recogniser


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
    ) -> None:
        """`sight` is what `recogniser` begins with; `tell(message)` is for what is true from then on."""
        self._settings = settings
        self._sight = sight
        self._recogniser = recogniser
        self._wire = wire
        self._tell = tell
        self._health = health
        self._clock = clock

    @property
    def release(self) -> str:
        """Of the catalogue in use; empty while there is none."""
        return self._sight.memory.release

    def pipeline(self, settings: Settings) -> Pipeline:
        """One of another configuration, with the sight in use."""
        sight = self._sight
        return make_pipeline(settings, sight.eyes, sight.memory)

    def updater(self) -> Updater | None:
        """The loop that looks for releases; None where no server is configured.

        Raises:
            ConfigError: the root metadata or the certificates cannot be used.
        """
        settings = self._settings
        if settings.sync is None:
            return None
        return Updater(
            sync=make_sync(settings, self._sight.eyes, self._clock),
            shelf=Library(Path(settings.state_dir)),
            use=self.use,
            say=self.say_index,
            clock=self._clock,
            interval_s=settings.sync.interval_s,
            in_use=self.release,
        )

    def use(self, generation: Generation) -> None:
        """Recognise with it. The old catalogue goes when the last frame has let it go.

        Raises:
            CatalogueError: it cannot be used; what was in use still is.
        """
        self._sight = open_generation(self._settings, self._sight.eyes, generation)
        self._recogniser.adopt(self._sight.memory)
        self.say_info()

    def say_info(self) -> None:
        """Tell the broker what runs here."""
        eyes = self._sight.eyes
        self._tell(
            self._wire.info(
                utc=self._clock.utc(),
                versions={
                    "spotter": __version__,
                    "python": platform.python_version(),
                    "runtime": eyes.runtime,
                },
                model=f"{eyes.spec.name} {eyes.fingerprint[:12]}",
                release=self.release,
                capabilities=["recognition"],
            )
        )

    def say_index(self, next_s: float | None) -> None:
        """Tell the broker how the catalogue and syncing stand. `next_s`: seconds until the next round."""
        utc = self._clock.utc()
        next_utc = None if next_s is None else utc + next_s
        status = replace(index_status(self._settings, next_utc), release=self.release)
        self._tell(self._wire.index(status, utc))
        self._health.report("sync", status.error)
