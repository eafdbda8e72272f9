"""The MQTT broker, over paho: one connection at a time, made again when it is lost, driven by one thread.

paho is given no thread, no queue and no memory: each connection is a new client with a clean session, and
what was not acknowledged is sent again by `agent/publisher.py` from the outbox. `service` does all the work:
it connects when that is due, waits for the network or for `wake`, and says what happened.
"""

from __future__ import annotations

import random
import select
import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from agent.adapters.broker.incoming import answering, limits, received, refusals, subscribe
from agent.adapters.broker.reasons import explain, explain_end, explain_refusal, fate
from agent.adapters.broker.settings import packet_size, parse_url, tls_context
from agent.core.clock import Backoff
from agent.core.delivery import Ack, Down, Outcome, Up
from agent.core.errors import masked_url, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from agent.adapters.broker.settings import BrokerSettings
    from agent.core.clock import Clock
    from agent.core.delivery import Signal
    from agent.core.types import Message

_RETRY: Final = Backoff(first_s=0.5, limit_s=15.0)
"""An attempt costs one packet; after an outage of any length facts flow within 15 s of its end."""

_STEADY_S: Final = 10.0
"""A connection that lived so long was a good one: the next attempt follows at once. A shorter one counts as a
failed attempt, or two clients with one identifier would throw each other out many times a second."""

_LOOK_S: Final = 1.0
"""Longest wait without a look at what is due: the keep-alive, and the time an answer may take."""

_UNSUPPORTED_PROTOCOL: Final = 0x84


