"""EPCIS events as files, one each, for whoever collects files: a full disk costs files, never facts.

The recognise thread notes them, the store thread writes them: `FOLDER/2026-01-01/<hash>.json`, whole or not
at all.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.durable import make_folder, write_whole
from agent.core.errors import DeviceError
from agent.core.inbound.epcis import document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.core.types import Event

log = logging.getLogger(__name__)

WAITING_LIMIT: Final = 10_000
"""Events that wait for the disk, 1 kB each; the oldest go first, they are on their topic all the same."""


class Filing:
    """`note` is for one thread, `tend` for another."""

    def __init__(self, folder_of: Callable[[str], str]) -> None:
        """`folder_of(camera)`: where its events are written to; empty: nowhere."""
        self._folder_of = folder_of
        self._waiting: deque[tuple[Path, bytes]] = deque(maxlen=WAITING_LIMIT)
        self._complaint = ""

    def note(self, events: Iterable[Event]) -> None:
        """Have the EPCIS events among these written soon. Waits for nobody."""
        for event in events:
            if event.kind == "epcis":
                folder = self._folder_of(event.camera)
                if folder:
                    body: Any = event.body
                    self._waiting.append(_file_of(Path(folder), body["epcis"], event.utc))

    def tend(self) -> None:
        """Write what waits; a disk that refuses is said, and tried again at the next call."""
        while self._waiting:
            path, data = self._waiting[0]
            try:
                make_folder(path.parent)
                write_whole(path, data)
            except DeviceError as error:
                log.log(logging.DEBUG if self._complaint else logging.ERROR, "EPCIS files: %s", error)
                self._complaint = str(error)
                return
            self._complaint = ""
            self._waiting.popleft()


def _file_of(folder: Path, event: dict[str, Any], utc: float) -> tuple[Path, bytes]:
    digest = event["eventID"].partition(";")[2].partition("?")[0]
    back = "-taken-back" if "errorDeclaration" in event else ""
    data = json.dumps(document([event], utc), indent=1, ensure_ascii=False).encode()
    return folder / event["eventTime"][:10] / f"{digest}{back}.json", data
