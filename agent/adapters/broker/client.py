"""A paho client for one connection: given no thread, no queue and no memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.adapters.broker.gathering import GatheringClient
from agent.adapters.broker.packets import of_connect, of_will

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import paho.mqtt.client as mqtt
    from paho.mqtt.properties import Properties

    from agent.adapters.broker.settings import Address, BrokerSettings
    from agent.core.types import Message


def new_client(
    settings: BrokerSettings,
    address: Address,
    identity: str,
    will: Message | Callable[[], Message],
    context: ssl.SSLContext | None,
    *,
    v5: bool,
) -> GatheringClient:
    """It is not connected yet. `context` is of an encrypted connection."""
    client = GatheringClient(
        CallbackAPIVersion.VERSION2,
        client_id=identity,
        clean_session=None if v5 else True,
        protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if address.path else "tcp",
        reconnect_on_failure=False,
    )
    client.connect_timeout = settings.connect_timeout_s
    client.max_inflight_messages = 0  # unlimited: the publisher counts, so paho never queues
    will = will() if callable(will) else will
    client.will_set(will.topic, will.payload, will.qos, will.retain, of_will(will) if v5 else None)
    if address.path:
        client.ws_set_options(path=address.path)
    if settings.username:
        client.username_pw_set(settings.username, settings.password)
    if context is not None:
        client.tls_set_context(context)
    return client


def connect(
    client: mqtt.Client, settings: BrokerSettings, address: Address, *, v5: bool, listens: bool
) -> None:
    """Make the connection and greet; what the broker answers comes later.

    A session is kept only where the settings say so, for what others send to us: what we send is in the
    outbox. May raise OSError, ValueError and IndexError.
    """
    if not v5:
        client.connect(address.host, address.port, settings.keepalive_s)
        return
    session_s = settings.session_s if listens else 0
    client.connect(
        address.host,
        address.port,
        settings.keepalive_s,
        clean_start=not session_s,
        properties=of_connect(listens=listens, session_s=session_s),
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """What a broker takes. What it does not say is unlimited (MQTT 5, 3.2.2.3)."""

    inflight: int  # messages under way at once
    max_packet: int = 0  # bytes; 0: no limit known
    max_qos: int = 2
    may_retain: bool = True


def terms_of(properties: Properties | None, inflight: int) -> Terms:
    """From its CONNACK; `inflight` is what we want."""
    if properties is None:
        return Terms(inflight)
    return Terms(
        inflight=min(inflight, getattr(properties, "ReceiveMaximum", inflight)),
        max_packet=getattr(properties, "MaximumPacketSize", 0),
        max_qos=getattr(properties, "MaximumQoS", 2),
        may_retain=bool(getattr(properties, "RetainAvailable", 1)),
    )
