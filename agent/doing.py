"""Commands are done here: one method for each entry of `core/commands.py`."""

from __future__ import annotations

import logging
from base64 import b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.answers import AnswerBook
from agent.adapters.images import shrunk_jpeg
from agent.adapters.system import hostname, machine, own_addresses
from agent.commanding import Commander
from agent.core.commands import SNAPSHOT_BYTES
from agent.core.errors import AgentError, InputError
from agent.core.payload import rfc3339
from agent.learning import Picture
from agent.lookup import Lookup
from agent.parts import library_of
from agent.receiving import Receiving
from agent.searching import describe
from agent.selftest import run_checks
from agent.shelving import Shelving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.core.requests import Command
    from agent.core.types import Message
    from agent.core.wire import Wire
    from agent.gate import Gate
    from agent.health import Health
    from agent.holding import Holding
    from agent.learning import Teacher
    from agent.loglevel import LogLevel
    from agent.metrics import Metrics

log = logging.getLogger(__name__)

_SYNC_NEEDED: Final = "expected sync in the configuration, found no such key"


@dataclass(slots=True, kw_only=True)
class Doing:
    """What a command may touch. Used by one thread, and it may take its time: nobody waits for it."""

    settings: Settings  # as they were at the start
    holding: Holding
    gate: Gate
    health: Health
    log_level: LogLevel
    resync: Callable[[], None] | None  # has the next look for a release at once; None without a server
    reload: Callable[[], AbstractSet[str]]  # takes the file over: what changed; AgentError: nothing
    clock: Clock
    lookup: Lookup = field(init=False)
    _began: float = field(init=False)
    _settled: Teacher | None = field(init=False, default=None)
    _complaint: str = field(init=False, default="")
    receiving: Receiving = field(init=False)
    shelving: Shelving = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock.monotonic()
        self.receiving = Receiving(self.holding.recogniser, lambda: self.holding.sight.memory)
        self.shelving = Shelving(self.holding.recogniser, Path(self.settings.state_dir))
        self.lookup = Lookup(self.settings, lambda: self.holding.sight, self.clock)

    def commander(self, wire: Wire, answer: Callable[[Message], None], metrics: Metrics) -> Commander:
        """Who has it done: takes what comes from the network, and answers."""
        book = AnswerBook(Path(self.settings.state_dir) / "answers.db")
        return Commander(self, book, self.settings.commands.allow, wire, answer, self.clock, metrics)

    @property
    def deeds(self) -> dict[str, Callable[..., Mapping[str, Any]]]:
        """By name of the command; each takes the arguments that its form says."""
        return {
            "enrol": self._enrol,
            "forget": self._forget,
            "resync": self._resync,
            "rollback": self._rollback,
            "reload": self._reload,
            "pause": self._pause,
            "resume": self._resume,
            "identify": self._identify,
            "log_level": self._log_level,
            "self_test": self._self_test,
            "snapshot": self._snapshot,
            "find": self._find,
            "accept_view": self.shelving.accept_view,
            "shipment/open": self._open_shipment,
            "shipment/close": self.receiving.close,
        }

    def do(self, command: Command) -> Mapping[str, Any]:
        """Do it; what came of it.

        Raises:
            AgentError: it was not done.
            ValueError: likewise: nothing can be made of a picture.
        """
        return self.deeds[command.name](**command.arguments)

    def tend(self) -> None:
        """Twice a second. Lets each new release settle what was learned, so that nobody else writes to it."""
        self.log_level.tend(self.clock.monotonic())
        self.receiving.tend()
        self.shelving.tend()
        self.lookup.tend()
        try:
            teacher = self.holding.teacher()
            if teacher is not self._settled:
                teacher.settle()
                first, self._settled = self._settled is None, teacher
                if not first and any(
                    camera.shelf is not None and camera.shelf.of_release for camera in self.settings.cameras
                ):
                    self.reload()  # another release may have brought another planogram
            self._complaint = ""
        except AgentError as error:  # the disk refuses: again at the next look
            log.log(logging.DEBUG if self._complaint == str(error) else logging.ERROR, "learned: %s", error)
            self._complaint = str(error)

    def _enrol(self, sku: str, image: tuple[bytes, ...], **texts: str) -> dict[str, Any]:
        pictures = [Picture(f"image[{number}]", data) for number, data in enumerate(image)]
        given = {name: text for name, text in texts.items() if text}
        return asdict(self.holding.teacher().enrol(sku, pictures, given))

    def _forget(self, sku: str) -> dict[str, Any]:
        return asdict(self.holding.teacher().forget(sku))

    def _resync(self) -> dict[str, Any]:
        if self.resync is None:
            raise InputError(f"resync: {_SYNC_NEEDED}")
        self.resync()
        return {}

    def _rollback(self) -> dict[str, Any]:
        """On the disk; the sync loop follows within a second."""
        if self.settings.sync is None:
            raise InputError(f"rollback: {_SYNC_NEEDED}")
        library = library_of(self.settings)
        with library.alone():
            current = library.roll_back()
        return {"release": current.release, "number": current.number}

    def _reload(self) -> dict[str, Any]:
        return {"changed": sorted(self.reload())}

    def _pause(self, camera: str, for_s: float) -> dict[str, Any]:
        cameras, until = self.gate.pause(camera, for_s)
        return {"cameras": cameras, "until": rfc3339(until)}

    def _resume(self, camera: str) -> dict[str, Any]:
        return {"cameras": self.gate.resume(camera)}

    def _identify(self) -> dict[str, Any]:
        self.holding.identify()
        log.warning("somebody asks which device this is: %s/%s", self.settings.site, self.settings.device)
        return {
            "hostname": hostname(),
            "machine": machine(),
            "addresses": own_addresses(),
            "uptime_s": round(self.clock.monotonic() - self._began, 3),
        }

    def _log_level(self, level: str, for_s: float) -> dict[str, Any]:
        self.log_level.change(level, self.clock.monotonic() + for_s)
        return {"level": level, "until": rfc3339(self.clock.utc() + for_s)}

    def _self_test(self) -> dict[str, Any]:
        checks = run_checks(
            self.settings, self.holding.sight, self.gate.states(), self.health.causes, self.clock
        )
        return {
            "passed": all(check.passed for check in checks),
            "checks": [asdict(check) for check in checks],
        }

    def _snapshot(
        self, camera: str, side_px: int, quality: int, box: tuple[int, int, int, int] | None
    ) -> dict[str, Any]:
        frame = self.gate.latest(camera)
        x1, y1, x2, y2 = box or (0, 0, frame.width, frame.height)
        if x2 > frame.width or y2 > frame.height:
            raise InputError(
                f"box: expected a part of {frame.width} × {frame.height}, found {list(box or ())}"
            )
        jpeg, width, height = shrunk_jpeg(frame.image[y1:y2, x1:x2], side_px, quality, SNAPSHOT_BYTES)
        return {
            "camera": camera,
            "time": rfc3339(frame.utc),
            "width": width,
            "height": height,
            "image": b64encode(jpeg).decode(),
        }

    def _open_shipment(self, order: bytes, camera: str, shipment: str) -> dict[str, Any]:
        return self.receiving.open(order, camera, shipment)

    def _find(self, image: tuple[bytes, ...] | None, text: str | None, k: int) -> dict[str, Any]:
        if image is not None:
            return {"regions": self.lookup.seen(image[0], k), "products": []}
        return {"regions": [], "products": [describe(hit) for hit in self.lookup.meant(text or "", k)]}
