"""The publish loop: steps the publisher until the process stops, whatever the disk does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent.core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.clock import Clock
    from agent.publisher import Publisher

log = logging.getLogger(__name__)


def deliver(publisher: Publisher, clock: Clock, idle_s: float, last: Callable[[], None]) -> None:
    """Until the process stops. `last()` returns when no more facts come; what there is then is sent.

    `idle_s`: the longest wait of a step, and the rest after the disk refused.
    """
    complained = False
    while not clock.wait(0.0):
        try:
            publisher.step(idle_s)
            complained = False
        except DeviceError as error:
            log.log(logging.DEBUG if complained else logging.ERROR, "outbox: %s", error)
            complained = True
            clock.wait(idle_s)
    last()
    try:
        publisher.close()
    except DeviceError as error:
        log.error("outbox: %s", error)
