"""The MQTT broker, over paho: one connection at a time, made again when it is lost, driven by one thread.

paho is given no thread, no queue and no memory: each connection is a new client, and what was not
acknowledged is sent again by `agent/publisher.py` from the outbox. `service` does all the work:
it connects when that is due, waits for the network or for `wake`, and says what happened.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt import MQTTException
from paho.mqtt.enums import MQTTErrorCode

from agent.adapters.broker.bell import Bell
from agent.adapters.broker.certificates import Certificates
from agent.adapters.broker.client import Terms, connect, new_client, terms_of
from agent.adapters.broker.incoming import received, refusals, subscribe
from agent.adapters.broker.packets import as_it_is, of_message, too_big
from agent.adapters.broker.reasons import (
    SESSION_TAKEN_OVER,
    UNSUPPORTED_PROTOCOL,
    explain,
    explain_end,
    explain_refusal,
    explain_rival,
    fate,
)
from agent.adapters.broker.route import STEADY_S, Route
from agent.adapters.broker.settings import client_id, parse_url
from agent.core.delivery import Ack, Down, Outcome, Up
from agent.core.errors import ConfigError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import paho.mqtt.client as mqtt
    from paho.mqtt.client import DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from agent.adapters.broker.gathering import GatheringClient
    from agent.adapters.broker.settings import Address, BrokerSettings
    from agent.core.clock import Clock
    from agent.core.delivery import Signal
    from agent.core.types import Message

_LOOK_S: Final = 1.0
"""Longest wait without a look at what is due: the keep-alive, and the time an answer may take."""

_OLD: Final = "the broker does not speak MQTT 5; trying 3.1.1"
_RENEWED: Final = "the certificate files were renewed: connecting anew"
"""Ends after which the same address is tried again at once."""


class Broker:
    """The connection. Everything but `wake` belongs to one thread."""

    def __init__(
        self,
        settings: BrokerSettings,
        name: str,
        will: Message | Callable[[], Message],
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        topics: Sequence[str] = (),
        dress: Callable[[Message, bool], Message] = as_it_is,
        retained: bool = False,
    ) -> None:
        """Nothing is connected yet. `name` becomes the client identifier where the settings give none.

        A `will` that is a function is asked for anew for each connection. `topics` are subscribed to on every
        one, with what is `retained` there or without; what is sent meanwhile is kept for `session_s`.
        `dress(message, v5)` makes of a message what is sent under MQTT 5, or 3.1.1.

        Raises:
            ConfigError: a certificate file is missing or is not one.
        """
        self.settings = settings
        self.last_error = ""
        """Why there is no connection, for the operator; empty while there is one."""
        self._addresses = [parse_url(url) for url in settings.urls]
        self._client_id = settings.client_id or client_id(name)
        self._will = will
        self._clock = clock
        self._topics, self._retained = tuple(topics), retained
        self._dress = dress
        self._certificates = Certificates(settings)
        if any(address.tls for address in self._addresses):
            self._certificates.context(clock.monotonic())
        self._route = Route(len(self._addresses), clock.monotonic(), jitter)
        self._rival = ""
        self._errors: dict[int, str] = {}  # place of the address → why it failed last
        self._v5: bool = settings.protocol == "5"
        self._client: GatheringClient | None = None
        self._up = False
        self._began_at = 0.0  # of the attempt, then of the connection
        self._ending = ""  # why it is about to end, where we know better than paho
        self._signals: list[Signal] = []
        self._terms = Terms(settings.inflight)
        self._bell = Bell()

    @property
    def warning(self) -> str:
        """What the operator should know although there is a connection; empty when nothing."""
        return self._certificates.problem or (
            self._rival if self._route.rival(self._clock.monotonic()) else ""
        )

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""
        return self._up

    def wake(self) -> None:
        """Let `service` return soon. Any thread may call it."""
        self._bell.ring()

    def publish(self, token: int, message: Message) -> bool:
        """Hand over a message, for `service` to send; its `Ack` comes with `token`. False: no connection now.

        A message that is too big for this broker is not sent; its `Ack` says so.
        """
        client = self._client
        if client is None or not self._up:
            return False
        message = self._dress(message, self._v5)
        properties = of_message(message, self.settings.expiry_s) if self._v5 else None
        if reason := too_big(message, properties, self._terms.max_packet):
            self._signals.append(Ack((token,), Outcome.UNSENDABLE, reason))
            return True
        qos = min(message.qos, self._terms.max_qos)
        retain = message.retain and self._terms.may_retain
        if qos:
            client.send(token, message.topic, message.payload, retain=retain, properties=properties)
            return True
        info = client.publish(message.topic, message.payload, 0, retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client is not client:
            return False
        self._signals.append(Ack((token,), Outcome.ACCEPTED))
        return True

    def service(self, timeout_s: float, rest_s: float = 0.0) -> list[Signal]:
        """Connect when due, read, write, wait for up to `timeout_s`; what happened, in order.

        What was handed over is sent, and then for `rest_s`, or until `wake`, answers may come together.
        """
        now = self._clock.monotonic()
        if self._client is None and now >= self._route.due:
            self._connect(now)
        elif self._client is not None and self._up and self._certificates.renewed(now):
            self._ending = _RENEWED
            self._client.disconnect()  # a farewell: the last will is not sent
            self.drop(_RENEWED)
        self._wait(0.0 if self._signals else min(timeout_s, _LOOK_S), rest_s)
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
            self._ending = "closed"
            client.disconnect()
            while self._client is client and self._clock.monotonic() < deadline:
                self._wait(max(0.0, deadline - self._clock.monotonic()))
        self.drop("closed")
        self._bell.close()

    @property
    def _address(self) -> Address:
        return self._addresses[self._route.place]

    def _connect(self, now: float) -> None:
        address = self._address
        self._began_at, self._ending = now, ""
        try:
            context = self._certificates.context(now) if address.tls else None
        except ConfigError as error:  # they were good when we began
            self._lost(None, str(error))
            return
        client = new_client(self.settings, address, self._client_id, self._will, context, v5=self._v5)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_ack = self._on_ack
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client = client
        try:
            connect(client, self.settings, address, v5=self._v5, listens=bool(self._topics))
        except (OSError, ValueError, IndexError) as error:  # ssl.SSLError is an OSError
            self._lost(client, explain(error, address, self.settings.connect_timeout_s))

    def _wait(self, timeout_s: float, rest_s: float = 0.0) -> None:
        """Wait for the network or a wake-up, then let paho read and write."""
        client = self._client
        if client is None:
            self._bell.wait(min(timeout_s, max(0.0, self._route.due - self._clock.monotonic())))
        else:
            try:
                client.turn(self._bell, timeout_s, rest_s)
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
            self._ending = self._explain_refusal(code, properties)
            return
        self._terms = terms_of(properties, self.settings.inflight)
        self._up, self.last_error = True, ""
        self._errors.clear()
        self._began_at = self._clock.monotonic()
        self._signals.append(Up(self._terms.inflight))
        subscribe(client, self._topics, v5=self._v5, retained=self._retained)

    def _explain_refusal(self, code: ReasonCode, properties: Properties | None) -> str:
        if code.value == UNSUPPORTED_PROTOCOL and self._v5:
            self._v5 = False
            return _OLD
        return explain_refusal(code, properties)

    def _on_disconnect(
        self,
        client: mqtt.Client,
        _data: Any,
        flags: DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        said = flags.is_disconnect_packet_from_server
        if said and code.value == SESSION_TAKEN_OVER and client is self._client:
            times = self._route.taken_over(self._clock.monotonic())
            self._rival = self._ending = explain_rival(self._client_id, times)
        reason = self._ending or explain_end(
            code, said=said, lived_s=self._lived_s(), tls=self._address.tls, properties=properties
        )
        self._lost(client, reason)

    def _on_ack(self, tokens: tuple[int, ...], reason: int) -> None:
        self._signals.append(fate(tokens, reason, keep=self.settings.unheard == "keep"))

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, _mid: int, codes: Sequence[ReasonCode], _properties: Any
    ) -> None:
        self._signals += refusals(self._topics, codes)

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if client is self._client:
            self._signals += received(message)

    def _lived_s(self) -> float | None:
        return self._clock.monotonic() - self._began_at if self._up else None

    def _lost(self, client: mqtt.Client | None, reason: str) -> None:
        if client is not self._client:
            return
        now, lived_s = self._clock.monotonic(), self._lived_s()
        self._errors[self._route.place] = f"{self._address.shown}: {reason}"
        if reason in {_OLD, _RENEWED}:
            self._route.again(now)
        elif reason != self._rival:
            self._route.lost(now, lived_s)
        if lived_s is not None and lived_s >= STEADY_S:
            self._v5 = self.settings.protocol == "5"  # a broker may have learned it meanwhile
        self._client, self._up = None, False
        self.last_error = "; ".join(self._errors[place] for place in sorted(self._errors))
        self._signals.append(Down(self.last_error))
