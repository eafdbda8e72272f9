"""Where what a device says goes to: what is behind the outbox, as it is configured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.adapters.broker import Broker
from agent.adapters.outbox import Twofold
from agent.adapters.webhook import Webhook
from agent.core.types import Delivery
from agent.core.wire import in_envelope
from agent.poster import Poster
from agent.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.adapters.outbox import Outbox
    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.core.incoming import Incoming
    from agent.core.types import Message
    from agent.core.wire import Wire
    from agent.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Sinks:
    """All ways out."""

    publisher: Publisher
    poster: Poster | None = None

    def wake(self) -> None:
        """There may be more to send."""
        self.publisher.wake()
        if self.poster is not None:
            self.poster.wake()

    @property
    def loops(self) -> dict[str, Callable[[], None]]:
        """Name → what runs until the process stops, beside the publisher."""
        return {} if self.poster is None else {"webhook": self.poster.run}


def open_sinks(
    settings: Settings,
    outbox: Outbox,
    wire: Wire,
    clock: Clock,
    metrics: Metrics,
    heed: Callable[[Incoming], None],
    report: Callable[[str, str], None],
    topics: Sequence[str] = (),
    overhear: Callable[[Message], None] = lambda _message: None,
) -> Sinks:
    """The ways out that are configured; nothing is connected yet. `outbox` is what `open_outbox` gave.

    `heed` and `overhear` as for `Publisher`; `topics` are those to hear beside commands.
    `report(part, reason)` is told what is wrong with one of them.

    Raises:
        ConfigError: a certificate file is missing or is not one.
    """
    broker = Broker(
        settings.mqtt,
        wire.root,
        wire.availability("offline"),
        clock,
        topics=[*map(wire.command_topic, settings.commands.allow), *topics],
        dress=lambda message, v5: in_envelope(message, wire.root, settings.envelope, properties=v5),
    )
    make_publisher = partial(
        Publisher, outbox, broker, wire, clock, heed=heed, report=partial(report, "broker")
    )
    if settings.webhook is None or not isinstance(outbox, Twofold):
        return Sinks(make_publisher(overhear=overhear))
    poster = Poster(
        outbox.second,
        Webhook(settings.webhook, clock),
        wire,
        clock,
        partial(report, "webhook"),
        envelope=settings.envelope,
        batch=settings.webhook.batch,
        tell=outbox.keep,
        metrics=metrics,
    )

    def both(message: Message) -> None:
        overhear(message)
        if message.delivery is Delivery.STATE:
            poster.set_state(message)

    return Sinks(make_publisher(overhear=both if settings.webhook.states else overhear), poster)
