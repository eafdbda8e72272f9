"""A device as far as sync goes: a state directory, a server to ask, and a clock that tests move."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.adapters.catalogue import open_catalogue
from agent.adapters.embedder import EmbedderSettings, read_spec
from agent.adapters.library import Library
from agent.adapters.server import IndexServer, SyncSettings
from agent.adapters.system import SystemClock
from agent.core.syncing import Outcome
from agent.sight import open_folder
from agent.sync import Sync, Taker
from tests.support.head_office import DIMENSION, FINGERPRINT
from tests.support.static_host import StaticHost


class MovedClock(SystemClock):
    """Real time plus what the test says; pauses between tries are short."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0

    def utc(self) -> float:
        return super().utc() + self.ahead_s

    def set(self, year: int) -> None:
        self.ahead_s = datetime(year, 1, 1, tzinfo=UTC).timestamp() - super().utc()

    def wait(self, seconds: float) -> bool:
        return super().wait(min(seconds, 0.01))


class Device:
    """What a device has: a state directory, a clock, and a sync that a restart makes anew."""

    def __init__(
        self, state: Path, host: StaticHost, root: Path, model: EmbedderSettings | None = None
    ) -> None:
        """With a `model`, catalogues are opened with the eyes that they are for, be they their own."""
        self.state, self.host, self.root, self.model = state, host, root, model
        self.clock = MovedClock()
        self.library = Library(state)
        self.channel, self.device = "default", "test/dev-1"
        self.fingerprint = read_spec(model).fingerprint if model else FINGERPRINT
        self.restart()

    def restart(self, **more: Any) -> None:
        quick = {"timeout_s": 0.5, "stall_s": 0.5}
        settings = SyncSettings(url=self.host.url, root=str(self.root), channel=self.channel, **quick, **more)
        server = IndexServer(settings, self.state / "tuf", self.clock)
        taker = Taker(device=self.device, channel=self.channel, fingerprint=self.fingerprint)
        self.sync = Sync(server, self.library, taker, self.trial, self.clock)

    def trial(self, folder: Path) -> str:
        if self.model is None:
            catalogue = open_catalogue(folder, self.fingerprint, DIMENSION)
        else:
            _, catalogue = open_folder(folder, self.model)
        catalogue.close()
        return catalogue.release

    def round(self, *, insist: bool = False) -> Outcome:
        return self.sync.round(insist=insist)

    @property
    def number(self) -> int:
        """Of the generation in use, which is opened to see that it is whole; 0 for none."""
        current = self.library.current()
        if current is None:
            return 0
        assert self.trial(self.library.folder(current)) == current.release
        return current.number
