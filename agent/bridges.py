"""What others than our own subscribers are told: Home Assistant, and hosts of Sparkplug B."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent import __version__
from agent.adapters.broker import Broker
from agent.adapters.broker.settings import client_id
from agent.adapters.sparkplug import load_codec
from agent.adapters.system import machine, serial, temperature_c
from agent.core.edge import Edge
from agent.core.watched import Watched
from agent.core.wire.home_assistant_components import Facts
from agent.core.wire.sparkplug import Namespace
from agent.edge_node import EdgeNode
from agent.home_assistant import HomeAssistant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.config import CameraEntry, Settings
    from agent.core.clock import Clock
    from agent.core.incoming import Incoming
    from agent.core.types import Message
    from agent.core.watched import App
    from agent.core.wire import Wire
    from agent.health import Health
    from agent.publisher import Publisher
    from agent.recognising import Store


class Bridges:
    """`overhear` is for any thread, `heed` for that of the network, the rest but `run` for the main one."""

    def __init__(self, settings: Settings, wire: Wire, clock: Clock) -> None:
        """Build what is configured.

        Raises:
            ConfigError: an edge node is configured, and protobuf is not installed or a certificate is wrong.
        """
        state = Path(settings.state_dir)
        facts = Facts(
            version=__version__,
            machine=machine(),
            serial=serial(),
            cameras=watched(settings.cameras),
            synced=settings.sync is not None,
            metrics_s=settings.metrics.interval_s,
            things=settings.unknown.things > 0,
            measured=temperature_c() is not None,
        )
        self._home = HomeAssistant(settings.home_assistant, wire, facts, state / "home-assistant.json", clock)
        self._node = make_edge_node(settings, wire, clock)

    @property
    def topics(self) -> Sequence[str]:
        """What has to be subscribed to."""
        return self._home.topics

    def run(self) -> None:
        """Until the process stops, for a thread of its own; at once where nothing needs one."""
        if self._node is not None:
            self._node.run()

    def begin(self, publisher: Publisher, health: Health) -> None:
        """Say from now on what there is to say."""
        self._home.begin(publisher.announce)
        if self._node is not None:
            self._node.report = lambda reason: health.report("sparkplug", reason)

    def watch(self, cameras: Sequence[CameraEntry]) -> None:
        """These are the cameras from now on."""
        self._home.watch(watched(cameras))
        if self._node is not None:
            self._node.watch(watched(cameras))

    def tend(self) -> None:
        """Several times a second."""
        self._home.tend()

    def heed(self, incoming: Incoming, otherwise: Callable[[Incoming], None]) -> None:
        """What others sent; `otherwise(incoming)` is for what is not for us."""
        if not self._home.heed(incoming):
            otherwise(incoming)

    def overhear(self, message: Message) -> None:
        """What the device says."""
        if self._node is not None:
            self._node.hear(message)

    def beside(self, store: Store) -> Store:
        """A store that lets us hear of the facts that are put into it."""
        return store if self._node is None else _Beside(store, self._node)


class _Beside:
    def __init__(self, store: Store, node: EdgeNode) -> None:
        self._store = store
        self._node = node

    def put(self, messages: Sequence[Message]) -> None:
        """Into the store first."""
        self._store.put(messages)
        for message in messages:
            self._node.hear(message)


def make_edge_node(settings: Settings, wire: Wire, clock: Clock) -> EdgeNode | None:
    """None where none is configured.

    Raises:
        ConfigError: protobuf is not installed, or a certificate is wrong.
    """
    if settings.sparkplug is None:
        return None
    ours = settings.mqtt.client_id or client_id(wire.root)
    # A session that is kept would keep the will from being sent, and commands of yesterday.
    mqtt = replace(settings.mqtt, client_id=f"{ours}-sparkplug", session_s=0)
    return EdgeNode(
        connect=lambda will, topics: Broker(mqtt, wire.root, will, clock, topics=topics, retained=True),
        edge=Edge(watched(settings.cameras), clock.utc()),
        codec=load_codec(),
        names=Namespace(settings.sparkplug.group, settings.sparkplug.node or settings.device),
        primary_host=settings.sparkplug.primary_host,
        memory=Path(settings.state_dir) / "sparkplug-bdseq",
        wire=wire,
        clock=clock,
    )


def watched(cameras: Sequence[CameraEntry]) -> dict[str, Watched]:
    """Camera → what there is to show of it."""
    return {
        camera.id: Watched(tuple(slot.name for slot in camera.regions.slots), _app(camera))
        for camera in cameras
    }


def _app(camera: CameraEntry) -> App:
    if camera.shelf is not None:
        return "shelf"
    if camera.inbound is not None:
        return "inbound"
    return "kiosk" if camera.kiosk is not None else ""
