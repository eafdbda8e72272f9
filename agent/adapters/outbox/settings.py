"""How much the outbox keeps, and how soon it is safe."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.settings import check_range, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """How much is kept while the broker is away."""

    max_bytes: int = setting(
        "bytes of messages kept; beyond them the oldest facts are dropped and counted", 64_000_000
    )
    max_age_s: float = setting(
        "seconds a fact is kept, counted while Spotter runs (setting the clock changes nothing)", 604_800.0
    )
    max_message_bytes: int = setting("bytes of the largest message that is accepted", 131_072)
    sync_s: float = setting("longest time in seconds until a fact survives a power cut", 0.25)

    def __post_init__(self) -> None:
        check_range("max_bytes", self.max_bytes, 10_000, 100_000_000_000)
        check_range("max_age_s", self.max_age_s, 1, 316_224_000)
        check_range("max_message_bytes", self.max_message_bytes, 1_000, 268_000_000)
        check_range("sync_s", self.sync_s, 0, 60)
