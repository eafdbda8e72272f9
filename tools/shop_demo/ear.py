"""A subscriber: every message as the broker delivers it, in order."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.core.payload import content
from tools.shop_demo.processes import DemoError

if TYPE_CHECKING:
    from types import TracebackType

CONNECT_S = 10
"""Longest time until the broker has accepted the subscription."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message; `payload` is what its JSON says, or the text itself."""

    topic: str
    payload: Any
    retain: bool


class Ear:
    """`with Ear(port, "spotter/#") as ear:` then `ear.next(0.2)` again and again."""

    def __init__(self, port: int, topics: str) -> None:
        self._port = port
        self._topics = topics
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topics, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._keep

    def next(self, timeout_s: float) -> Heard | None:
        """The next message, or None when none comes in time."""
        try:
            return self._heard.get(timeout=timeout_s) if timeout_s > 0 else self._heard.get_nowait()
        except queue.Empty:
            return None

    def _keep(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        try:
            payload = content(bytes(message.payload))
        except ValueError:
            payload = bytes(message.payload).decode("utf-8", "replace")
        self._heard.put(Heard(message.topic, payload, message.retain))

    def __enter__(self) -> Ear:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_S):
            raise DemoError(f"the broker did not accept a subscription within {CONNECT_S} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
