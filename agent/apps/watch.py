"""The plain application: every recognition is told as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.types import Event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agent.core.scene import Scene


class Watch:
    """Recognitions in, one event each out."""

    def update(self, scene: Scene) -> tuple[Event, ...]:
        """One `recognition` event per recognition, in order."""
        return told(scene)

    def kept(self) -> Mapping[str, Any] | None:
        """Nothing: each recognition stands for itself."""
        return None


def told(scene: Scene) -> tuple[Event, ...]:
    """The `recognition` events of a scene, in order: every application tells them."""
    return tuple(
        Event(kind="recognition", camera=r.track.camera, at=r.at, utc=r.utc, body=r)
        for r in scene.recognitions
    )
