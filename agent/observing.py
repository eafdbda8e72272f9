"""A look at the running daemon, for whoever asks over HTTP: gathers, and lets `core.prometheus` write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.prometheus import Observed, exposition

if TYPE_CHECKING:
    from agent.bookkeeping import Bookkeeper
    from agent.gate import Gate
    from agent.health import Health
    from agent.holding import Holding
    from agent.metrics import Metrics
    from agent.publisher import Publisher


class Observing:
    """Any thread may ask; nothing is waited for, and neither the disk nor the broker is asked."""

    def __init__(
        self,
        *,
        site: str,
        device: str,
        books: Bookkeeper,
        publisher: Publisher,
        gate: Gate,
        health: Health,
        holding: Holding,
        metrics: Metrics,
    ) -> None:
        self._site = site
        self._device = device
        self._books = books
        self._publisher = publisher
        self._gate = gate
        self._health = health
        self._holding = holding
        self._metrics = metrics

    def exposition(self) -> str:
        """Everything of this moment, of content type `core.prometheus.CONTENT_TYPE`."""
        cameras = {camera: state for camera, (state, _reason) in self._gate.states().items()}
        status = self._publisher.status
        return exposition(
            Observed(
                site=self._site,
                device=self._device,
                versions=self._holding.versions,
                uptime_s=self._books.uptime_s,
                online=status.online,
                underway=status.flying,
                cameras=cameras,
                causes=self._health.causes,
                index=self._holding.index,
                figures=self._books.figures(cameras),
                durations=self._metrics.durations(),
            )
        )
