"""Generations on a real disk, which fills up or stops at any of its calls."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.catalogue import open_catalogue, read_manifest
from agent.adapters.library import Library
from agent.core.errors import DeviceError, VerifyError
from agent.core.release import Blob, Patch, Release, dump_release
from agent.core.syncing import Generation, Notes
from tests.support.head_office import DIMENSION, FINGERPRINT, draw_catalogue, sha256

CALLS = ("fsync", "link", "rename", "replace", "mkdir", "unlink", "rmdir", "open")


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("catalogues")
    return [draw_catalogue(folder / str(seed), seed) for seed in range(3)]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def blobs_of(catalogue: Path) -> tuple[Blob, ...]:
    return tuple(
        Blob(path.name, sha256(path.read_bytes()), path.stat().st_size)
        for path in sorted(catalogue.iterdir())
    )


def release_of(catalogue: Path, number: int) -> Release:
    return Release(
        channel="default",
        number=number,
        release=read_manifest(catalogue).release,
        created_utc=float(number),
        fingerprint=FINGERPRINT,
        dimension=DIMENSION,
        rollout_percent=100,
        blobs=blobs_of(catalogue),
    )


def take(library: Library, catalogue: Path, number: int) -> Generation:
    """What a round does once everything has come."""
    with library.alone():
        files = {blob.sha256: catalogue / blob.name for blob in blobs_of(catalogue)}
        for blob in blobs_of(catalogue):
            shutil.copyfile(catalogue / blob.name, library.part(blob.sha256))
            files[blob.sha256] = library.keep(blob.sha256)
        release = release_of(catalogue, number)
        signed = dump_release(release)
        folder = library.assemble(release.blobs, files, signed)
        open_catalogue(folder, FINGERPRINT, DIMENSION).close()
        name = library.name_for(number, sha256(signed))
        generation = Generation(name, "default", number, release.release, sha256(signed))
        library.remember(library.notes().taken(generation, 0.0))
        library.activate(generation)
    return generation


def check_whole(library: Library) -> int:
    """The number of the current generation, which opens; 0 for none."""
    current = library.current()
    if current is None:
        return 0
    opened = open_catalogue(library.folder(current), FINGERPRINT, DIMENSION)
    opened.close()
    assert opened.release == current.release
    return current.number


def test_an_empty_directory(library: Library) -> None:
    assert (library.current(), library.previous(), library.notes()) == (None, None, Notes())
    with library.alone():
        assert library.held() == {}


def test_the_generation_before_is_kept_and_older_ones_go(
    library: Library, catalogues: list[Path], tmp_path: Path
) -> None:
    for number, catalogue in enumerate(catalogues, 1):
        take(library, catalogue, number)
        assert check_whole(library) == number
    previous = library.previous()
    assert previous is not None
    assert previous.number == 2
    assert sorted(path.name for path in (tmp_path / "generations").iterdir()) == ["2", "3"]
    assert list((tmp_path / "incoming").iterdir()) == []


def test_what_two_generations_share_is_on_the_disk_once(library: Library, catalogues: list[Path]) -> None:
    first = take(library, catalogues[0], 1)
    with library.alone():
        held = library.held()
        folder = library.assemble(blobs_of(catalogues[0]), held, b"signed")
    for blob in blobs_of(catalogues[0]):
        assert (folder / blob.name).samefile(library.folder(first) / blob.name)


def test_rolling_back(library: Library, catalogues: list[Path]) -> None:
    take(library, catalogues[0], 1)
    with library.alone(), pytest.raises(DeviceError, match="expected a generation before the current one"):
        library.roll_back()
    take(library, catalogues[1], 2)
    with library.alone():
        assert library.roll_back().number == 1
    assert check_whole(library) == 1
    assert library.notes().rolled_back == {"default": 2}
    assert library.notes().highest == {"default": 2}
    with library.alone():  # tidies up
        assert [path.name for path in (library._generations).iterdir()] == ["1"]


def test_damaged_blobs_that_came_are_forgotten(library: Library) -> None:
    with library.alone():
        for content in (b"right", b"wrong"):
            library.part(sha256(b"right" if content == b"right" else b"other")).write_bytes(content)
        kept = library.keep(sha256(b"right"))
        library.keep(sha256(b"other"))
        assert library.held() == {sha256(b"right"): kept}
        assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_patch_of_another_file_leaves_nothing(library: Library, tmp_path: Path) -> None:
    with library.alone():
        (tmp_path / "old").write_bytes(b"old")
        patch = Patch(sha256(b"old"), sha256(b"patch"), 5)
        library.part(patch.sha256).write_bytes(b"patch")
        library.keep(patch.sha256)
        with pytest.raises(VerifyError):
            library.apply(tmp_path / "old", patch, Blob("new", sha256(b"new"), 3))
        assert not library.part(sha256(b"new")).exists()


def test_room_is_asked_for_before_anything_begins(library: Library) -> None:
    with library.alone():
        library.make_room({sha256(b"x"): 1000})
        free = os.statvfs(library._state).f_bavail * os.statvfs(library._state).f_frsize
        with pytest.raises(
            DeviceError, match=r"expected [\d,]+ bytes free for the next release, found [\d,]+"
        ):
            library.make_room({sha256(b"x"): free})
        with library.part(sha256(b"x")).open("wb") as part:
            part.truncate(free)  # a hole: it takes no room, but counts as what has come
        library.make_room({sha256(b"x"): free})


def test_another_process_waits_outside(library: Library, tmp_path: Path) -> None:
    with (
        library.alone(),
        pytest.raises(DeviceError, match="another process is syncing"),
        Library(tmp_path).alone(),
    ):
        pass
    with Library(tmp_path).alone():
        pass


@pytest.mark.parametrize("name", ["x/y", "..", "", "5/..", "a", "5-XYZ", "5\n"])
def test_a_pointer_that_leads_elsewhere_is_not_followed(library: Library, name: str) -> None:
    with pytest.raises(ValueError, match="name: expected the name of a folder"):
        Generation(name, "default", 5, "r", "s")


def test_a_damaged_pointer_is_complained_of_once(
    library: Library, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "current").write_bytes(b"")
    assert [library.current() for _ in range(3)] == [None] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def rot(path: Path, place: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place is None else place] ^= 1
    path.write_bytes(data)


def test_whichever_byte_of_the_pointer_rots_the_newest_generation_is_used(
    library: Library, catalogues: list[Path], tmp_path: Path
) -> None:
    for number, catalogue in enumerate(catalogues[:2], 1):
        newest = take(library, catalogue, number)
    before, pointer = library.previous(), tmp_path / "current"
    good = pointer.read_bytes()
    for place in range(len(good)):
        pointer.write_bytes(good)
        rot(pointer, place)
        assert (library.current(), library.previous()) == (newest, before), place
    assert not library.notes().error

    library.mend()

    assert pointer.read_bytes() == good
    assert re.fullmatch(
        r"/.*/current: damaged \(.*\): release 2, the newest that is whole, is used", library.notes().error
    )
    assert check_whole(library) == 2


def test_a_generation_that_rotted_too_is_passed_over(
    library: Library, catalogues: list[Path], tmp_path: Path
) -> None:
    first, second = take(library, catalogues[0], 1), take(library, catalogues[1], 2)
    rot(next(library.folder(second).glob("index-*")))
    rot(tmp_path / "current")
    with library.alone():
        assert (library.current(), library.previous()) == (first, None)
    assert library.notes().highest == {"default": 2}, "older ones are still refused"


def test_with_nothing_whole_what_is_there_stays_for_the_next_round(
    library: Library, catalogues: list[Path], tmp_path: Path
) -> None:
    only = take(library, catalogues[0], 1)
    rot(next(library.folder(only).glob("index-*")))
    rot(tmp_path / "current")
    library.mend()
    assert not library.notes().error
    with library.alone():
        assert len(library.held()) == len(list(library.folder(only).iterdir())) > 3


def test_a_rotten_pointer_brings_no_generation_back_that_was_left(
    library: Library, catalogues: list[Path], tmp_path: Path
) -> None:
    first, second = take(library, catalogues[0], 1), take(library, catalogues[1], 2)
    with library.alone():
        library.roll_back()
    rot(tmp_path / "current")
    assert library.folder(second).exists()
    assert library.current() == first
    library.mend()
    assert (library.current(), library.previous()) == (first, None)


def test_a_rotten_pointer_brings_no_generation_back_that_was_refused(
    library: Library, catalogues: list[Path], tmp_path: Path
) -> None:
    first, second = take(library, catalogues[0], 1), take(library, catalogues[1], 2)
    key = f"{second.sha256[:32]} eyes"
    library.remember(library.notes().refusing(key, "its golden probes fail", final=True))
    rot(tmp_path / "current")
    library.mend()
    assert (library.current(), library.previous()) == (first, None)


class StoppedError(BaseException):
    """The power went: nothing after this happens, `finally` included in what does not matter."""


class Disk:
    """Calls of the operating system that fail from the `after`-th on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = monkeypatch
        self._folder = str(folder)
        self._real = {name: getattr(os, name) for name in CALLS}
        self.left = -1
        self.error: Callable[[], BaseException] = StoppedError
        self.calls = 0
        for name in CALLS:
            monkeypatch.setattr(os, name, self._made(name))

    def _made(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            ours = not isinstance(args[0], str | Path) or str(args[0]).startswith(self._folder)
            if ours:
                self.calls += 1
                if self.left == 0 and (name != "open" or args[1] & (os.O_WRONLY | os.O_RDWR)):
                    raise self.error()
                self.left -= self.left > 0
            return real(*args, **kwargs)

        return call


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    return Disk(monkeypatch, tmp_path)


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", [full, StoppedError], ids=["is full", "stops"])
def test_whenever_the_disk(
    kind: Callable[[], BaseException], disk: Disk, catalogues: list[Path], tmp_path: Path
) -> None:
    """Old or new, whole; and the next round, on a disk that works again, gets there."""
    steps, taken = 0, set()
    while True:
        state = tmp_path / str(steps)
        library = Library(state)
        disk.left = -1
        take(library, catalogues[0], 1)
        disk.left, disk.error = steps, kind
        with contextlib.suppress(DeviceError if kind is full else StoppedError):
            take(library, catalogues[1], 2)
        finished = disk.left != 0
        disk.left = -1
        library = Library(state)
        taken.add(check_whole(library))
        assert library.notes().highest["default"] in {1, 2}
        with library.alone():
            check_whole(library)
        if library.current() is not None and check_whole(library) == 1:
            take(library, catalogues[1], 2)
        assert check_whole(library) == 2
        shutil.rmtree(state)
        if finished:
            break
        steps += 1
    assert taken == {1, 2}
    assert steps > 20
