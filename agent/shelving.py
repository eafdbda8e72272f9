"""What is asked of shelves: by the commands, and by `spotter planogram accept` over the disk."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.durable import write_whole
from agent.apps.shelf import Shelf
from agent.core.errors import AgentError, InputError, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.types import Event
    from agent.recognising import App, Recogniser

log = logging.getLogger(__name__)

REQUEST: Final = "accept-view"
ANSWER: Final = "accept-view.answer"
"""In the state directory: who asks writes the name of a camera into the one, and reads the other as JSON."""

_NAME_BYTES: Final = 256


class Shelving:
    """The shelves of this device. Any thread may ask; `tend` is for one."""

    def __init__(self, recogniser: Recogniser, state: Path) -> None:
        self._recogniser = recogniser
        self._state = state

    def accept_view(self, camera: str = "") -> dict[str, Any]:
        """A camera may stay where it was moved to.

        Raises:
            InputError: there is no such shelf, or nothing to accept.
            DeviceError: the device is too busy.
        """
        name = self._shelf(camera)

        def work(app: App, at: float, utc: float) -> tuple[float, tuple[Event, ...]]:
            if not isinstance(app, Shelf):  # the configuration changed a moment ago
                raise InputError(f"camera: expected one with a shelf, found {quoted(name)}")
            try:
                return app.accept_view(at, utc)
            except ValueError as error:
                raise InputError(f"camera {name!r}: {error}") from None

        return {"camera": name, "moved_px": round(self._recogniser.ask(name, work), 1)}

    def tend(self) -> None:
        """Twice a second: do what was asked over the disk."""
        request = self._state / REQUEST
        try:
            with request.open("rb") as file:
                camera = file.read(_NAME_BYTES).decode("utf-8", "replace").strip()
            request.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            log.debug("%s: %s", request, error)
            return
        try:
            answer: dict[str, Any] = {"error": "", **self.accept_view(camera)}
        except AgentError as error:
            answer = {"error": str(error)}
        log.info("accept the view of camera %s: %s", quoted(camera), answer["error"] or "done")
        try:
            write_whole(self._state / ANSWER, json.dumps(answer).encode())
        except AgentError as error:
            log.warning("%s: %s", self._state / ANSWER, error)

    def _shelf(self, camera: str) -> str:
        shelves = sorted(
            name for name, app in self._recogniser.applications.items() if isinstance(app, Shelf)
        )
        if not shelves:
            raise InputError("camera: expected a camera with a shelf in its configuration, found none")
        if not camera and len(shelves) == 1:
            return shelves[0]
        if camera not in shelves:
            raise InputError(f"camera: expected one of {', '.join(shelves)}, found {quoted(camera)}")
        return camera
