"""How the catalogue in use and syncing stand, as the disk tells it: after a restart as before."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.catalogue import read_manifest
from agent.adapters.durable import write_whole
from agent.core.errors import AgentError, CatalogueError
from agent.core.learned import NOTHING_LEARNED, counted
from agent.core.wire import IndexStatus
from agent.parts import OVERLAY_FOLDER, catalogue_folders, library_of, open_overlay

if TYPE_CHECKING:
    from agent.config import Settings
    from agent.core.learned import Counts
    from agent.core.manifest import Manifest
    from agent.core.syncing import Generation

log = logging.getLogger(__name__)

_NEXT_ROUND = "next_round"
_LATEST_UTC = 253_402_300_799  # the end of the year 9999


def index_status(
    settings: Settings,
    *,
    in_use: str | None = None,
    learned: Counts | None = None,
) -> IndexStatus:
    """What the disk says of the catalogue in use, of syncing and, where it is not given, of what was learned.

    Nothing of the catalogue is verified. `in_use` is the release that is recognised with, empty for none;
    by default the one that a start would take.
    """
    found, problem = _found(settings, in_use)
    generation, folder, manifest = found or (None, None, None)
    notes = library_of(settings).notes()
    release = in_use or (manifest.release if manifest else "")
    return IndexStatus(
        release=release,
        model=f"{manifest.model.name} {manifest.model.fingerprint[:12]}" if manifest else "",
        channel=generation.channel if generation else "",
        number=generation.number if generation else 0,
        products=manifest.products if manifest else 0,
        references=manifest.references if manifest else 0,
        size_bytes=_size(folder) if folder else 0,
        last_sync_utc=notes.last_sync_utc,
        last_sync_bytes=notes.last_bytes,
        last_sync_result=notes.last_result,
        next_poll_utc=_next_round(settings) if settings.sync else None,
        learned=learned or _counts_on_disk(settings, release),
        note=notes.note,
        error=problem or (notes.error if settings.sync else ""),
    )


def expect_round(settings: Settings, utc: float) -> None:
    """The next round of sync is due then: `spotter status` reads it. DeviceError when the disk refuses."""
    write_whole(Path(settings.state_dir) / _NEXT_ROUND, f"{utc:.3f}".encode())


def _next_round(settings: Settings) -> float | None:
    """s, Unix; past where no daemon runs, None where none ever did."""
    try:
        utc = float((Path(settings.state_dir) / _NEXT_ROUND).read_bytes())
    except (OSError, ValueError):
        return None
    return utc if 0 <= utc < _LATEST_UTC else None


def _found(
    settings: Settings, release: str | None
) -> tuple[tuple[Generation | None, Path, Manifest] | None, str]:
    """The best catalogue on the disk, or the one of this release; and what is wrong with a better one."""
    problem = ""
    for generation, folder in catalogue_folders(settings):
        try:
            manifest = read_manifest(folder)
        except CatalogueError as error:
            problem = problem or str(error)
            continue
        if release in (None, manifest.release):
            return (generation, folder, manifest), problem
    return None, problem


def _size(folder: Path) -> int:
    """Bytes of the whole directory."""
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except OSError:
        return 0  # it was replaced a moment ago


def _counts_on_disk(settings: Settings, release: str) -> Counts:
    if not (Path(settings.state_dir) / OVERLAY_FOLDER).exists():
        return NOTHING_LEARNED
    try:
        with closing(open_overlay(settings)) as overlay:
            return counted(overlay.learned(), release)
    except AgentError as error:
        log.error("what was learned: %s", error)
        return NOTHING_LEARNED
