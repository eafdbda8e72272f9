"""Where products are looked for, written into the configuration file: nothing else of it is touched.

The file is read, changed, checked as at a start, and compared with what was asked for, before it takes the
place of the old one, which is kept beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.adapters.durable import write_whole
from agent.adapters.web import ConflictError
from agent.config import parse_config
from agent.core.errors import ConfigError, DeviceError, InputError, quoted
from agent.core.regions import SlotSettings
from agent.yamlfile import MAX_BYTES
from agent.yamlsplice import Splice

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.config import CameraEntry, Settings
    from agent.core.layout import Layout, Place
    from agent.core.regions import RegionSettings

_MARK: Final = b"\xef\xbb\xbf"
"""What some editors put before UTF-8."""


@dataclass(frozen=True, slots=True)
class Written:
    """A configuration file as it is on the disk."""

    settings: Settings
    tag: str  # another one for another content


class ConfigFile:
    """The configuration file of this device. One thread at a time."""

    def __init__(self, path: str) -> None:
        self._name = path

    def read(self) -> Written:
        """What stands in it.

        Raises:
            ConfigError: it cannot be read, or is wrong.
        """
        raw = self._raw()
        return Written(parse_config(raw, self._name), _tag(raw))

    def place(
        self,
        camera: str,
        layout: Layout,
        tag: str,
        check: Callable[[CameraEntry], None] = lambda _entry: None,
    ) -> Written:
        """Write where products are looked for; what stands in the file now.

        `check(entry)` may refuse what nobody can know from the file alone.

        Raises:
            ConflictError: somebody else changed the file since it had this tag.
            ConfigError: it would be wrong: the sentence that a start would say.
            InputError: there is no such camera in it.
            DeviceError: it cannot be written.
        """
        raw = self._raw()
        if _tag(raw) != tag:
            raise ConflictError(
                f"{self._name}: expected the file as it was read, found it changed since: load it again"
            )
        changed, settings = placed(raw, self._name, camera, layout)
        check(next(entry for entry in settings.cameras if entry.id == camera))
        if changed != raw:
            self._write(raw, changed)
        return Written(settings, _tag(changed))

    def _write(self, old: bytes, new: bytes) -> None:
        path = Path(self._name).resolve()  # where it is a link, what it leads to is written
        try:
            mode = path.stat().st_mode & 0o777
        except OSError as error:
            raise DeviceError(f"{path}: cannot be written: {error.strerror}") from None
        write_whole(path.with_name(f"{path.name}.bak"), old, mode)
        write_whole(path, new, mode)

    def _raw(self) -> bytes:
        try:
            with Path(self._name).open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ConfigError(f"{self._name}: cannot be read: {error.strerror}") from None


def placed(raw: bytes, name: str, camera: str, layout: Layout) -> tuple[bytes, Settings]:
    """The content of a file with another layout of a camera, and what it then says.

    Raises: as `ConfigFile.place`.
    """
    settings = parse_config(raw, name)
    ids = [each.id for each in settings.cameras]
    if camera not in ids:
        raise InputError(f"camera: expected one of {', '.join(ids)}, found {quoted(camera)}")
    number = ids.index(camera)
    old = settings.cameras[number]
    mark = _MARK if raw.startswith(_MARK) else b""
    splice = Splice(raw[len(mark) :].decode())
    _draw(splice, number, old.regions, layout)
    changed = mark + splice.done().encode("utf-8", "surrogatepass")
    new = parse_config(changed, name)
    wanted = [*settings.cameras]
    wanted[number] = _with(old, layout)
    if new != replace(settings, cameras=tuple(wanted)):
        raise ConfigError(
            f"{name}: cameras[{number}].regions: expected them written so that they can be changed in their "
            "place, found otherwise: change them by hand"
        )
    return changed, new


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
    were = {slot.name: number for number, slot in enumerate(old.slots)}
    kept = {were[each.was]: each for each in layout.places if each.was in were}
    for number, place in kept.items():
        _redraw(splice, splice.at("cameras", camera, "regions", "slots", number), old.slots[number], place)
    added = [_slot(each) for each in layout.places if each.was not in were]
    splice.relist(regions, "slots", kept.keys(), added)
    if layout.zone != old.zone:
        splice.put(regions, "zone", list(layout.zone) if layout.zone else None)
    if layout.mode != old.mode:
        splice.put(regions, "mode", layout.mode)


def _redraw(splice: Splice, node: Any, old: SlotSettings, new: Place) -> None:
    if new.name != old.name:
        splice.put(node, "name", new.name)
    shape, was = ("box" if new.box else "quad"), ("box" if old.box else "quad")
    if (new.box, new.quad) != (old.box, old.quad):
        splice.put(node, shape, _plain(new), was if was != shape else "")
    if new.sku != old.sku:
        splice.put(node, "sku", new.sku)


def _slot(place: Place) -> dict[str, Any]:
    shape = {"box" if place.box or not place.quad else "quad": _plain(place)}
    return {"name": place.name, **shape, **({"sku": place.sku} if place.sku else {})}


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


def _tag(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]