class Broker:
    """The connection. Everything but `wake` belongs to one thread."""

    def __init__(
        self,
        settings: BrokerSettings,
        name: str,
        will: Message,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        topics: Sequence[str] = (),
    ) -> None:
        """Nothing is connected yet. `name` becomes the client identifier where the settings give none.

        `topics` are subscribed to on every connection. What is sent to them while there is none is not kept.

        Raises:
            ConfigError: a certificate file is missing or is not one.
        """
        self.settings = settings
        self.last_error = ""
        """Why there is no connection, for the operator; empty while there is one."""
        self._host, self._port, tls = parse_url(settings.url)
        self._client_id = settings.client_id or name.replace("/", "-")
        self._will = will
        self._clock = clock
        self._jitter = jitter
        self._topics = tuple(topics)
        self._tls = tls_context(settings) if tls else None
        self._v5: bool = settings.protocol == "5"
        self._client: mqtt.Client | None = None
        self._up = False
        self._began_at = 0.0  # of the attempt, then of the connection
        self._retry_at = clock.monotonic()
        self._attempt = 0
        self._refusal = ""
        self._tokens: dict[int, int] = {}  # paho's message id → token
        self._signals: list[Signal] = []
        self._max_packet = 0  # bytes; 0: no limit known
        self._max_qos = 2
        self._may_retain = True
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""
        return self._up

    def wake(self) -> None:
        """Let `service` return soon. Any thread may call it."""
        with suppress(OSError):  # full: it is awake already; closed: it will not sleep again
            self._wake_write.send(b"\0")

    def publish(self, token: int, message: Message) -> bool:
        """Hand a message to the network; its `Ack` comes with `token`. False: there is no connection now.

        A message that is too big for this broker is not sent; its `Ack` says so.
        """
        client = self._client
        if client is None or not self._up:
            return False
        size = packet_size(message)
        if 0 < self._max_packet < size:
            reason = f"{message.topic}: the broker takes {self._max_packet} bytes, found {size}"
            self._signals.append(Ack(token, Outcome.UNSENDABLE, reason))
            return True
        qos = min(message.qos, self._max_qos)
        retain = message.retain and self._may_retain
        properties = answering(message.correlation) if self._v5 and message.correlation else None
        info = client.publish(message.topic, message.payload, qos, retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client is not client:
            return False
        if qos == 0:
            self._signals.append(Ack(token, Outcome.ACCEPTED))
        else:
            self._tokens[info.mid] = token
        return True

    def service(self, timeout_s: float) -> list[Signal]:
        """Connect when due, read, write, wait for up to `timeout_s`; what happened, in order."""
        now = self._clock.monotonic()
        if self._client is None and now >= self._retry_at:
            self._connect(now)
        self._wait(0.0 if self._signals else min(timeout_s, _LOOK_S))
        client = self._client
        limit_s = self.settings.connect_timeout_s
        if client is not None and not self._up and self._clock.monotonic() - self._began_at > limit_s:
            self.drop(f"connected, but no MQTT answer within {limit_s:g} s")
        signals, self._signals = self._signals, []
        return signals

    def drop(self, reason: str) -> None:
        """Break the connection without a farewell (the last will is sent), to be made again later."""
        client = self._client
        if client is None:
            return
        sock = client.socket()
        self._lost(client, reason)
        if sock is not None:
            sock.close()

    def close(self, timeout_s: float) -> None:
        """Say farewell (no last will then) and let go of the network, after `timeout_s` at the latest."""
        client = self._client
        deadline = self._clock.monotonic() + timeout_s
        if client is not None and self._up:
            self._refusal = "closed"
            client.disconnect()
            while self._client is client and self._clock.monotonic() < deadline:
                self._wait(max(0.0, deadline - self._clock.monotonic()))
        self.drop("closed")
        self._wake_read.close()
        self._wake_write.close()

    def _connect(self, now: float) -> None:
        client = self._new_client()
        self._client, self._began_at, self._refusal = client, now, ""
        clean: dict[str, Any] = {"clean_start": True} if self._v5 else {}
        if self._v5 and self._topics:
            clean["properties"] = limits()
        try:
            client.connect(self._host, self._port, self.settings.keepalive_s, **clean)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self._lost(client, explain(error, self.settings))

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if self._v5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self.settings.connect_timeout_s
        client.max_inflight_messages = 0  # unlimited: the publisher counts, so paho never queues
        client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        if self.settings.username:
            client.username_pw_set(self.settings.username, self.settings.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _wait(self, timeout_s: float) -> None:
        """Wait for the network or a wake-up, then let paho read and write."""
        client = self._client
        sock = client.socket() if client is not None else None
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if client is not None and sock is not None:
            poll.register(sock.fileno(), select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            if isinstance(sock, ssl.SSLSocket) and sock.pending():
                timeout_s = 0.0  # decrypted bytes wait where poll does not see them
        else:
            timeout_s = min(timeout_s, max(0.0, self._retry_at - self._clock.monotonic()))
        poll.poll(timeout_s * 1000)
        with suppress(BlockingIOError):
            while self._wake_read.recv(4096):
                pass
        if client is not None:
            try:
                client.loop_read()
                client.loop_write()
                client.loop_misc()
            except (OSError, ValueError, IndexError, struct.error, MQTTException) as error:
                self.drop(f"the broker sent what is not MQTT: {quoted(str(error))}")

    def _on_connect(
        self,
        client: mqtt.Client,
        _data: Any,
        _flags: Any,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if client is not self._client:
            return
        if code.is_failure:
            self._refusal = self._explain_refusal(code)
            return
        limit = self.settings.inflight
        if properties is not None:  # what the broker does not say is unlimited (MQTT 5, 3.2.2.3)
            limit = min(limit, getattr(properties, "ReceiveMaximum", limit))
            self._max_packet = getattr(properties, "MaximumPacketSize", 0)
            self._max_qos = getattr(properties, "MaximumQoS", 2)
            self._may_retain = bool(getattr(properties, "RetainAvailable", 1))
        self._up, self.last_error = True, ""
        self._began_at = self._clock.monotonic()
        self._signals.append(Up(limit))
        subscribe(client, self._topics, v5=self._v5)

    def _explain_refusal(self, code: ReasonCode) -> str:
        if code.value == _UNSUPPORTED_PROTOCOL and self._v5:
            self._v5 = False
            self._attempt = -1  # try that at once
            return "the broker does not speak MQTT 5; trying 3.1.1"
        return explain_refusal(code)

    def _on_disconnect(
        self, client: mqtt.Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _properties: Any
    ) -> None:
        reason = self._refusal or explain_end(
            code,
            said=flags.is_disconnect_packet_from_server,
            up=self._up,
            tls=self._tls is not None,
            client_id=self._client_id,
        )
        self._lost(client, reason)

    def _on_publish(
        self, _client: mqtt.Client, _data: Any, mid: int, code: ReasonCode, _properties: Any
    ) -> None:
        token = self._tokens.pop(mid, None)
        if token is not None:  # QoS 0 was acknowledged when it was handed over
            self._signals.append(fate(token, code, keep=self.settings.unheard == "keep"))

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, _mid: int, codes: Sequence[ReasonCode], _properties: Any
    ) -> None:
        self._signals += refusals(self._topics, codes)

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if client is self._client:
            self._signals += received(message)

    def _lost(self, client: mqtt.Client, reason: str) -> None:
        if client is not self._client:
            return
        now = self._clock.monotonic()
        if self._up and now - self._began_at >= _STEADY_S:
            self._attempt = 0
        wait_s = _RETRY.delay_s(self._attempt, self._jitter()) if self._attempt >= 0 else 0.0
        self._attempt += 1
        self._retry_at = now + wait_s
        self._client, self._up = None, False
        self._tokens.clear()
        self._max_packet, self._max_qos, self._may_retain = 0, 2, True
        self.last_error = f"{masked_url(self.settings.url)}: {reason}"
        self._signals.append(Down(self.last_error))
