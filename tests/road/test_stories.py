"""Whatever happens to the broker, the network, the disk and the device: every decided fact arrives.

Each round is a story of random misfortunes; at its end everything is mended, and a subscriber that may have
been away too holds every fact that was decided, in order, and the broker retains what is true.

What a broker acknowledged is the broker's: mosquitto forgets it when it is killed, unless it wrote it down or
the subscriber has it. So the network is cut in the middle of everything, and the broker saves what it had
acknowledged until then, before it is killed.

`SPOTTER_STORIES=100 python -m pytest -s tests/road/test_stories.py` is the long way round;
`SPOTTER_STORY=17` tells that one alone.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.core.wire import Wire
from tests.support.mosquitto import Heard, Mosquitto, Subscriber, write_users
from tests.support.proxy import Proxy
from tests.support.road import ONE_LOOK, Daemon, Road, photos_camera, until
from tests.support.small_disk import Disk

STORIES = int(os.environ.get("SPOTTER_STORIES", "4"))
ONE = os.environ.get("SPOTTER_STORY", "")
WIRE = Wire("spotter", "test", "dev-1")
DECIDED = re.compile(r"decided ([0-9a-f]{32})")
TRUE = re.compile(rf"true of ({WIRE.root}/\S+): ([0-9a-f]{{32}})")
USERS = {"device": "right", "witness": "witness"}
MENDED_S = 90.0
"""An outage may have made the device wait 15 s between two attempts, and the machine may be busy."""


class World:
    """A device, a broker, what is between them, and a witness with a session of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.disk = self._mount(folder)
        (folder / "broker").mkdir()
        self.broker = stack.enter_context(
            Mosquitto(folder / "broker", users=USERS, autosave_s=1, general=["max_inflight_messages 0"])
        )
        shutil.copy(folder / "broker" / "users", folder / "right")
        write_users(folder / "wrong", {**USERS, "device": "another"})
        self.net = stack.enter_context(Proxy(self.broker.port))
        self.road = Road(folder, self.net.port)
        self.road.build()
        if self.disk is not None:
            self.road.state = self.disk.path / "state"
            self.road.state.mkdir()
        login = {"username": "device", "password": "right"}
        self.road.configure(
            photos_camera(self.road.draw_photos(), loop=True, fps=10),
            decision=ONE_LOOK,
            log={"level": "debug"},
            mqtt={"url": f"mqtt://127.0.0.1:{self.net.port}", "keepalive_s": 5, **login},
        )
        self.logs: list[Path] = []
        self.daemon: Daemon | None = None
        self.witness: Subscriber | None = None
        self.heard: list[Heard] = []
        self._facts: list[dict[str, Any]] = []
        self._read = 0  # of `heard`, those that are in `_facts` if they are facts
        stack.callback(self.kill_device)
        stack.callback(self.witness_leaves)

    def _mount(self, folder: Path) -> Disk | None:
        try:
            disk = Disk(folder)
        except (subprocess.CalledProcessError, OSError):
            return None  # nobody may mount here: then no disk is filled
        self._stack.callback(disk.close)
        return disk

    # ── the device ──────────────────────────────────────────────────────────────────────────────────────

    def start_device(self) -> None:
        if self.daemon is None or self.daemon.process.poll() is not None:
            log = self.folder / f"daemon-{len(self.logs)}.log"
            self.logs.append(log)
            self.daemon = Daemon(self.road.config, log)

    def kill_device(self) -> None:
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon = None

    def decided(self) -> list[str]:
        return [
            identity for log in self.logs for identity in DECIDED.findall(log.read_text(errors="replace"))
        ]

    def true(self) -> dict[str, str]:
        """Topic → id of what the running device holds to be true."""
        return dict(TRUE.findall(self.logs[-1].read_text(errors="replace")))

    # ── the broker and the witness ──────────────────────────────────────────────────────────────────────

    def kill_broker(self) -> None:
        self.net.cut()
        self._save_broker()
        self.broker.kill()
        self.net.mend()

    def _save_broker(self) -> None:
        """SIGUSR1 makes it write everything down."""
        assert self.broker.process is not None
        saved = self.broker.folder / "mosquitto.db"
        before = saved.stat().st_mtime_ns if saved.exists() else 0
        self.broker.process.send_signal(signal.SIGUSR1)
        until(lambda: saved.exists() and saved.stat().st_mtime_ns > before, 10)

    def witness_comes(self) -> None:
        if self.witness is None:
            login = {"username": "witness", "password": "witness"}
            self.witness = Subscriber(self.broker.port, f"{WIRE.root}/#", session="witness", **login)
            self.witness.heard = self.heard
            self.witness.__enter__()

    def witness_leaves(self) -> None:
        if self.witness is not None:
            self.witness.__exit__()
            self.witness = None

    def facts(self) -> list[dict[str, Any]]:
        """All that the witness ever heard, read once."""
        new = self.heard[self._read :]
        self._read += len(new)
        self._facts += [heard.content for heard in new if heard.topic.endswith("/recognition")]
        return self._facts

    def retained(self) -> dict[str, bytes]:
        login = {"username": "witness", "password": "witness"}
        with Subscriber(self.broker.port, f"{WIRE.root}/#", "end", **login) as late:
            late.send("end", b"")
            heard = late.wait_for(lambda heard: any(h.topic == "end" for h in heard))
        return {h.topic: h.payload for h in heard if h.retain}

    # ── the end of a story ──────────────────────────────────────────────────────────────────────────────

    def mend(self) -> None:
        self.net.mend()
        if self.disk is not None:
            self.disk.empty()
        shutil.copy(self.folder / "right", self.broker.folder / "users")
        if self.broker.process is None:
            self.broker.start()
        self.start_device()
        self.witness_comes()

    def check(self) -> None:
        decided = self.decided()
        for log in self.logs:
            assert "Traceback" not in log.read_text(errors="replace"), log

        def missing() -> set[str]:
            return set(decided) - {fact["id"] for fact in self.facts()}

        until(lambda: not missing(), MENDED_S, lambda: f"{len(missing())} of {len(decided)} are missing")
        wanted, said = set(decided), dict[str, Any]()
        for fact in self.facts():
            once = {key: value for key, value in fact.items() if key not in {"late", "sent"}}
            assert said.setdefault(fact["id"], once) == once, "the same id is the same fact"
        assert [identity for identity in said if identity in wanted] == decided, "each in its place"
        assert len(wanted) == len(decided), "no id is given to two facts"
        assert not [h for h in self.heard if h.topic == f"{WIRE.root}/lost"], (
            "within the bound nothing is lost"
        )
        until(self._truth_is_retained, 30, lambda: f"{self.retained()} is not {self.true()}")

    def _truth_is_retained(self) -> bool:
        retained = self.retained()
        online = retained.pop(f"{WIRE.root}/availability", b"") == b"online"
        found = {topic: WIRE._id(topic, payload.decode()) for topic, payload in retained.items()}
        return online and found == self.true()


