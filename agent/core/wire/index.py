"""What `/index` tells."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.learned import NOTHING_LEARNED, Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """The catalogue that a device recognises with, and how syncing it stands."""

    release: str  # id of the catalogue; empty while there is none
    model: str  # name and fingerprint of the model that made it; empty while there is none
    channel: str = ""  # empty for a catalogue that did not come by sync
    number: int = 0  # of the release within the channel; 0 for a catalogue that did not come by sync
    products: int = 0
    references: int = 0
    size_bytes: int = 0  # on disk
    last_sync_utc: float | None = None  # s, Unix: when the device last knew that it was up to date
    last_sync_bytes: int = 0  # sent and received in the last round, without TLS
    last_sync_result: str = ""  # what came of it, see core/syncing.py; empty before the first
    next_poll_utc: float | None = None  # s, Unix; None without sync
    learned: Counts = NOTHING_LEARNED  # by the device itself, beside the catalogue
    note: str = ""  # why a release is not taken although nothing is wrong
    error: str = ""  # what is wrong
