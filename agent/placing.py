"""Where products are looked for, written into the configuration file: nothing else of it is touched.

The file is read, changed, checked as at a start, and compared with what was asked for, before it takes the
place of the old one, which is kept beside it.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.durable import write_whole
from agent.adapters.web import ConflictError
from agent.config import parse_config
from agent.core.errors import ConfigError, DeviceError, InputError
from agent.drawing import (
    decided,
    index_of,
    masked,
    placed,
    plan_files,
    replanned,
    shelved,
    with_plan,
)
from agent.yamlfile import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.config import CameraEntry, Settings
    from agent.core.layout import Layout, Place
    from agent.core.privacy import Shares


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
        return Written(parse_config(raw, self._name), self._tag(raw))

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
        return self._change(tag, lambda raw: placed(raw, self._name, camera, layout), camera, check)

    def mask(self, camera: str, masks: Sequence[Shares], tag: str) -> Written:
        """Write what of the pictures nobody is to see; what stands in the file now. Raises as `place`."""
        return self._change(tag, lambda raw: masked(raw, self._name, camera, masks))

    def decide(self, false_accept: float, tag: str) -> Written:
        """Write the rate of wrong names that is allowed; what stands in the file now. Raises as `place`."""
        return self._change(tag, lambda raw: decided(raw, self._name, false_accept))

    def shelve(
        self,
        camera: str,
        places: Sequence[Place],
        tag: str,
        check: Callable[[CameraEntry], None] = lambda _entry: None,
    ) -> Written:
        """Write the slots of a planogram, where it stands: in the configuration, or in a file of its own.

        Raises: as `place`.
        """
        raw = self._raw()
        settings = parse_config(raw, self._name)
        number = index_of(settings, camera)
        entry = settings.cameras[number]
        shelf = entry.shelf
        if shelf is not None and shelf.of_release:
            raise InputError(
                f"camera {camera!r}: expected a planogram of this device, found {shelf.planogram!r}, which "
                "comes with the catalogue: change it there"
            )
        path = plan_files(raw, self._name)[number]
        if path is None:
            return self._change(tag, lambda raw: shelved(raw, self._name, camera, places), camera, check)
        self._check_tag(raw, tag)
        assert shelf is not None  # noqa: S101  it has the file
        assert shelf.plan is not None  # noqa: S101
        old = path.read_bytes()  # which `parse_config` read a moment ago
        changed, plan = replanned(old, str(path), shelf.plan, places)
        check(with_plan(entry, plan))
        if changed != old:
            self._write(path, old, changed)
        return self.read()

    def _change(
        self,
        tag: str,
        change: Callable[[bytes], tuple[bytes, Settings]],
        camera: str = "",
        check: Callable[[CameraEntry], None] = lambda _entry: None,
    ) -> Written:
        raw = self._raw()
        self._check_tag(raw, tag)
        changed, settings = change(raw)
        for entry in settings.cameras:
            if entry.id == camera:
                check(entry)
        if changed != raw:
            self._write(Path(self._name), raw, changed)
        return Written(settings, self._tag(changed))

    def _check_tag(self, raw: bytes, tag: str) -> None:
        if self._tag(raw) != tag:
            raise ConflictError(
                f"{self._name}: expected the file as it was read, found it changed since: load it again"
            )

    def _tag(self, raw: bytes) -> str:
        """Of the file and of the planograms beside it."""
        digest = hashlib.sha256(raw)
        for path in plan_files(raw, self._name):
            if path is not None:
                with suppress(OSError):
                    digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def _write(self, path: Path, old: bytes, new: bytes) -> None:
        path = path.resolve()  # where it is a link, what it leads to is written
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
