"""A real disk that fills up or turns read-only at any stage of a round."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.errors import DeviceError
from agent.core.syncing import Result
from tests.support import static_host as does
from tests.support.device import Device
from tests.support.head_office import HeadOffice, draw_catalogue
from tests.support.small_disk import Disk
from tests.support.static_host import StaticHost

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

STEP_BYTES = 4096
"""From one trial to the next: less than the smallest file of a release takes with its place in a directory."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        disk = Disk(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"cannot mount: {error.stderr.decode()}")
    yield disk
    disk.close()


class Store:
    """Head office, and a device on the small disk that holds release 1; every later one differs in all files."""

    def __init__(self, folder: Path, disk: Disk, host: StaticHost) -> None:
        self.disk, self.host = disk, host
        self.catalogues = [
            draw_catalogue(folder / f"catalogue-{seed}", seed, products=100) for seed in range(3)
        ]
        self.office = HeadOffice(host.folder)
        (folder / "root.json").write_bytes(self.office.root_bytes)
        state = disk.path / "state"
        state.mkdir()
        self.device = Device(state, host, folder / "root.json")
        self.number = 0
        self.publish()
        assert self.device.round().result == Result.TAKEN

    def publish(self, *, patches: bool = False) -> list[str]:
        """The next release; the paths of what a device has to fetch for it, in the order it will."""
        before = self.catalogues[self.number % 3] if patches else None
        self.number += 1
        release = self.office.publish(self.catalogues[self.number % 3], self.number, patches_from=before)
        blobs = [min((*blob.patches, blob), key=lambda choice: choice.size) for blob in release.blobs]
        return [f"blobs/{blob.sha256}" for blob in blobs]


@pytest.fixture
def store(tmp_path: Path, disk: Disk) -> Iterator[Store]:
    (tmp_path / "www").mkdir()
    with StaticHost(tmp_path / "www") as host:
        yield Store(tmp_path, disk, host)


def first_blob(store: Store) -> str:
    return store.publish()[0]


def last_blob(store: Store) -> str:
    return store.publish()[-1]


def last_patch(store: Store) -> str:
    return store.publish(patches=True)[-1]


def timestamp(store: Store) -> str:
    store.publish()
    return "metadata/timestamp.json"


def nothing(store: Store) -> str:
    store.publish()
    return ""


WHEN: dict[str, Callable[[Store], str]] = {
    "before the round": nothing,
    "while metadata come": timestamp,
    "while the first file comes": first_blob,
    "while the last file comes": last_blob,
    "while the last patch comes": last_patch,
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("when", WHEN.values(), ids=WHEN)
def test_the_disk_fills_up(when: Callable[[Store], str], store: Store) -> None:
    """With nothing left, with a page left, with two …: each time it is another write that fails."""
    ends: Counter[str] = Counter()
    left_bytes, taken = 0, 0
    while taken < 3 and ends["too little room to begin"] < 3:
        held = store.number
        path = when(store)

        def fill(handler: does.Handler, body: bytes, left_bytes: int = left_bytes) -> None:
            store.disk.fill(left_bytes)
            does.plainly(handler, body)

        if path:
            store.host.always = {path: fill}
        else:
            store.disk.fill(left_bytes)
        end = ended(store.device)
        ends[end] += 1
        taken = taken + 1 if end == "taken" else 0
        assert held <= store.device.number <= store.number
        store.host.always = {}
        store.disk.empty()
        store.device.restart()
        store.device.round()
        assert store.device.number == store.number
        assert not list((store.device.state / "incoming").iterdir())
        left_bytes += STEP_BYTES
    print(dict(ends))
    assert len(ends) > 1


def ended(device: Device) -> str:
    """How a round ended: taken, or what the disk had no room for."""
    try:
        assert device.round(insist=True).result == Result.TAKEN
    except DeviceError as error:
        reason = str(error)
    else:
        return "taken"
    assert "\n" not in reason
    if "bytes free for the next release" in reason:
        return "too little room to begin"
    assert "No space left on device" in reason
    return re.sub("[0-9a-f]{64}", "…", reason.partition(": ")[0].removeprefix(f"{device.state}/"))


def test_a_disk_that_turns_read_only(store: Store) -> None:
    """As ext4 does when a card fails: what is held goes on to be used."""
    store.publish()
    store.disk.remount("ro")
    for _ in range(2):
        with pytest.raises(DeviceError, match="Read-only file system"):
            store.device.round()
        assert store.device.number == 1
    store.disk.remount("rw")
    assert store.device.round().result == Result.TAKEN
    assert store.device.number == 2
