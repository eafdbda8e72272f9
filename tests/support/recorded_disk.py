"""A disk whose power can be cut afterwards: every write and flush that reached it is recorded in order.

with RecordedDisk(folder, "ext4") as disk:
    ...                     work in disk.mounted, a real file system on a real block device
    moment = disk.moment()  what is recorded up to now
with disk.after_cut(moment, rng) as mounted:
    ...                     what a power cut at that moment leaves

FUSE shows one file, a loop device makes a disk of it, and the kernel's own file system lies on that. A cut
keeps what was written before the last flush; of what came later each block of 4 KiB is there or not, by lot:
disks write in any order. Needs root, /dev/fuse and loop devices: see `why_not`.

As a program it is the FUSE side, which must not be the process that works on the disk:
`recorded_disk.py MOUNTPOINT IMAGE LOG`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

SECTOR_BYTES = 4096
_MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
}
_CHECK = {"ext4": ("fsck.ext4", "-f", "-n"), "xfs": ("xfs_repair", "-n")}
_SIZE_BYTES = {"ext4": 96 << 20, "xfs": 320 << 20}
"""Sparse. XFS takes no less than 300 MiB."""

_RECORD = struct.Struct("=QI")  # offset and length of a write, whose bytes follow; all ones is a flush
_FLUSH = (2**64 - 1, 2**32 - 1)


def why_not(system: str) -> str:
    """Why this machine cannot do it; empty when it can."""
    if os.geteuid() != 0:
        return "needs root, to mount"
    for path in ("/dev/fuse", "/dev/loop-control"):
        if not Path(path).exists():
            return f"needs {path}"
    for program in ("losetup", "mount", "umount", _MAKE[system][0], _CHECK[system][0]):
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
            return f"needs {program}"
    if f"\t{system}\n" not in Path("/proc/filesystems").read_text():
        return f"needs {system} in the kernel"
    return ""


class RecordedDisk:
    """One disk, from an empty file system on. The folder must be of another file system."""

    def __init__(self, folder: Path, system: str) -> None:
        self._system = system
        self._folder = folder
        self._before = folder / "before.img"
        self._image = folder / "disk.img"
        self._log = folder / "log"
        self._served = folder / "served"
        self.mounted = folder / "mounted"
        self._server: subprocess.Popen[bytes] | None = None
        self._loop = ""

    def __enter__(self) -> RecordedDisk:
        for path in (self._served, self.mounted):
            path.mkdir()
        with self._before.open("wb") as image:
            image.truncate(_SIZE_BYTES[self._system])
        _run(*_MAKE[self._system], str(self._before))
        _copy(self._before, self._image)
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(self._served), str(self._image), str(self._log)]
        )
        deadline = time.monotonic() + 10
        while not (self._served / "disk").exists():
            assert self._server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            self._loop = _run("losetup", "--find", "--show", str(self._served / "disk")).strip()
            _run("mount", "-t", self._system, self._loop, str(self.mounted))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(subprocess.CalledProcessError):
            _run("umount", str(self.mounted))
        if self._loop:
            _run("losetup", "--detach", self._loop)
        _run("umount", str(self._served))
        assert self._server is not None
        self._server.wait(60)

    def moment(self) -> int:
        """How much is recorded: what was flushed before is on the disk whatever comes."""
        return self._log.stat().st_size

    def cuts(self, moments: list[int], rng: Random) -> Iterator[tuple[int, Path]]:
        """Per moment, from early to late, the disk as a cut left it: an image to be mounted."""
        durable, flying = self._folder / "durable.img", list[_Write]()
        _copy(self._before, durable)
        records = _records(self._log)
        record = next(records, None)
        for moment in sorted(moments):
            while record is not None and record.end <= moment:
                if record.flush:
                    with durable.open("r+b") as image:
                        for write in flying:
                            image.seek(write.offset)
                            image.write(write.data)
                    flying = []
                else:
                    flying.append(record)
                record = next(records, None)
            left = self._folder / "left.img"
            _copy(durable, left)
            with left.open("r+b") as image:
                for write in flying:
                    for start in range(0, len(write.data), SECTOR_BYTES):
                        if rng.random() < 0.5:
                            image.seek(write.offset + start)
                            image.write(write.data[start : start + SECTOR_BYTES])
            yield moment, left

    def moments(self, count: int, rng: Random) -> list[int]:
        """Random moments: half of them spread over the writes, half over the flushes, where order matters."""
        records = list(_records(self._log))
        flushes = [number for number, record in enumerate(records) if record.flush]
        chosen = []
        for _ in range(count // 2):
            chosen.append(rng.choice(records).end)
        while len(chosen) < count:
            number = rng.choice(flushes) - rng.randrange(4)
            chosen.append(records[max(0, number)].end)
        return chosen

    @contextmanager
    def remounted(self, image: Path) -> Iterator[Path]:
        """What came back with the power, its journal replayed; at the end the file system is checked."""
        where = self._folder / "remounted"
        where.mkdir(exist_ok=True)
        _run("mount", "-t", self._system, "-o", "loop", str(image), str(where))
        try:
            yield where
        finally:
            _run("umount", str(where))
        _run(*_CHECK[self._system], str(image))


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    data: bytes
    end: int  # in the log
    flush: bool


def _records(log: Path) -> Iterator[_Write]:
    with log.open("rb") as file:
        while head := file.read(_RECORD.size):
            offset, length = _RECORD.unpack(head)
            if (offset, length) == _FLUSH:
                yield _Write(0, b"", file.tell(), flush=True)
            else:
                data = file.read(length)
                yield _Write(offset, data, file.tell(), flush=False)


def _copy(source: Path, target: Path) -> None:
    _run("cp", "--sparse=always", "--reflink=auto", str(source), str(target))


def _run(*command: str) -> str:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


# -- the FUSE side: one directory with one file, spoken as the kernel speaks it (linux/fuse.h) ----------------

_IN = struct.Struct("=IIQQIIIHH")
_OUT = struct.Struct("=IiQ")
_ATTR = struct.Struct("=QQQQQQIIIIIIIIII")
_RW = struct.Struct("=QQIIQII")
_BUFFER_BYTES = 1 << 20
LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 1, 2, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, OPENDIR, RELEASEDIR, DESTROY, BATCH_FORGET = 20, 25, 26, 27, 29, 38, 42
ROOT, DISK = 1, 2


def serve(mountpoint: str, image: str, log_path: str) -> None:
    """Until it is unmounted."""
    fuse = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"recorded", mountpoint.encode(), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), mountpoint)
    disk = os.open(image, os.O_RDWR)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        try:
            request = os.read(fuse, _BUFFER_BYTES)
        except OSError as error:
            if error.errno == errno.ENODEV:  # unmounted
                return
            raise
        _, opcode, unique, node, *_ = _IN.unpack_from(request)
        if opcode in {FORGET, BATCH_FORGET}:
            continue
        error, answer = _answer(opcode, node, request[_IN.size :], disk, log)
        os.write(fuse, _OUT.pack(_OUT.size + len(answer), -error, unique) + answer)


def _answer(opcode: int, node: int, body: bytes, disk: int, log: int) -> tuple[int, bytes]:
    """Error number and what follows the head."""
    if opcode == INIT:
        big_writes, max_pages = 1 << 5, 1 << 22
        return 0, struct.pack(
            "=IIIIHHIIHHIIH22x", 7, 31, 131_072, big_writes | max_pages, 12, 9, 131_072, 1, 32, 0, 0, 0, 0
        )
    if opcode == LOOKUP:
        if node != ROOT or body != b"disk\0":
            return errno.ENOENT, b""
        return 0, struct.pack("=QQQQII", DISK, 0, 3600, 3600, 0, 0) + _attributes(DISK, disk)
    if opcode in {GETATTR, SETATTR}:
        return 0, struct.pack("=QII", 3600, 0, 0) + _attributes(node, disk)
    if opcode in {OPEN, OPENDIR}:
        return 0, struct.pack("=QII", 0, 0, 0)
    if opcode == READ:
        _, offset, size, *_ = _RW.unpack_from(body)
        return 0, os.pread(disk, size, offset)
    if opcode == WRITE:
        _, offset, size, *_ = _RW.unpack_from(body)
        data = body[_RW.size : _RW.size + size]
        os.pwrite(disk, data, offset)
        os.write(log, _RECORD.pack(offset, size) + data)
        return 0, struct.pack("=II", size, 0)
    if opcode == FSYNC:
        os.write(log, _RECORD.pack(*_FLUSH))
        return 0, b""
    if opcode == STATFS:
        return 0, struct.pack("=QQQQQIIII24x", 1 << 20, 1 << 19, 1 << 19, 16, 8, 4096, 255, 4096, 0)
    return (0 if opcode in {RELEASE, RELEASEDIR, FLUSH, DESTROY} else errno.ENOSYS), b""


def _attributes(node: int, disk: int) -> bytes:
    size = os.fstat(disk).st_size if node == DISK else 0
    mode = (stat.S_IFREG | 0o600) if node == DISK else (stat.S_IFDIR | 0o700)
    return _ATTR.pack(node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


if __name__ == "__main__":
    serve(*sys.argv[1:])
