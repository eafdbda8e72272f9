"""Messages to us: what is subscribed to, and what came, in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.core.incoming import Deaf, Incoming

if TYPE_CHECKING:
    from collections.abc import Sequence

    import paho.mqtt.client as mqtt
    from paho.mqtt.reasoncodes import ReasonCode


def subscribe(client: mqtt.Client, topics: Sequence[str], *, v5: bool, retained: bool) -> None:
    """Ask for these topics: under MQTT 5 without what we say ourselves, and what is retained if wanted."""
    if not topics:
        return
    if v5:
        handling = (
            SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if retained else SubscribeOptions.RETAIN_DO_NOT_SEND
        )
        options = SubscribeOptions(qos=1, noLocal=True, retainHandling=handling)
        client.subscribe([(topic, options) for topic in topics])
    else:
        client.subscribe([(topic, 1) for topic in topics])


def refusals(topics: Sequence[str], codes: Sequence[ReasonCode]) -> list[Deaf]:
    """Those of the topics that the broker does not give us."""
    return [
        Deaf(f"{topic}: the broker does not let this login listen there: mend its rules ({code.getName()})")
        for topic, code in zip(topics, codes, strict=False)
        if code.is_failure
    ]


def received(message: mqtt.MQTTMessage) -> list[Incoming]:
    """The message in our words; nothing when its topic is no text, for we subscribe to no such one."""
    try:
        topic = message.topic
    except UnicodeDecodeError:
        return []
    return [
        Incoming(
            topic=topic,
            payload=bytes(message.payload),
            retained=bool(message.retain),
            answer_to=getattr(message.properties, "ResponseTopic", ""),
            correlation=getattr(message.properties, "CorrelationData", b""),
        )
    ]
