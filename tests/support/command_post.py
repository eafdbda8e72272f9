"""Commands as a device does them: every part is real, only the broker is left out."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import jsonschema

from agent.adapters.outbox import Outbox
from agent.adapters.system import SystemClock
from agent.apps.watch import Watch
from agent.capturing import Lost, follow
from agent.channel import Latest
from agent.config import load_config
from agent.core.commands import COMMANDS
from agent.core.errors import ConfigError
from agent.core.incoming import Incoming
from agent.core.types import Frame, Message
from agent.core.wire import Wire, result_schemas
from agent.doing import Doing
from agent.gate import Gate
from agent.health import Health
from agent.holding import Holding
from agent.loglevel import LogLevel
from agent.metrics import Metrics
from agent.parts import make_pipeline, open_overlay, open_sight
from agent.recognising import Recogniser
from tests.support.road import Road

WIRE = Wire("spotter", "test", "dev-1")


class HurriedClock(SystemClock):
    """Real time, and what the test adds to it; pauses are short."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def utc(self) -> float:
        return super().utc() + self.ahead_s

    def wait(self, seconds: float) -> bool:
        return super().wait(min(seconds, 0.01))


class Post:
    """A commander, and what it answers; `ask` waits for the answer to one request.

    A minute passes before each request of `ask`, unless `hurry` says otherwise.
    """

    def __init__(
        self, road: Road, state: Path, *, allow: tuple[str, ...] = tuple(COMMANDS), sync: bool = True
    ) -> None:
        camera = {"id": "cam", "source": f"folder:{road.folder}/none"}
        values = {"state_dir": str(state), "commands": {"allow": list(allow)}}
        state.mkdir(exist_ok=True)
        config = state / "spotter.yaml"
        config.write_text(json.dumps(road.settings(camera, **values)))
        self.settings = load_config(config)
        self.clock = HurriedClock()
        self.metrics = Metrics()
        self.said: list[Message] = []
        self.answers: list[Message] = []
        self.answered = threading.Condition()
        self.synced = 0
        self.step_s = 60.0
        self.mailbox: Latest[Frame | Lost] = Latest(follow)
        self.health = Health(WIRE, self.said.append, self.clock)
        self.gate = Gate(self.mailbox, self.said.append, WIRE, self.clock, keep="snapshot" in allow)
        self.gate.add("cam")
        self.sight = open_sight(self.settings)
        recogniser = Recogniser(
            make_pipeline(self.settings, self.sight.eyes, self.sight.memory), {"cam": Watch()}, self.mailbox,
            Outbox(state / "outbox.db"), WIRE.event, self.gate.say, lambda: None, self.clock,
            self.metrics,
        )  # fmt: skip
        self.holding = Holding(
            self.settings, self.sight, recogniser, WIRE, self.said.append, self.health, self.clock
        )
        self.log_level = LogLevel("info")
        self.doing = Doing(
            settings=self.settings, holding=self.holding, gate=self.gate, health=self.health,
            log_level=self.log_level, resync=self._sync if sync else None, reload=self._reload,
            clock=self.clock,
        )  # fmt: skip
        self.changed: frozenset[str] | ConfigError = frozenset()
        self.commander = self.doing.commander(WIRE, self._answer, self.metrics)
        self.thread = threading.Thread(target=self.commander.run)

    def names(self, image: Any) -> str | None:
        """The product that a picture is nearest to."""
        from agent.finding import find

        _ = self.sight.memory.version
        (region,) = find(image, self.sight.eyes, self.sight.memory, self.sight.memory.base.crop, 5)
        return str(region["candidates"][0]["sku"])

    def forgotten(self) -> set[str]:
        return set(open_overlay(self.settings).learned().forgotten)

    def send(self, name: str, payload: bytes, **more: Any) -> None:
        self.commander.take(Incoming(WIRE.command_topic(name), payload, **more))

    def ask(self, name: str, /, **fields: Any) -> dict[str, Any]:
        return self.ask_bytes(name, json.dumps(fields).encode())

    def ask_bytes(self, name: str, payload: bytes, timeout_s: float = 20) -> dict[str, Any]:
        before = len(self.answers)
        self.clock.ahead_s += self.step_s
        self.send(name, payload)
        with self.answered:
            assert self.answered.wait_for(lambda: len(self.answers) > before, timeout_s)
        said = json.loads(self.answers[before].payload)
        assert said["command"] == name
        assert said["ok"] == (not said["error"])
        if said["ok"]:
            jsonschema.validate(said["result"], result_schemas()[name])
        return dict(said)

    def __enter__(self) -> Post:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.clock.stop()
        self.thread.join()

    def _sync(self) -> None:
        self.synced += 1

    def _reload(self) -> frozenset[str]:
        if isinstance(self.changed, ConfigError):
            raise self.changed
        return self.changed

    def _answer(self, message: Message) -> None:
        with self.answered:
            self.answers.append(message)
            self.answered.notify_all()
