"""Which application each camera has: what recognitions mean there is said by its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.adapters.storemap import read_map
from agent.apps.kiosk import Kiosk
from agent.apps.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.config import CameraEntry, Settings
    from agent.recognising import App


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
        made[camera.id] = app if app is not None and before == camera else _made(camera, kept(camera.id))
    return made


def _made(camera: CameraEntry, kept: Mapping[str, Any] | None) -> App:  # noqa: ARG001
    if camera.kiosk is not None:
        if camera.kiosk.map:
            read_map(camera.kiosk.map)  # now: the page that shows it has nobody who could mend it
        return Kiosk(camera.kiosk)
    return Watch()
