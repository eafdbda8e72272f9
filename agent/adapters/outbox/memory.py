"""What the outbox knows without its file: what is not stored yet, what is under way, how much waits.

No I/O, and no lock: whoever calls holds one.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.adapters.outbox.file import Row
from agent.adapters.outbox.writing import loss_of
from agent.core.delivery import Stored
from agent.core.losses import Cause, Ledger, Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.adapters.outbox.file import File, Waiting
    from agent.adapters.outbox.writing import Dropped
    from agent.core.types import Message

_FRESH_BYTES: Final = 16_000_000
"""Bytes of messages that wait in memory while the disk does not take them: some twenty thousand facts, on
boards that have 512 MB."""

_RECENT_BYTES: Final = 1_000_000
"""Bytes of messages that are in the file and in memory too: what is sent soon is not read back."""

_AGE_S: Final = 60.0
"""How often the passing of time is written down, and what grew too old is looked for."""

_CLEARED_KEPT: Final = 64
"""Topics remembered that are no longer retained, in case a broker that lost its memory brings them back."""


class Work(NamedTuple):
    """What the file lacks."""

    last: int  # seq of the newest message
    rows: list[Row]
    done: list[int]  # seqs to delete
    losses: tuple[Loss, ...]  # all that nobody was told of
    booked: bool  # whether the file lacks some of them
    dropped: int  # facts, ever
    retained: dict[str, bool | None]  # see `Change.retain`
    excess_bytes: int  # to be dropped for want of room
    age_s: float | None  # when it is to be written down
    fed: int | None = None  # see `Twofold`

    @property
    def nothing(self) -> bool:
        """Whether the file is up to date."""
        changed = self.rows or self.done or self.retained or self.booked
        return not changed and self.excess_bytes <= 0 and self.age_s is None


class Memory:
    """Counts, and what is on its way into the file and out to the broker."""

    def __init__(self) -> None:
        # A run that cannot open its file at once begins where no message in it has its seq, nor a later one.
        self.last = self._first = random.randrange(1, 1 << 20) << 40
        self.fresh: OrderedDict[int, Row] = OrderedDict()  # put, and not in the file
        self.topics: dict[str, int] = {}  # waiting messages
        self.bytes = 0
        self.dropped = 0
        self.age_s = 0.0
        self.ledger = Ledger()
        self.retained: dict[str, bool] = {}  # whether the broker still has it; the latest change last
        self.done: set[int] = set()  # acknowledged, and still in the file
        self._fresh_bytes = 0
        self._leaving = 0  # seq: those of `fresh` up to here are on their way into the file
        self._recent: OrderedDict[int, Row] = OrderedDict()  # also in the file
        self._recent_bytes = 0
        self._floor = 0  # seq: what waits in the file behind it is in `_recent`
        self._handed: dict[int, tuple[str, int]] = {}  # seq → topic and bytes of what may be under way
        self._dropping: set[int] = set()  # chosen, and still in the file
        self._ledger_changed = False
        self._retained_changed: dict[str, bool | None] = {}
        self._age_written_s = 0.0

    def load(self, file: File) -> None:
        """Take over what a file holds; what was put before stands behind it. Raises DeviceError."""
        counts, meta, last = file.counts(), file.meta(), file.last_seq()
        losses, retained = file.losses(), file.retained()
        for topic, (count, size) in counts.items():
            self.topics[topic] = self.topics.get(topic, 0) + count
            self.bytes += size
        self.dropped += int(meta["dropped"])
        age_s = float(meta["age_s"])
        self.age_s += age_s
        self._age_written_s = age_s
        for seq, row in self.fresh.items():
            self.fresh[seq] = row._replace(born_s=row.born_s + age_s)
        later, self.ledger = self.ledger.losses(), Ledger(losses)
        self._ledger_changed = bool(later)
        for loss in later:
            self.ledger.book(loss)
        self._retained_changed = dict(self.retained)
        self.retained = retained | self.retained
        self._floor = last
        if self.last == self._first:  # nobody was given a number yet
            self.last = last

    def lose_file(self) -> None:
        """The file is damaged: what waited in it is lost. What is known beside it goes into the next one."""
        for topic, count in list(self.topics.items()):
            fresh = [row for row in self.fresh.values() if row.message.topic == topic]
            if count > len(fresh):
                self.book(Loss(topic, Cause.DAMAGED, count - len(fresh)))
                self.dropped += count - len(fresh)
            self._set_count(topic, len(fresh))
        self.bytes = self._fresh_bytes
        self._handed = {seq: known for seq, known in self._handed.items() if seq in self.fresh}
        self._recent.clear()
        self._recent_bytes = 0
        self.done.clear()
        self._dropping.clear()

    def take(self, message: Message, size: int, *, kept: bool = False) -> None:
        """One more message. `kept`: whatever else is dropped."""
        self.last += 1
        self.fresh[self.last] = Row(self.last, message, size, self.age_s, kept)
        self._fresh_bytes += size
        self.bytes += size
        self._set_count(message.topic, self.topics.get(message.topic, 0) + 1)
        while self._fresh_bytes > _FRESH_BYTES and self._shed():
            pass

    def refuse(self, message: Message, cause: Cause) -> None:
        """A message is dropped before it was taken."""
        self.dropped += 1
        self.book(Loss(message.topic, cause, 1, message.utc, message.utc))

    def book(self, loss: Loss) -> None:
        """It is to be told."""
        self.ledger.book(loss)
        self._ledger_changed = True

    def told(self) -> None:
        """All losses stand in messages that were taken."""
        self.ledger.clear()
        self._ledger_changed = True

    def hand(self, stored: Stored, size: int) -> bool:
        """Whether this message may go to the broker; it counts as under way from here."""
        if stored.seq in self.done or stored.seq in self._dropping:
            return False
        self._handed[stored.seq] = (stored.message.topic, size)
        return True

    def hand_recent(self, after: int, upto: int, limit: int, topic: str | None) -> list[Stored] | None:
        """Messages behind seq `after` up to seq `upto` without their file; None: it has to be read."""
        return self._hand_some(self._recent, after, upto, limit, topic) if after >= self._floor else None

    def hand_fresh(self, after: int, limit: int, topic: str | None) -> list[Stored]:
        """The same for those that are in memory alone."""
        return self._hand_some(self.fresh, after, self.last, limit, topic)

    def deliver(self, seq: int) -> None:
        """The broker has this message; one that was not handed out is ignored."""
        known = self._handed.pop(seq, None)
        if known is None or seq in self._dropping:
            return
        self._uncount(*known)
        if seq > self._leaving and seq in self.fresh:
            self._forget_fresh(seq)
        else:
            self._forget_recent(seq)
            self.done.add(seq)

    def may_drop(self, item: Waiting, old: bool) -> bool:
        """Whether a message in the file may be dropped; if so it is handed out no more.

        What may be under way is not, unless it is too `old`: it may have arrived, and would be told of as
        lost.
        """
        if item.seq in self._handed and not old:
            return False
        self._dropping.add(item.seq)
        return True

    def retain(self, topic: str, held: bool) -> bool:
        """See `Outbox.retain`."""
        if self.retained.get(topic) == held:
            return False
        self.retained.pop(topic, None)
        self.retained[topic] = self._retained_changed[topic] = held
        cleared = [topic for topic, held in self.retained.items() if not held]
        for old in cleared[: max(0, len(cleared) - _CLEARED_KEPT)]:
            del self.retained[old]
            self._retained_changed[old] = None
        return True

    def work(self, max_bytes: int) -> Work:
        """What is to be written; `written` or `failed` follows."""
        self._leaving = self.last
        work = Work(
            last=self.last,
            rows=[row for seq, row in self.fresh.items() if seq not in self.done],
            done=list(self.done),
            losses=self.ledger.losses(),
            booked=self._ledger_changed,
            dropped=self.dropped,
            retained=self._retained_changed,
            excess_bytes=self.bytes - max_bytes,
            age_s=self.age_s if self.age_s - self._age_written_s >= _AGE_S else None,
        )
        self._ledger_changed = False
        self._retained_changed = {}
        return work

    def written(self, work: Work, dropped: Sequence[Dropped]) -> None:
        """The file has it, and not what was dropped."""
        for row in work.rows:
            self._forget_fresh(row.seq)
            if row.seq not in self.done:
                self._recent[row.seq] = row
                self._recent_bytes += row.bytes
        self.done.difference_update(work.done)
        changed = self._ledger_changed
        for item, cause in dropped:
            self._handed.pop(item.seq, None)
            self._forget_recent(item.seq)
            self._uncount(item.topic, item.bytes)
            self.dropped += 1
            self.ledger.book(loss_of(item, cause))
        self._ledger_changed = changed  # the file knows of these
        self._dropping.clear()
        if work.age_s is not None:
            self._age_written_s = work.age_s
        self._leaving = 0
        while self._recent_bytes > _RECENT_BYTES:
            self._floor = next(iter(self._recent))
            self._forget_recent(self._floor)

    def failed(self, work: Work) -> None:
        """The file has nothing of it."""
        self._leaving = 0
        self._dropping.clear()
        self._ledger_changed = self._ledger_changed or work.booked
        self._retained_changed = work.retained | self._retained_changed
        for seq in [seq for seq in self.done if seq in self.fresh]:
            self.done.discard(seq)
            self._forget_fresh(seq)

    def _shed(self) -> bool:
        """Drop the oldest of what is in memory alone; False when nothing may be."""
        for seq, row in self.fresh.items():
            if seq > self._leaving and not row.kept and seq not in self._handed:
                self._forget_fresh(seq)
                self._uncount(row.message.topic, row.bytes)
                self.refuse(row.message, Cause.FULL)
                return True
        return False

    def _hand_some(
        self, rows: OrderedDict[int, Row], after: int, upto: int, limit: int, topic: str | None
    ) -> list[Stored]:
        found: list[Stored] = []
        for seq, row in rows.items():
            if seq > upto or len(found) >= limit:
                break
            if seq > after and (topic is None or row.message.topic == topic):
                stored = Stored(seq, row.message)
                if self.hand(stored, row.bytes):
                    found.append(stored)
        return found

    def _forget_recent(self, seq: int) -> None:
        row = self._recent.pop(seq, None)
        if row is not None:
            self._recent_bytes -= row.bytes

    def _forget_fresh(self, seq: int) -> None:
        self._fresh_bytes -= self.fresh.pop(seq).bytes

    def _uncount(self, topic: str, size: int) -> None:
        self.bytes -= size
        self._set_count(topic, self.topics[topic] - 1)

    def _set_count(self, topic: str, count: int) -> None:
        self.topics[topic] = count
        if not count:
            del self.topics[topic]
