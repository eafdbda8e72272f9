"""Every part of the running agent, built from its configuration and wired to the others; nothing runs yet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.kept import Kept
from agent.applying import make_apps, proposers
from agent.apps.inbound import Inbound
from agent.bookkeeping import Bookkeeper
from agent.bridges import Bridges
from agent.capturing import Lost, follow
from agent.channel import Latest
from agent.config import load_config
from agent.core.api.operations import RECENT
from agent.core.api.setting_up import DECISIONS
from agent.core.privacy import Veil
from agent.core.wire import Wire
from agent.desk import Desk
from agent.desk_review import ReviewDesk
from agent.desk_shipments import ShipmentDesk
from agent.doing import Doing
from agent.filing import Filing
from agent.gate import Gate
from agent.health import Health
from agent.holding import Holding
from agent.kiosking import Kiosks
from agent.loglevel import LogLevel
from agent.metrics import Metrics
from agent.observing import Observing
from agent.parts import make_pipeline, open_outbox, open_sight
from agent.people import clearer, make_finder
from agent.placing import ConfigFile
from agent.recognising import Recogniser
from agent.reviewing import Reviews
from agent.setting_up import SettingUp
from agent.showing import Showing
from agent.sinks import open_sinks
from agent.state import lock_state
from agent.storing import Storer
from agent.strangers import Strangers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Any

    from agent.adapters.system import SystemClock
    from agent.adapters.web.server import WebServer
    from agent.config import CameraEntry, Settings
    from agent.core.scene import Scene
    from agent.core.types import Event, Frame, Recognition
    from agent.lookup import Lookup
    from agent.receiving import Receiving
    from agent.recognising import App


class Assembly:
    """The parts by name. Which thread may touch which, each says itself."""

    def __init__(
        self,
        config_path: str,
        clock: SystemClock,
        feed_watchdog: Callable[[], None],
        ask_reload: Callable[[], AbstractSet[str]],
    ) -> None:
        """Read the configuration and build every part.

        `ask_reload()` takes the configuration over, and says what changed; AgentError: nothing did.

        Raises:
            ConfigError: the configuration, the model or the catalogue is wrong.
            DeviceError: the state directory cannot be used.
        """
        self.clock = clock
        self.metrics = Metrics()
        self.config_path = config_path
        self.settings = load_config(config_path)
        self.log_level = LogLevel(self.settings.log.level)
        self.mailbox: Latest[Frame | Lost] = Latest(follow)
        sight = open_sight(self.settings)
        self.state_lock = lock_state(Path(self.settings.state_dir))
        self.outbox = open_outbox(self.settings)
        self.wire = Wire(self.settings.mqtt.prefix, self.settings.site, self.settings.device)
        self.bridges = Bridges(self.settings, self.wire, clock)
        self.sinks = open_sinks(
            self.settings,
            self.outbox,
            self.wire,
            clock,
            self.metrics,
            heed=lambda incoming: self.bridges.heed(incoming, self.commander.take),
            report=lambda part, reason: self.health.report(part, reason),  # noqa: PLW0108  it is made below
            topics=self.bridges.topics,
            overhear=self.bridges.overhear,
        )
        self.publisher = self.sinks.publisher
        privacy = {camera.id: camera.privacy for camera in self.settings.cameras}
        self.veil = Veil(privacy, make_finder(self.settings.privacy))
        self.gate = Gate(
            self.mailbox,
            self.publisher.set_state,
            self.wire,
            clock,
            keep="snapshot" in self.settings.commands.allow or self.settings.web is not None,
            veil=self.veil.over,
        )
        self.kept = Kept(Path(self.settings.state_dir) / "apps")
        self.apps = make_apps(self.settings, self.kept.read)
        self.filing = Filing(self._epcis_folder)
        self.showing = Showing(RECENT, DECISIONS)
        self.recogniser = Recogniser(
            pipeline=make_pipeline(
                self.settings, sight.eyes, sight.memory, clock, self.metrics, proposers(self.apps)
            ),
            apps=self.apps,
            mailbox=self.mailbox,
            store=self.bridges.beside(self.outbox),
            to_message=self.wire.event,
            say=self.gate.say,
            feed_watchdog=feed_watchdog,
            clock=clock,
            metrics=self.metrics,
            note=self._note,
            tell_state=self.publisher.set_state,
            report=lambda part, reason: self.health.report(part, reason),  # noqa: PLW0108  likewise
            show=self._show,
        )
        self.books = Bookkeeper(
            self.outbox,
            self.mailbox,
            self.metrics,
            clock,
            self.settings.metrics.interval_s,
            self._publish_figures,
        )
        self.health = Health(self.wire, self.publisher.set_state, clock)
        self.storer = Storer(
            self.outbox,
            self.sinks.wake,
            partial(self.health.report, "outbox"),
            clock,
            beside=self._write_beside,
        )
        self.holding = Holding(
            settings=self.settings,
            sight=sight,
            recogniser=self.recogniser,
            wire=self.wire,
            tell=self.publisher.set_state,
            health=self.health,
            clock=clock,
            metrics=self.metrics,
            clear=clearer(self.veil.clear),
        )
        self.strangers = Strangers(self.health.report)
        self.observing = Observing(
            site=self.settings.site,
            device=self.settings.device,
            books=self.books,
            publisher=self.publisher,
            gate=self.gate,
            health=self.health,
            holding=self.holding,
            metrics=self.metrics,
        )
        self.reviews = Reviews(
            self.settings.review,
            Path(self.settings.state_dir),
            lambda: self.holding.sight.memory,
            partial(self.health.report, "review"),
            clock,
            clearer(self.veil.clear),
        )
        self.updater = self.holding.updater()
        doing = Doing(
            settings=self.settings,
            holding=self.holding,
            gate=self.gate,
            health=self.health,
            log_level=self.log_level,
            resync=self.updater.ask if self.updater else None,
            reload=ask_reload,
            clock=clock,
        )
        self.commander = doing.commander(self.wire, self.publisher.answer, self.metrics)
        self.web = self._make_web(doing.lookup, doing.receiving)

    def remake_apps(self, new: Settings) -> dict[str, App]:
        """The applications of another configuration; those whose camera is the same go on.

        Raises:
            ConfigError: what a camera is to show does not fit.
        """
        return make_apps(new, self._left_behind, self._running())

    def _show(self, scene: Scene, events: Sequence[Event]) -> None:
        """What was seen and told, for files and for the pages."""
        self.filing.note(events)
        if self.settings.web:
            self.showing.show(scene, events)

    def _write_beside(self, now: float) -> None:
        self.kept.tend(now, self.recogniser.kept)
        self.filing.tend()

    def _epcis_folder(self, camera: str) -> str:
        app = self.recogniser.applications.get(camera)
        epcis = app.settings.epcis if isinstance(app, Inbound) else None
        return epcis.folder if epcis else ""

    def _note(self, told: Sequence[Recognition], frame: Frame | None) -> None:
        """What was not known, or is worth a review, is kept, with pictures perhaps: as others see them.

        Whoever keeps one looks for people in it, in the main thread: recognising does not wait for that.
        """
        if told and frame is not None and (self.settings.unknown.pictures or self.settings.review.pictures):
            frame = self.veil.masked(frame)
        self.holding.unknowns.note(told, frame)
        self.reviews.note(told, frame)

    def _make_web(self, lookup: Lookup, receiving: Receiving) -> WebServer | None:
        """The pages, where they are configured: only then is anything of them loaded."""
        if self.settings.web is None:
            return None
        from agent.adapters.web.server import WebServer

        desk = Desk(
            settings=lambda: self.settings,
            showing=self.showing,
            lookup=lookup,
            kiosks=Kiosks(lambda: self.apps, self.recogniser, self.gate, lookup),
            setting_up=SettingUp(
                file=ConfigFile(self.config_path),
                settings=lambda: self.settings,
                lookup=lookup,
                gate=self.gate,
                showing=self.showing,
                commander=self.commander,
                veil=self.veil,
            ),
            holding=self.holding,
            gate=self.gate,
            health=self.health,
            publisher=self.publisher,
            books=self.books,
            observing=self.observing,
            commander=self.commander,
            veil=self.veil,
            wire=self.wire,
            clock=self.clock,
            reviews=ReviewDesk(self.reviews, lookup),
            shipments=ShipmentDesk(receiving),
        )
        state = Path(self.settings.state_dir)
        return WebServer(self.settings.web, desk, state, self.clock, partial(self.health.report, "web"))

    def _running(self) -> dict[str, tuple[CameraEntry, App]]:
        return {camera.id: (camera, self.apps[camera.id]) for camera in self.settings.cameras}

    def _left_behind(self, camera: str) -> Mapping[str, Any] | None:
        return self.recogniser.kept.get(camera) or self.kept.read(camera)

    def _publish_figures(self, figures: dict[str, float], uptime_s: float) -> None:
        if self.publisher.status.online:  # later they would be of no use
            self.publisher.answer(self.wire.metrics(figures, uptime_s, self.clock.utc()))
