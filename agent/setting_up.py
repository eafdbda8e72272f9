"""A camera is set up from a page: where to look is drawn and written, focus and light read, items learned.

What writes is done one after the other; all else any thread may ask at any time.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.images import decode_image, shrunk_jpeg
from agent.adapters.web import MissingError
from agent.core.errors import AgentError, InputError, quoted
from agent.core.layout import DIGITS, Layout, Place
from agent.core.looking import sharpness, side_px
from agent.core.meter import read_meter
from agent.core.payload import rfc3339
from agent.core.regions import PROPOSED, RegionSettings, SlotSettings, propose
from agent.core.requests import Command
from agent.core.views import cut_out, judge
from agent.core.what_if import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agent.commanding import Commander
    from agent.config import CameraEntry, Settings
    from agent.core.planogram import Planogram
    from agent.core.privacy import Shares, Veil
    from agent.core.types import Frame, Region
    from agent.core.what_if import Change
    from agent.core.zone import Corners
    from agent.gate import Gate
    from agent.lookup import Lookup
    from agent.placing import ConfigFile, Written
    from agent.showing import Showing

_OPTIONS: Final = 3
_VIEW_PX: Final = 1024
_VIEW_QUALITY: Final = 92
_VIEW_BYTES: Final = 400_000
"""As `learning` keeps pictures. Sixteen of them, in base64, are less than a request may have."""


@dataclass(slots=True, kw_only=True)
class SettingUp:
    """What the page asks: one method for each of `core/api/setting_up.py`."""

    file: ConfigFile
    settings: Callable[[], Settings]  # as they are now
    lookup: Lookup
    gate: Gate
    showing: Showing
    commander: Commander
    veil: Veil
    _writing: Lock = field(default_factory=Lock)

    @property
    def deeds(self) -> dict[str, Callable[..., Mapping[str, Any]]]:
        """By name of the operation."""
        return {
            "layout": self._layout,
            "lay_out": self._lay_out,
            "shelve": self._shelve,
            "mask": self._mask,
            "decide": self._decide,
            "look": self._look,
            "meter": self._meter,
            "what_if": self._what_if,
            "view": self._view,
        }

    def _layout(self, camera: str) -> dict[str, Any]:
        return self._told(camera, self.file.read())

    def _lay_out(
        self, camera: str, etag: str, mode: str, places: Sequence[Place], zone: Corners | None
    ) -> dict[str, Any]:
        layout = Layout(mode, tuple(places), zone)
        written, taken = self._write(lambda: self.file.place(camera, layout, etag, self._check_fit))
        return {**self._told(camera, written), **taken}

    def _shelve(self, camera: str, etag: str, places: Sequence[Place]) -> dict[str, Any]:
        written, taken = self._write(lambda: self.file.shelve(camera, places, etag, self._check_fit))
        return {**self._told(camera, written), **taken}

    def _mask(self, camera: str, etag: str, masks: Sequence[Shares]) -> dict[str, Any]:
        written, taken = self._write(lambda: self.file.mask(camera, masks, etag))
        return {**self._told(camera, written), **taken}

    def _decide(self, etag: str, false_accept: float) -> dict[str, Any]:
        written, taken = self._write(lambda: self.file.decide(round(false_accept, DIGITS), etag))
        return {"now": written.settings.decision.false_accept, "etag": written.tag, **taken}

    def _write(self, change: Callable[[], Written]) -> tuple[Written, dict[str, Any]]:
        """What stands in the file now, and whether the daemon works by it; one after the other."""
        with self._writing:
            return change(), self._take_over()

    def _take_over(self) -> dict[str, Any]:
        reason = ""
        try:
            self.commander.ask(Command("reload", {}))
        except AgentError as error:  # it is written all the same, and a restart takes it over
            reason = str(error)
        return {"taken_over": not reason, "reason": reason}

    def _check_fit(self, entry: CameraEntry) -> None:
        """Refuse at once what would otherwise be noticed at the next picture: a slot outside of it."""
        frame = self._frame_or_none(entry.id)
        if frame is None:
            return
        shelf = entry.shelf
        try:
            if shelf is not None and shelf.plan is not None:
                shelf.plan.cells(frame.width, frame.height)
            elif entry.regions.mode not in PROPOSED:
                propose(entry.regions, frame.width, frame.height)
        except ValueError as error:
            raise InputError(f"{entry.id}: {'shelf' if shelf else 'regions'}: {error}") from None

    def _told(self, camera: str, written: Written) -> dict[str, Any]:
        entry = next((each for each in written.settings.cameras if each.id == camera), None)
        if entry is None:
            raise MissingError(f"camera: expected one of the configuration file, found {quoted(camera)}")
        frame = self._frame_or_none(camera)
        return {
            "camera": camera,
            "etag": written.tag,
            "mode": entry.regions.mode,
            "unit": entry.regions.unit,
            "places": [_place(slot) for slot in entry.regions.slots],
            "zone": list(entry.regions.zone) if entry.regions.zone else None,
            "masks": [list(mask) for mask in entry.privacy.masks],
            "shelf": _shelf(entry.shelf.plan) if entry.shelf and entry.shelf.plan else None,
            "width": frame.width if frame is not None else 0,
            "height": frame.height if frame is not None else 0,
        }

    def _look(self, camera: str, places: Sequence[Place]) -> dict[str, Any]:
        frame = self._frame(camera)
        regions = self._regions(frame, places)
        found = self.lookup.looked(frame.image, regions, _OPTIONS) if regions else []
        return {
            "time": rfc3339(frame.utc),
            "seen": [_seen(frame, *pair) for pair in zip(regions, found, strict=True)],
        }

    def _meter(self, camera: str) -> dict[str, Any]:
        frame = self._frame(camera)
        reading = asdict(read_meter(frame.image))
        return {"time": rfc3339(frame.utc), **{name: round(each, 4) for name, each in reading.items()}}

    def _what_if(self, false_accept: float, camera: str) -> dict[str, Any]:
        if camera:
            self._check_known(camera)
        now = self.settings().decision.false_accept
        decisions = [each for each in self.showing.decisions() if camera in {"", each.track.camera}]
        return {
            "now": now,
            "decisions": len(decisions),
            "named": sum(each.product is not None for each in decisions),
            "changes": [_change(each) for each in reversed(changes(decisions, false_accept, now))],
        }

    def _view(self, camera: str, place: Sequence[Place], views: Sequence[bytes]) -> dict[str, Any]:
        """As others may see it: it is going to be kept."""
        frame = self.veil.over(self._frame(camera))
        part = cut_out(frame.image, self._regions(frame, place)[0]) if place else frame.image
        data, width, height = shrunk_jpeg(part, _VIEW_PX, _VIEW_QUALITY, _VIEW_BYTES)
        pictures: list[NDArray[np.uint8]] = [decode_image(data, "view")]
        pictures += [decode_image(each, f"views[{number}]") for number, each in enumerate(views)]
        rows = self.lookup.rows(pictures)
        view = judge(pictures[0], rows[0], rows[1:])
        return {
            "image": b64encode(data).decode(),
            "width": width,
            "height": height,
            "sharpness": round(view.sharpness, 1),
            "similarity": None if view.similarity is None else round(view.similarity, 4),
            "fault": view.fault,
        }

    def _regions(self, frame: Frame, places: Sequence[Place]) -> tuple[Region, ...]:
        if not places:
            return ()
        try:
            return propose(_regions(places), frame.width, frame.height)
        except ValueError as error:
            raise InputError(f"places: {error}") from None

    def _check_known(self, camera: str) -> None:
        known = [each.id for each in self.settings().cameras]
        if camera not in known:
            raise MissingError(f"camera: expected one of {', '.join(known)}, found {quoted(camera)}")

    def _frame(self, camera: str) -> Frame:
        """The one that was looked at, which is without a veil; where none could be, what the camera gave."""
        self._check_known(camera)
        shown = self.showing.latest(camera)
        if shown is not None and shown.frame is not None:
            return shown.frame
        try:
            return self.gate.given(camera)
        except AgentError as error:
            raise MissingError(str(error)) from None

    def _frame_or_none(self, camera: str) -> Frame | None:
        try:
            return self._frame(camera)
        except MissingError:
            return None


def _regions(places: Sequence[Place]) -> RegionSettings:
    """In pixels. Raises ValueError as the settings do."""
    slots = tuple(SlotSettings(name=each.name, box=each.box, quad=each.quad, sku=each.sku) for each in places)
    return RegionSettings(mode="slots", slots=slots)


def _place(slot: SlotSettings) -> dict[str, Any]:
    shape = {"box": list(slot.box)} if slot.box else {"quad": [list(corner) for corner in slot.quad or ()]}
    return {"name": slot.name, "was": slot.name, "sku": slot.sku, **shape}


def _shelf(plan: Planogram) -> dict[str, Any]:
    outlines = plan.outlines
    places = []
    for slot in plan.slots:
        outline = [list(corner) for corner in outlines[slot.name]]
        shape = {"box": list(slot.box)} if slot.box else {"quad": outline}
        told = {"name": slot.name, "was": slot.name, "sku": slot.sku, **shape}
        places.append({**told, "facings": slot.facings, "minimum": slot.minimum})
    return {"unit": plan.unit, "places": places}


def _seen(frame: Frame, region: Region, found: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("sku", "name", "probability", "similarity")
    return {
        "name": region.name,
        "verdict": found["verdict"],
        "sku": found["sku"],
        "product": found["name"],
        "probability": found["probability"],
        "reason": found["reason"],
        "options": [{name: each[name] for name in kept} for each in found["candidates"]],
        "sharpness": round(sharpness(frame.image, region), 1),
        "side_px": side_px(frame.image, region),
    }


def _change(change: Change) -> dict[str, Any]:
    told = change.decision
    best = told.options[0] if told.options else None
    return {
        "camera": told.track.camera,
        "region": told.track.region.name,
        "track": told.track.id,
        "time": rfc3339(told.utc),
        "named": change.named,
        "sku": best.sku if best else "",
        "name": best.name if best else "",
        "probability": round(told.probability, 4),
        "false_accept": round(told.false_accept, 8),
    }
