"""As a program, a consumer of `tools.bench fleet`: counts what it hears, and reports when it is asked.

The input's end ends it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.adapters.broker import parse_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.wire import Wire

_QUIET_S = 1.0
"""Nothing more comes when nothing came for so long."""

_CONNECT_S = 10.0


class _Ear:
    """It comes back by itself when the broker does."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._topics = plan["topics"]
        self._ready = threading.Event()
        self._lock = threading.Lock()  # all below
        self._heard_at = 0.0
        self._ids: list[str] = []
        self._ages_ms: list[float] = []
        self._latest: dict[str, int] = {}  # topic → number of the newest fact
        self._seen: set[str] = set()
        self._in_order = True
        self._client = _client(plan["name"], plan["broker"])
        self._client.on_connect = lambda client, *_: client.subscribe(self._topics, qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take

    def run(self) -> None:
        self._client.loop_start()
        if not self._ready.wait(_CONNECT_S):
            raise TimeoutError(f"the broker did not accept a subscription within {_CONNECT_S:g} s")
        print(json.dumps({}), flush=True)
        for _word in sys.stdin:
            print(json.dumps(self._report()), flush=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        now = time.time()
        fact = json.loads(message.payload)
        age_ms = 1000 * (now - datetime.fromisoformat(fact["time"]).timestamp())
        number = int(fact["track"], 16)
        with self._lock:
            self._heard_at = time.monotonic()
            self._ids.append(fact["id"])
            self._ages_ms.append(age_ms)
            if fact["id"] in self._seen:
                return
            self._seen.add(fact["id"])
            self._in_order = self._in_order and number > self._latest.get(message.topic, -1)
            self._latest[message.topic] = number

    def _report(self) -> dict[str, Any]:
        while time.monotonic() - self._heard_at < _QUIET_S:
            time.sleep(_QUIET_S / 4)
        with self._lock:
            report = {"ids": self._ids, "ages_ms": self._ages_ms, "in_order": self._in_order}
            self._ids, self._ages_ms = [], []
        return report


def _client(name: str, way: dict[str, str]) -> mqtt.Client:
    address = parse_url(way["url"])
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        protocol=MQTTProtocolVersion.MQTTv5,
        transport="websockets" if address.path else "tcp",
    )
    if way["username"]:
        client.username_pw_set(way["username"], way["password"])
    if address.tls:
        client.tls_set(way["ca"] or None)
    if address.path:
        client.ws_set_options(address.path)
    client.reconnect_delay_set(1, 1)
    client.connect(address.host, address.port)
    return client


def clear(way: dict[str, str], wires: Sequence[Wire]) -> None:
    """Take back all that the devices had retained: the broker is somebody's."""
    states = ("availability", "info", "health", "index", "cam0/status")
    client = _client(f"{wires[0].prefix}-clear", way)
    client.loop_start()
    sent = [client.publish(f"{wire.root}/{state}", b"", 1, retain=True) for wire in wires for state in states]
    for each in sent:
        each.wait_for_publish(_CONNECT_S)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    _Ear(json.loads(sys.argv[1])).run()
