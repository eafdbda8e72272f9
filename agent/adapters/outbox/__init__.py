"""Facts wait here, on disk, until the broker has them."""

from agent.adapters.outbox.queue import Outbox
from agent.adapters.outbox.settings import OutboxSettings

__all__ = ["Outbox", "OutboxSettings"]
