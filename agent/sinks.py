"""Where what a device says goes to: the parts behind the outbox, as they are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.broker import Broker
from agent.core.wire import in_envelope
from agent.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.adapters.outbox import Outbox
    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.core.incoming import Incoming
    from agent.core.wire import Wire


def make_publisher(
    settings: Settings,
    outbox: Outbox,
    wire: Wire,
    clock: Clock,
    heed: Callable[[Incoming], None],
    report: Callable[[str], None],
) -> Publisher:
    """The way to the configured broker; nothing is connected yet. `heed` and `report` as for `Publisher`.

    Raises:
        ConfigError: a certificate file is missing or is not one.
    """
    broker = Broker(
        settings.mqtt,
        wire.root,
        wire.availability("offline"),
        clock,
        topics=[wire.command_topic(name) for name in settings.commands.allow],
        dress=lambda message, v5: in_envelope(message, wire.root, settings.envelope, properties=v5),
    )
    return Publisher(outbox, broker, wire, clock, heed=heed, report=report)
