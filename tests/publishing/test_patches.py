"""What the publisher makes and the device applies: the new file to the bit, whatever the two files are."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zstandard

from agent.adapters.patching import apply_patch
from agent.core.errors import DeviceError, VerifyError
from agent.core.manifest import FileEntry
from agent.core.patching import FRAME_LIMIT_BYTES, MARGIN_BYTES, SEGMENT_BYTES, segments
from agent.publishing.patches import write_patch

NOISE = np.random.default_rng(3).integers(0, 256, 9 * 1024 * 1024, dtype=np.uint8).tobytes()
MORE = np.random.default_rng(4).integers(0, 256, 9 * 1024 * 1024, dtype=np.uint8).tobytes()
NO_LIMIT = 1 << 40
MIB = 1 << 20


def entry_of(data: bytes) -> FileEntry:
    return FileEntry("index.usearch", hashlib.sha256(data).hexdigest(), len(data))


def made(folder: Path, old: bytes, new: bytes) -> Path:
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    assert write_patch(folder / "old", folder / "new", folder / "patch", NO_LIMIT)
    return folder / "patch"


def spotted(data: bytes, spots: int, seed: int = 1) -> bytes:
    """With 256 bytes changed in so many places."""
    changed = bytearray(data)
    dice = random.Random(seed)
    for _ in range(spots):
        at = dice.randrange(len(data) - 256)
        changed[at : at + 256] = dice.randbytes(256)
    return bytes(changed)


CASES: dict[str, tuple[bytes, bytes, int]] = {
    "the same file": (NOISE, NOISE, 2_000),
    "one byte": (b"a", b"b", 100),
    "one byte from nothing": (b"", b"b", 100),
    "a hundred places changed": (NOISE, spotted(NOISE, 100), 40_000),
    "exactly one segment": (NOISE[:SEGMENT_BYTES], spotted(NOISE[:SEGMENT_BYTES], 5), 3_000),
    "one byte more than a segment": (NOISE[: SEGMENT_BYTES + 1], NOISE[: SEGMENT_BYTES + 1], 1_000),
    "a megabyte put in at the beginning": (NOISE, MORE[:MIB] + NOISE, MIB + 5_000),
    "a megabyte put in at the end": (NOISE, NOISE + MORE[:MIB], MIB + 5_000),
    "six megabytes put in at the beginning": (NOISE, MORE[: 6 * MIB] + NOISE, 6 * MIB + 5_000),
    "a megabyte taken out at the beginning": (NOISE, NOISE[MIB:], 5_000),
    "six megabytes taken out at the beginning": (NOISE, NOISE[6 * MIB :], 5_000),
    "all but a byte taken out": (NOISE, NOISE[7 * MIB : 7 * MIB + 1], 100),
    "nothing in common": (NOISE, MORE, len(MORE) + 5_000),
    "one file far longer than the other": (NOISE[:10], NOISE, len(NOISE) + 5_000),
}


@pytest.mark.parametrize("case", CASES)
def test_a_patch_makes_the_new_file_and_is_as_small_as_the_difference(case: str, tmp_path: Path) -> None:
    old, new, expected_bytes = CASES[case]
    patch = made(tmp_path, old, new)
    apply_patch(tmp_path / "old", patch, tmp_path / "out", entry_of(new))
    assert (tmp_path / "out").read_bytes() == new
    assert patch.stat().st_size <= expected_bytes


def test_the_same_files_give_the_same_patch(tmp_path: Path) -> None:
    new = spotted(NOISE, 10)
    first = made(tmp_path, NOISE, new).read_bytes()
    assert made(tmp_path, NOISE, new).read_bytes() == first


def test_a_patch_that_saves_nothing_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(NOISE)
    (tmp_path / "new").write_bytes(MORE)
    assert not write_patch(tmp_path / "old", tmp_path / "new", tmp_path / "patch", len(MORE))
    assert not (tmp_path / "patch").exists()


@pytest.mark.parametrize("sizes", [(0, 1), (1, 1), (1, 9 * MIB), (9 * MIB, 1), (30 * MIB, 31 * MIB), (5, 5)])
def test_segments_cover_the_new_file_and_stay_within_the_old_one(sizes: tuple[int, int]) -> None:
    old_size, new_size = sizes
    parts = list(segments(old_size, new_size))
    assert parts[0].start == 0
    assert parts[-1].end == new_size
    assert all(one.end == two.start for one, two in pairwise(parts))
    for part in parts:
        assert 0 < part.end - part.start <= SEGMENT_BYTES
        assert 0 <= part.old_start <= part.old_end <= old_size
        assert part.old_end - part.old_start <= SEGMENT_BYTES + 3 * MARGIN_BYTES


SMALL_OLD = NOISE[:200_000]
SMALL_NEW = spotted(SMALL_OLD, 20)


def framed(content: bytes, length: int | None = None) -> bytes:
    return (len(content) if length is None else length).to_bytes(4, "big") + content


def bomb(declared: bool) -> bytes:
    """A gigabyte of zeros in 32 KB."""
    squeezed = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(write_content_size=declared)
    ).compressobj(size=1 << 30 if declared else -1)
    zeros = bytes(1 << 24)
    return b"".join(squeezed.compress(zeros) for _ in range(64)) + squeezed.flush()


def plain(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "expected a frame of 1 to"),
    "half a length": (b"\0\0", "expected a frame of 1 to"),
    "an empty frame": (framed(b""), "expected a frame of 1 to"),
    "a frame of four gigabytes": (b"\xff\xff\xff\xff" + bytes(100), "expected a frame of 1 to"),
    "a frame that is cut": (framed(plain(SMALL_NEW), 1_000_000), "found its first"),
    "a page in HTML": (b"<!doctype html>" * 100, "expected a frame of 1 to"),
    "no zstd": (framed(b"no zstd at all"), "expected a zstd frame"),
    "a bomb that says so": (
        framed(bomb(declared=True)),
        "expected a segment of 200000 bytes, found 1073741824",
    ),
    "a bomb that does not say so": (framed(bomb(declared=False)), "expected a segment of 200000 bytes"),
    "a frame of the size of another file": (framed(plain(SMALL_NEW[:-1])), "found 199999"),
    "other content of the same size": (
        framed(plain(SMALL_OLD)),
        "expected it to make index.usearch of sha256",
    ),
    "more than one file": (framed(plain(SMALL_NEW)) * 2, "expected the end of the patch"),
    "something behind the frame": (framed(plain(SMALL_NEW) + b"x"), "expected a zstd frame"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_patch_is_refused_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    data, expected = HOSTILE[case]
    (tmp_path / "old").write_bytes(SMALL_OLD)
    (tmp_path / "patch").write_bytes(data)
    with pytest.raises(VerifyError, match=expected) as caught:
        apply_patch(tmp_path / "old", tmp_path / "patch", tmp_path / "out", entry_of(SMALL_NEW))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_no_damage_makes_another_file(tmp_path: Path) -> None:
    good = made(tmp_path, SMALL_OLD, SMALL_NEW).read_bytes()
    dice = random.Random(8)
    for _ in range(300):
        data = bytearray(good)
        if dice.random() < 0.3:
            del data[dice.randrange(len(data)) :]
        else:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        (tmp_path / "patch").write_bytes(data)
        try:
            apply_patch(tmp_path / "old", tmp_path / "patch", tmp_path / "out", entry_of(SMALL_NEW))
        except VerifyError:
            assert not (tmp_path / "out").exists()
        else:
            assert (tmp_path / "out").read_bytes() == SMALL_NEW


def test_the_patch_of_another_file_is_refused(tmp_path: Path) -> None:
    patch = made(tmp_path, SMALL_OLD, SMALL_NEW)
    (tmp_path / "old").write_bytes(MORE[: len(SMALL_OLD)])
    with pytest.raises(VerifyError, match=r"expected"):
        apply_patch(tmp_path / "old", patch, tmp_path / "out", entry_of(SMALL_NEW))


@pytest.mark.parametrize("missing", ["old", "patch"])
def test_a_file_that_is_not_there_is_said(missing: str, tmp_path: Path) -> None:
    made(tmp_path, SMALL_OLD, SMALL_NEW)
    (tmp_path / missing).unlink()
    with pytest.raises(DeviceError, match=f"{missing}: cannot be patched: No such file"):
        apply_patch(tmp_path / "old", tmp_path / "patch", tmp_path / "out", entry_of(SMALL_NEW))


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for it: never a device file, which tidying up would remove."""
    made(tmp_path, SMALL_OLD, SMALL_NEW)
    (tmp_path / "other").write_bytes(MORE[:200_000])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DeviceError, match=f"out: cannot be .*{os.strerror(errno.EFBIG)}"):
            apply_patch(tmp_path / "old", tmp_path / "patch", tmp_path / "out", entry_of(SMALL_NEW))
        with pytest.raises(DeviceError, match="no patch can be made"):
            write_patch(tmp_path / "old", tmp_path / "other", tmp_path / "patch", NO_LIMIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "out").exists()


PROGRAM = """
import resource, sys
from pathlib import Path
from agent.adapters.patching import apply_patch
from agent.core.manifest import FileEntry
folder, sha256, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
apply_patch(folder / "old", folder / "patch", folder / "out", FileEntry("f", sha256, size))
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    old = NOISE * 8  # 72 MB
    new = spotted(old, 50)
    made(tmp_path, old, new)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), entry_of(new).sha256, str(len(new))],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert int(done.stdout) < 60_000  # KB
    assert FRAME_LIMIT_BYTES < 2 * SEGMENT_BYTES
