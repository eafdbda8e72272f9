"""Facts wait here, on disk, until the broker has them, and a webhook where there is one."""

from agent.adapters.outbox.half import Half
from agent.adapters.outbox.queue import Outbox
from agent.adapters.outbox.settings import OutboxSettings
from agent.adapters.outbox.twofold import Twofold

__all__ = ["Half", "Outbox", "OutboxSettings", "Twofold"]
