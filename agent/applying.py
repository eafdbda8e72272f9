"""Which application each camera has: what recognitions mean there is said by its configuration."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from agent.apps.inbound import Inbound
from agent.apps.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.config import CameraEntry, Settings
    from agent.recognising import App


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


def _made(settings: Settings, camera: CameraEntry, kept: Mapping[str, Any] | None) -> App:
    if camera.inbound is not None:
        dock = Inbound(camera.id, camera.inbound, kept, (settings.site, settings.device))
        if dock.problem:
            log.error("camera %s: %s", camera.id, dock.problem)
        return dock
    return Watch()
