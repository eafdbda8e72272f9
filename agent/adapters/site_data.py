"""What releases carry beside products for the site that a device is at: planograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.adapters.catalogue import read_manifest, read_planograms
from agent.adapters.library import Library
from agent.core.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def planograms_held(state: Path, catalogue: Path | None, *, synced: bool) -> Iterator[tuple[str, bytes]]:
    """Planograms that this device has, the best first: (where they are from, bytes of agent/planograms.py).

    Those of the current generation, of the one before, and of the configured catalogue. What is damaged or
    has none is passed over: whoever recognises with it says so.
    """
    folders = []
    if synced:
        library = Library(state)
        folders = [library.folder(each) for each in (library.current(), library.previous()) if each]
    for folder in (*folders, *((catalogue,) if catalogue is not None else ())):
        try:
            data = read_planograms(folder, read_manifest(folder))
        except CatalogueError:
            continue
        if data is not None:
            yield str(folder), data
