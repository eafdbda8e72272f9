"""What planograms ask for and the catalogue does not have: said on `/health`, because catalogues change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from agent.core.errors import AgentError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config import CameraEntry, Settings
    from agent.core.types import Product

NAMED: Final = 5
"""SKUs that are named; of the others it is said how many there are."""


class Memory(Protocol):
    """What is recognised with: `memory.DeviceMemory`."""

    @property
    def version(self) -> int:
        """Another number after something was learned or forgotten."""

    def by_sku(self, sku: str) -> Product | None:
        """The product with this SKU."""


class Strangers:
    """For one thread."""

    def __init__(self, report: Callable[[str, str], None]) -> None:
        self._report = report
        self._looked_at: tuple[object, int, tuple[CameraEntry, ...]] | None = None
        self._reported: set[str] = set()

    def tend(self, settings: Settings, memory: Memory) -> None:
        """Often: look again after planograms or catalogue have changed."""
        now = (memory, memory.version, settings.cameras)
        before = self._looked_at
        if before is not None and before[0] is memory and before[1:] == now[1:]:
            return
        self._looked_at = now
        found: dict[str, str] = {}
        try:
            for camera in settings.cameras:
                if reason := _reason(camera, memory):
                    found[f"planogram of {camera.id}"] = reason
        except AgentError:  # the table cannot be read: whoever recognises with it says so
            return
        for part in self._reported - set(found):
            self._report(part, "")
        for part, reason in found.items():
            self._report(part, reason)
        self._reported = set(found)


def _reason(camera: CameraEntry, memory: Memory) -> str:
    if camera.shelf is None:
        return ""
    if camera.shelf.plan is None:
        return f"expected planogram {quoted(camera.shelf.of_release)} in the catalogue, found none yet"
    skus = sorted({slot.sku for slot in camera.shelf.plan.slots})
    missing = [sku for sku in skus if memory.by_sku(sku) is None]
    if not missing:
        return ""
    named = ", ".join(quoted(sku) for sku in missing[:NAMED])
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return f"expected products of the catalogue, found {named}{more}, which it does not have"
