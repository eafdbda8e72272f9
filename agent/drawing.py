"""What is drawn becomes text: the configuration file, or a planogram, changed there and nowhere else.

The text is read, changed, read again, and compared with what was asked for.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.apps.shelf import RELEASED, ShelfSettings
from agent.config import parse_config
from agent.core.errors import ConfigError, InputError, quoted
from agent.core.planogram import PlannedSlot, Planogram
from agent.core.regions import SlotSettings
from agent.planograms import parse_planogram
from agent.yamlsplice import Splice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.config import CameraEntry, Settings
    from agent.core.layout import Layout, Place
    from agent.core.privacy import Shares
    from agent.core.regions import RegionSettings
    from agent.core.types import Quad

_MARK: Final = b"\xef\xbb\xbf"
"""What some editors put before UTF-8."""

_SAME: Final = 1e-4
"""Pixels, or shares, by which a slot that was not moved may differ from where it is told to be."""


def placed(raw: bytes, name: str, camera: str, layout: Layout) -> tuple[bytes, Settings]:
    """The content of a file with another layout of a camera, and what it then says.

    Raises: as `ConfigFile.place`.
    """

    def draw(splice: Splice, settings: Settings) -> Callable[[], Settings]:
        number = index_of(settings, camera)
        old = settings.cameras[number]
        _draw(splice, number, old.regions, layout)
        return lambda: _with_camera(settings, number, _with(old, layout))

    return rewritten(raw, name, f"{camera}: regions", draw)


def masked(raw: bytes, name: str, camera: str, masks: Sequence[Shares]) -> tuple[bytes, Settings]:
    """The content of a file with other masks of a camera, and what it then says. Raises as `placed`."""

    def draw(splice: Splice, settings: Settings) -> Callable[[], Settings]:
        number = index_of(settings, camera)
        old = settings.cameras[number]
        if tuple(masks) == old.privacy.masks:
            return lambda: settings
        where = splice.at("cameras", number, "privacy")
        plain = [list(mask) for mask in masks]
        if where is None or not where.value:
            holder = splice.at("cameras", number)
            assert holder is not None  # noqa: S101
            splice.put(holder, "privacy", {"masks": plain})
        else:
            splice.put(where, "masks", plain)
        return lambda: _with_camera(
            settings, number, replace(old, privacy=replace(old.privacy, masks=tuple(masks)))
        )

    return rewritten(raw, name, f"{camera}: privacy", draw)


def decided(raw: bytes, name: str, false_accept: float) -> tuple[bytes, Settings]:
    """The content of a file with another rate of wrong names, and what it then says. Raises as `placed`."""

    def draw(splice: Splice, settings: Settings) -> Callable[[], Settings]:
        where, root = splice.at("decision"), splice.at()
        assert root is not None  # noqa: S101
        if where is None or not where.value:
            splice.put(root, "decision", {"false_accept": false_accept})
        else:
            splice.put(where, "false_accept", false_accept)
        return lambda: replace(settings, decision=replace(settings.decision, false_accept=false_accept))

    return rewritten(raw, name, "decision", draw)


def shelved(raw: bytes, name: str, camera: str, places: Sequence[Place]) -> tuple[bytes, Settings]:
    """The content of a file with other slots of a planogram within it. Raises as `placed`.

    A camera that has no shelf gets one.
    """

    def draw(splice: Splice, settings: Settings) -> Callable[[], Settings]:
        number = index_of(settings, camera)
        old = settings.cameras[number]
        holder = splice.at("cameras", number)
        plan = splice.at("cameras", number, "shelf", "plan")
        assert holder is not None  # noqa: S101
        if old.shelf is None or old.shelf.plan is None or plan is None:
            splice.put(holder, "shelf", {"plan": {"slots": [_planned(each) for each in places]}})
            return lambda: _with_camera(settings, number, with_plan(old, _plan(None, places)))
        held = old.shelf.plan
        _draw_plan(splice, ("cameras", number, "shelf", "plan"), held, places)
        return lambda: _with_camera(settings, number, with_plan(old, _plan(held, places)))

    return rewritten(raw, name, f"{camera}: shelf", draw)


def replanned(raw: bytes, name: str, old: Planogram, places: Sequence[Place]) -> tuple[bytes, Planogram]:
    """The content of a planogram's own file with other slots, and what it then says. Raises as `placed`."""
    mark = _MARK if raw.startswith(_MARK) else b""
    splice = Splice(raw[len(mark) :].decode())
    _draw_plan(splice, (), old, places)
    changed = mark + splice.done().encode("utf-8", "surrogatepass")
    new = parse_planogram(changed, name)
    if new != _plan(old, places):
        raise _unchangeable(name, "slots")
    return changed, new


