"""Which application each camera has: what recognitions mean there is said by its configuration."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.adapters.images import read_image
from agent.adapters.storemap import read_map
from agent.apps.inbound import Inbound
from agent.apps.kiosk import Kiosk
from agent.apps.shelf import Shelf
from agent.apps.watch import Watch
from agent.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from agent.config import CameraEntry, Settings
    from agent.recognising import App
    from agent.viewing import Proposer


log = logging.getLogger(__name__)


def make_apps(
    settings: Settings,
    kept: Callable[[str], Mapping[str, Any] | None] = lambda _camera: None,
    running: Mapping[str, tuple[CameraEntry, App]] | None = None,
) -> dict[str, App]:
    """Camera → its application.

    `kept(camera)`: what the one of before a restart left behind, if anything. `running`: those that there
    are, with the configuration of their camera; where that is the same they go on.

    Raises:
        ConfigError: what a camera is to show does not fit.
    """
    made: dict[str, App] = {}
    for camera in settings.cameras:
        before, app = (running or {}).get(camera.id, (None, None))
        same = app is not None and before == camera
        made[camera.id] = app if same and app else _made(settings, camera, kept(camera.id))
    return made


def gone(cameras: Collection[CameraEntry], apps: Mapping[str, App]) -> Callable[[str, str], bool]:
    """Whether a topic `below` that of a camera is about something that is no longer there.

    That is a slot that the configuration no longer has, or a shipment that its application no longer knows.
    """
    slots = {
        camera.id: {slot.name for slot in camera.shelf.plan.slots}
        for camera in cameras
        if camera.shelf is not None and camera.shelf.plan is not None
    }
    shipments = {camera: app.shipments for camera, app in apps.items() if isinstance(app, Inbound)}

    def is_gone(camera: str, below: str) -> bool:
        head, _, rest = below.partition("/")
        if head == "inbound":
            return rest not in shipments.get(camera, ())
        return head == "shelf" and (camera not in slots or (bool(rest) and rest not in slots[camera]))

    return is_gone


def proposers(apps: Mapping[str, App]) -> dict[str, Proposer]:
    """Camera → where its regions come from, of the applications that say so themselves."""
    return {camera: app.proposer for camera, app in apps.items() if isinstance(app, Shelf)}


def _made(settings: Settings, camera: CameraEntry, kept: Mapping[str, Any] | None) -> App:
    if camera.inbound is not None:
        dock = Inbound(camera.id, camera.inbound, kept, (settings.site, settings.device))
        if dock.problem:
            log.error("camera %s: %s", camera.id, dock.problem)
        return dock
    if camera.kiosk is not None:
        if camera.kiosk.map:
            read_map(camera.kiosk.map)  # now: the page that shows it has nobody who could mend it
        return Kiosk(camera.kiosk)
    shelf = camera.shelf
    if shelf is None or shelf.plan is None:
        return Watch()
    try:
        empty = [read_image(Path(path)) for path in shelf.empty]
    except InputError as error:
        raise ConfigError(f"camera {camera.id!r}: shelf: empty: {error}") from None
    return Shelf(camera.id, shelf, shelf.plan, empty, kept)