def pause(world: World, rng: random.Random) -> None:
    """The device goes on with whatever is the matter."""
    time.sleep(rng.uniform(0.2, 2.0))


def broker_is_killed(world: World, rng: random.Random) -> None:
    if world.broker.process is None:
        return
    world.kill_broker()
    pause(world, rng)
    world.broker.start()


def broker_stays_away(world: World, _rng: random.Random) -> None:
    if world.broker.process is not None:
        world.kill_broker()


def device_is_killed(world: World, rng: random.Random) -> None:
    world.kill_device()
    if rng.random() < 0.7:
        world.start_device()


def network_is_cut(world: World, rng: random.Random) -> None:
    world.net.cut()
    pause(world, rng)
    if rng.random() < 0.7:
        world.net.mend()


def connection_is_half_open(world: World, rng: random.Random) -> None:
    world.net.swallow()
    time.sleep(rng.choice([0.5, 8.0]))  # also longer than the keep-alive bears
    world.net.mend()


def broker_is_slow(world: World, rng: random.Random) -> None:
    world.net.slow(rng.choice([2_000, 20_000]))
    pause(world, rng)


def broker_hangs(world: World, rng: random.Random) -> None:
    if world.broker.process is None:
        return
    world.broker.freeze()
    pause(world, rng)
    world.broker.thaw()


def password_is_wrong(world: World, rng: random.Random) -> None:
    if world.broker.process is None:
        return
    for users in ("wrong", "right"):
        shutil.copy(world.folder / users, world.broker.folder / "users")
        world.broker.restart()
        pause(world, rng)


def disk_is_full(world: World, rng: random.Random) -> None:
    if world.disk is None:
        return
    world.disk.fill(left_bytes=rng.choice([0, 4096, 65_536]))
    pause(world, rng)
    if rng.random() < 0.7:
        world.disk.empty()


def witness_goes(world: World, _rng: random.Random) -> None:
    world.witness_leaves()


def witness_returns(world: World, _rng: random.Random) -> None:
    if world.broker.process is not None:
        world.witness_comes()


MISFORTUNES: tuple[Callable[[World, random.Random], None], ...] = (
    broker_is_killed,
    broker_stays_away,
    device_is_killed,
    network_is_cut,
    connection_is_half_open,
    broker_is_slow,
    broker_hangs,
    password_is_wrong,
    disk_is_full,
    witness_goes,
    witness_returns,
    pause,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        world.witness_comes()
        world.start_device()
        until(lambda: len(world.heard) > 10, 60)
        yield world


@pytest.mark.timeout(240 + 120 * STORIES)
def test_every_decided_fact_arrives_whatever_happens(world: World) -> None:
    told: Counter[str] = Counter()
    for number in [int(ONE)] if ONE else range(STORIES):
        rng = random.Random(number)
        story = rng.choices(MISFORTUNES, k=rng.randint(2, 5))
        names = [misfortune.__name__ for misfortune in story]
        try:
            for misfortune in story:
                misfortune(world, rng)
            world.mend()
            world.check()
        except BaseException:
            print(f"story {number}: {', '.join(names)}")
            raise
        told.update(names)
    print(
        f"{sum(told.values())} misfortunes, {len(world.decided())} facts, {len(world.heard)} messages: {told}"
    )
