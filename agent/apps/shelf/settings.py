"""What the operator says about a shelf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.core.planogram import Planogram  # noqa: TC001  msgspec reads the annotations
from agent.core.settings import check_range, setting
from agent.core.standpoint import ViewSettings

RELEASED: Final = "release:"
"""Before the name of a planogram that comes with the catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfSettings:
    """The planogram of a camera, and when its slots are told of."""

    planogram: str = setting(
        "file with the planogram; a relative path begins at the configuration file. `release:NAME`: the one "
        "of this name that comes with the catalogue; `plan` holds until there is one",
        "",
    )
    plan: Planogram | None = setting("the planogram itself, in place of a file", None)
    empty: tuple[str, ...] = setting(
        "pictures of this shelf with nothing in its slots, taken by this camera where it stands now; a "
        "relative path begins at the configuration file. Without them an empty slot is known by being plain, "
        "which takes twice as long, and learned",
        (),
    )
    dwell_s: float = setting("seconds that a slot must look otherwise before its state changes", 10.0)
    restock_s: float = setting("the same for a slot that looks right again", 2.0)
    blocked_after_s: float = setting(
        "seconds that something must stand before a slot until that is told", 2.0
    )
    alert_after_s: float = setting("seconds out of stock until there is an alert; 0: never", 600.0)
    refresh_s: float = setting(
        "seconds after which a slot that did not change is looked at again, in place of changes.refresh_s",
        120.0,
    )
    view: ViewSettings = setting("whether the camera was moved", ViewSettings())

    def __post_init__(self) -> None:
        if (self.plan is None) == (not self.planogram) and not (self.plan and self.of_release):
            found = "both" if self.planogram else "neither"
            raise ValueError(f"planogram: expected a file, or the planogram itself in plan, found {found}")
        for name in ("dwell_s", "restock_s", "blocked_after_s", "refresh_s"):
            check_range(name, getattr(self, name), 0.0, 3600.0)
        if self.planogram == RELEASED:
            raise ValueError(f"planogram: expected a name behind {RELEASED}, found none")
        check_range("alert_after_s", self.alert_after_s, 0.0, 604800.0)

    @property
    def of_release(self) -> str:
        """Name of the planogram that comes with the catalogue; empty: it does not."""
        return self.planogram.removeprefix(RELEASED) if self.planogram.startswith(RELEASED) else ""