def plan_files(raw: bytes, name: str) -> list[Path | None]:
    """The file of each camera's planogram; None where it stands in the configuration, or there is none.

    `raw` is a configuration that was read.
    """
    splice = Splice(raw.removeprefix(_MARK).decode())
    cameras = getattr(splice.at("cameras"), "value", [])
    nodes = [splice.at("cameras", number, "shelf", "planogram") for number in range(len(cameras))]
    files = [node.value if node is not None else "" for node in nodes]
    return [Path(name).parent / file if file and not file.startswith(RELEASED) else None for file in files]


def rewritten(
    raw: bytes, name: str, what: str, draw: Callable[[Splice, Settings], Callable[[], Settings]]
) -> tuple[bytes, Settings]:
    """The content of a configuration file after `draw`, and what it then says.

    `draw` answers with what that must be, to be asked for when it is known to be valid.

    Raises:
        ConfigError: it would be wrong, or says something else.
    """
    settings = parse_config(raw, name)
    mark = _MARK if raw.startswith(_MARK) else b""
    splice = Splice(raw[len(mark) :].decode())
    wanted = draw(splice, settings)
    changed = mark + splice.done().encode("utf-8", "surrogatepass")
    new = parse_config(changed, name)
    if new != wanted():
        raise _unchangeable(name, what)
    return changed, new


def index_of(settings: Settings, camera: str) -> int:
    """The place of a camera in the configuration. InputError: it is not in it."""
    ids = [each.id for each in settings.cameras]
    if camera not in ids:
        raise InputError(f"camera: expected one of {', '.join(ids)}, found {quoted(camera)}")
    return ids.index(camera)


def with_plan(camera: CameraEntry, plan: Planogram) -> CameraEntry:
    """The camera with another planogram. Raises ValueError as the settings do."""
    shelf = replace(camera.shelf, plan=plan) if camera.shelf else ShelfSettings(plan=plan)
    return replace(camera, shelf=shelf)


def _unchangeable(name: str, what: str) -> ConfigError:
    return ConfigError(
        f"{name}: {what}: expected what is drawn written so that it can be changed in its place, found "
        "otherwise: change it by hand"
    )


def _draw(splice: Splice, camera: int, old: RegionSettings, layout: Layout) -> None:
    """Write the difference, from the inside out: what comes behind a thing is written after it."""
    where = splice.at("cameras", camera)
    regions = splice.at("cameras", camera, "regions")
    assert where is not None  # noqa: S101
    if regions is None or not regions.value:
        plain: dict[str, Any] = {"mode": layout.mode}
        plain |= {"slots": [_slot(each) for each in layout.places]} if layout.places else {}
        plain |= {"zone": list(layout.zone)} if layout.zone else {}
        splice.put(where, "regions", plain)
        return
    kept, added = _sorted_out(old.slots, layout.places)
    for number, place in kept.items():
        _redraw(splice, splice.at("cameras", camera, "regions", "slots", number), old.slots[number], place)
    splice.relist(regions, "slots", kept.keys(), [_slot(each) for each in added])
    if layout.zone != old.zone:
        splice.put(regions, "zone", list(layout.zone) if layout.zone else None)
    if layout.mode != old.mode:
        splice.put(regions, "mode", layout.mode)


