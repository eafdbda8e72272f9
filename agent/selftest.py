"""The self-test of a running device: everything that can be tried from inside, each with what was found."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.adapters.catalogue import Catalogue
from agent.adapters.durable import write_whole
from agent.core.errors import AgentError, DeviceError
from agent.core.payload import rfc3339
from agent.parts import PROBE_REST_S, library_of
from agent.probing import try_probes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.config import Settings
    from agent.core.clock import Clock
    from agent.parts import Sight

FREE_BYTES: Final = 100_000_000
"""Least room on the disk: an outbox that is full, and a catalogue that comes."""

_TRIAL: Final = "self_test"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried."""

    name: str
    passed: bool
    detail: str


def run_checks(
    settings: Settings,
    sight: Sight,
    cameras: Mapping[str, tuple[str, str]],
    trouble: Mapping[str, str],
    clock: Clock,
) -> list[Check]:
    """Try all of it: some tenths of a second for each probe, most of them pauses in which frames go first.

    `cameras`: state and reason of each. `trouble`: part → what is wrong with it, as `/health` tells it.
    """
    state = Path(settings.state_dir)
    checks = [
        _tried("recognition", lambda: _recognition(sight, clock)),
        _tried("disk", lambda: _disk(state)),
        _tried("clock", lambda: _clock(settings, clock)),
    ]
    for camera, (how, reason) in sorted(cameras.items()):
        checks.append(Check(f"camera {camera}", how in {"online", "paused"}, _joined(how, reason)))
    parts = {"broker", "outbox", *(["webhook"] if settings.webhook else []), *trouble}
    return checks + [Check(part, part not in trouble, trouble.get(part, "well")) for part in sorted(parts)]


def _tried(name: str, work: Callable[[], str]) -> Check:
    try:
        return Check(name, True, work())
    except AgentError as error:
        return Check(name, False, str(error))


def _recognition(sight: Sight, clock: Clock) -> str:
    base = sight.memory.base
    if not isinstance(base, Catalogue):
        sight.eyes.invoke_once()
        return "the model runs; there is no catalogue yet"
    count = try_probes(sight.eyes, base, rest=lambda: clock.wait(PROBE_REST_S))
    if not count:
        sight.eyes.invoke_once()
        return f"the model runs; release {base.release} has no probes"
    return f"{count} probes of release {base.release} are seen and answered as at head office"


def _disk(state: Path) -> str:
    write_whole(state / _TRIAL, b"self-test")
    try:
        (state / _TRIAL).unlink()
        free = shutil.disk_usage(state).free
    except OSError as error:
        raise DeviceError(f"{state}: {error.strerror}") from None
    if free < FREE_BYTES:
        raise DeviceError(f"{state}: expected {FREE_BYTES:,} bytes free, found {free:,}")
    return f"{free:,} bytes free"


def _clock(settings: Settings, clock: Clock) -> str:
    now, signed = clock.utc(), library_of(settings).notes().signed_utc
    if now < signed:
        raise DeviceError(
            f"clock: expected a time after {rfc3339(signed)}, when a release was signed, found {rfc3339(now)}"
        )
    return rfc3339(now)


def _joined(state: str, reason: str) -> str:
    return f"{state}: {reason}" if reason else state
