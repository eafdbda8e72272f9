"""The kiosks as their page sees them: what each shows now, the plan of the shop, and what somebody chose.

Any thread may ask. What a kiosk shows is read from its application, which changes it by one assignment; what
was chosen is told by the application itself, between two frames.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.storemap import read_map
from agent.adapters.web import MissingError, Note, Picture
from agent.apps.kiosk import Choice, Kiosk
from agent.core.errors import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.types import Event
    from agent.gate import Gate
    from agent.lookup import Lookup
    from agent.recognising import App, Recogniser

NOTE: Final = "kiosk"
"""Of a server-sent event, and of the kind that the kiosk's role hears of."""


class Kiosks:
    """All kiosks of the device."""

    def __init__(
        self, apps: Callable[[], Mapping[str, App]], recogniser: Recogniser, gate: Gate, lookup: Lookup
    ) -> None:
        """`apps()`: of each camera, as they are now."""
        self._apps = apps
        self._recogniser = recogniser
        self._gate = gate
        self._lookup = lookup

    @property
    def deeds(self) -> dict[str, Callable[..., Mapping[str, Any] | Picture]]:
        """By name of the operation, as those of `desk.Desk`."""
        return {"kiosks": self._all, "kiosk_plan": self._plan, "kiosk_choice": self._choice}

    def notes(self) -> list[Note]:
        """What each shows now."""
        return [self._note(camera, kiosk) for camera, kiosk in self._kiosks().items()]

    def changes(self) -> Callable[[str], Note | None]:
        """For one who listens: `changed(camera)` gives a note where it shows something else by now."""
        told: dict[str, object] = {}

        def changed(camera: str) -> Note | None:
            kiosk = self._apps().get(camera)
            if not isinstance(kiosk, Kiosk) or told.get(camera) is kiosk.standing:
                return None
            told[camera] = kiosk.standing
            return self._note(camera, kiosk)

        return changed

    def _kiosks(self) -> dict[str, Kiosk]:
        return {camera: app for camera, app in self._apps().items() if isinstance(app, Kiosk)}

    def _kiosk(self, camera: str) -> Kiosk:
        kiosks = self._kiosks()
        if camera not in kiosks:
            known = ", ".join(kiosks) or "a kiosk in the configuration"
            raise MissingError(f"camera: expected {known}, found {quoted(camera)}")
        return kiosks[camera]

    def _note(self, camera: str, kiosk: Kiosk) -> Note:
        return Note(NOTE, NOTE, self._now(camera, kiosk), slot=f"{NOTE}/{camera}")

    def _now(self, camera: str, kiosk: Kiosk) -> dict[str, Any]:
        shown = kiosk.standing
        if shown.product is not None:
            products = [shown.product]
        else:
            found = (self._lookup.product(option.sku) for option in shown.options)
            products = [product for product in found if product is not None]
        state, _ = self._gate.states().get(camera, ("offline", ""))
        return {
            "camera": camera,
            "online": state == "online",
            "mood": shown.mood.value,
            "number": shown.number,
            "products": [self._lookup.body(product) for product in products],
            "idle_s": kiosk.settings.idle_s,
            "currency": kiosk.settings.currency,
            "plan": bool(kiosk.settings.map),
        }

    def _all(self) -> dict[str, Any]:
        return {"kiosks": [self._now(camera, kiosk) for camera, kiosk in self._kiosks().items()]}

    def _plan(self, camera: str) -> Picture:
        """Read now: whoever changes the drawing sees it when the page is opened again."""
        path = self._kiosk(camera).settings.map
        if not path:
            raise MissingError(f"camera {quoted(camera)}: expected kiosk.map, found none")
        data = read_map(path).encode()
        return Picture(data, hashlib.sha256(data).hexdigest()[:16])

    def _choice(self, camera: str, offered: tuple[str, ...], sku: str, text: str) -> dict[str, Any]:
        product = self._lookup.product(sku) if sku else None
        choice = Choice(offered, sku, product.name if product else "", text)
        self._kiosk(camera)

        def work(app: App, at: float, utc: float) -> tuple[None, tuple[Event, ...]]:
            return None, app.chosen(choice, camera, at, utc) if isinstance(app, Kiosk) else ()

        self._recogniser.ask(camera, work)
        return {}