def _draw_plan(splice: Splice, path: tuple[str | int, ...], old: Planogram, places: Sequence[Place]) -> None:
    holder = splice.at(*path)
    assert holder is not None  # noqa: S101
    kept, added = _sorted_out(old.slots, places)
    outlines = old.outlines
    for number, place in kept.items():
        node: Any = splice.at(*path, "slots", number)
        slot = old.slots[number]
        _redraw(splice, node, slot, _measured(slot, place, outlines[slot.name]))
        for key in ("facings", "minimum"):
            if getattr(place, key) != getattr(slot, key):
                splice.put(node, key, getattr(place, key))
    splice.relist(holder, "slots", kept.keys(), [_planned(each) for each in added])


def _sorted_out(
    old: Sequence[SlotSettings | PlannedSlot], places: Sequence[Place]
) -> tuple[dict[int, Place], list[Place]]:
    """Those that were there, by their number, and those that are new."""
    were = {slot.name: number for number, slot in enumerate(old)}
    kept = {were[each.was]: each for each in places if each.was in were}
    return kept, [each for each in places if each.was not in were]


def _measured(slot: PlannedSlot, place: Place, outline: Quad) -> Place:
    """A place on a fixture stays as it was measured. InputError: it was moved."""
    if slot.cm is None:
        return place
    if place.quad is None or np.abs(np.subtract(place.quad, outline)).max() > _SAME:
        raise InputError(
            f"slot {quoted(slot.name)}: expected where it is measured on fixture {quoted(slot.fixture)}, "
            "found it moved: change its cm by hand"
        )
    return replace(place, box=None, quad=None)


def _redraw(splice: Splice, node: Any, old: SlotSettings | PlannedSlot, new: Place) -> None:
    if new.name != old.name:
        splice.put(node, "name", new.name)
    shape, was = ("box" if new.box else "quad"), ("box" if old.box else "quad")
    if (new.box, new.quad) not in {(old.box, old.quad), (None, None)}:
        splice.put(node, shape, _plain(new), was if was != shape else "")
    if new.sku != old.sku:
        splice.put(node, "sku", new.sku)


def _slot(place: Place) -> dict[str, Any]:
    shape = {"box" if place.box or not place.quad else "quad": _plain(place)}
    return {"name": place.name, **shape, **({"sku": place.sku} if place.sku else {})}


def _planned(place: Place) -> dict[str, Any]:
    more = {key: getattr(place, key) for key in ("facings", "minimum") if getattr(place, key) != 1}
    return {**_slot(place), "sku": place.sku, **more}


def _plan(old: Planogram | None, places: Sequence[Place]) -> Planogram:
    """Raises ValueError as the settings do; the planogram that was written has passed them."""
    slots = {slot.name: slot for slot in old.slots} if old else {}
    kept, added = _sorted_out(list(slots.values()), places)
    drawn = []
    for place in [kept[number] for number in sorted(kept)] + added:
        now = {key: getattr(place, key) for key in ("name", "sku", "facings", "minimum")}
        was = slots.get(place.was)
        if was is None or was.cm is None:
            now |= {"box": place.box, "quad": place.quad}
        drawn.append(replace(was, **now) if was else PlannedSlot(**now))
    return replace(old, slots=tuple(drawn)) if old else Planogram(slots=tuple(drawn))


def _with_camera(settings: Settings, number: int, camera: CameraEntry) -> Settings:
    cameras = [*settings.cameras]
    cameras[number] = camera
    return replace(settings, cameras=tuple(cameras))


def _plain(place: Place) -> list[Any]:
    return list(place.box) if place.box else [list(corner) for corner in place.quad or ()]


def _with(camera: CameraEntry, layout: Layout) -> CameraEntry:
    """Raises ValueError as the settings do; the configuration that was written has passed them."""
    slots = {slot.name: slot for slot in camera.regions.slots}
    order = {name: number for number, name in enumerate(slots)}
    places = sorted(layout.places, key=lambda each: order.get(each.was, len(order)))
    drawn = tuple(
        replace(slots[each.was], name=each.name, box=each.box, quad=each.quad, sku=each.sku)
        if each.was in slots
        else SlotSettings(name=each.name, box=each.box, quad=each.quad, sku=each.sku)
        for each in places
    )
    regions = replace(camera.regions, mode=layout.mode, slots=drawn, zone=layout.zone)  # type: ignore[arg-type]
    return replace(camera, regions=regions)
