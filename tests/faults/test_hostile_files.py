"""Damaged and hostile files through the real command: one line that names file and cause, never a crash."""

from __future__ import annotations

import json
import random
import shutil
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.pictures import png_header
from tests.support.road import Road, photos_camera, spotter
from tests.support.tflite_note import without_note

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RANDOM_CASES = 36
"""Random damage per kind of file; with the named cases below, more than 200 in all."""


@dataclass(frozen=True)
class Hostile:
    """One file, what stands in it instead, and how it came to be so."""

    target: str  # model, spec, index, products, manifest, config, image
    story: str
    data: bytes


def png(width: int, height: int) -> bytes:
    """A picture that claims to be huge and holds next to nothing."""
    body = zlib.compress(b"\0" * 1024)
    data = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    return png_header(width, height) + data


def named(good: dict[str, bytes]) -> list[Hostile]:
    """What happens to files, told in words."""
    rng = random.Random(1)
    cases = []
    for target, data in good.items():
        cases += [
            Hostile(target, "empty", b""),
            Hostile(target, "cut in half", data[: len(data) // 2]),
            Hostile(target, "one byte short", data[:-1]) if target not in {"config", "image"} else Hostile(target, "one byte", b"{"),
            Hostile(target, "random bytes", rng.randbytes(max(64, len(data)))),
            Hostile(target, "zeros", bytes(len(data))),
            Hostile(target, "another type of file", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"),
        ]  # fmt: skip
    config = good["config"].decode()
    cases += [
        Hostile("image", "a header of 50,000 × 50,000 pixels", png(50_000, 50_000)),
        Hostile("image", "a header of 2³¹ pixels on a side", png(2**31 - 1, 2**31 - 1)),
        Hostile("image", "no pixels", png(0, 0)),
        Hostile("config", "NaN", config.replace("false_accept: 0.01", "false_accept: .nan").encode()),
        Hostile("config", "infinity", config.replace("false_accept: 0.01", "false_accept: .inf").encode()),
        Hostile(
            "config",
            "a number of 400 digits",
            config.replace("false_accept: 0.01", "false_accept: 1" + "0" * 400).encode(),
        ),
        Hostile(
            "config",
            "a number of 10,000 hex digits",
            config.replace("false_accept: 0.01", "looks: 0x" + "f" * 10_000).encode(),
        ),
        Hostile("config", "half of a character", config.replace("site: test", r'site: "\ud83d"').encode()),
        Hostile("config", "a NUL in a text", config.replace("site: test", r'site: "a\0b"').encode()),
        Hostile(
            "config", "a NUL in a path", config.replace("state_dir: ", r'state_dir: "/tmp/a\0b" # ').encode()
        ),
        Hostile("config", "a duplicate key", (config + "site: other\n").encode()),
        Hostile("config", "an unknown key", (config + "sight: other\n").encode()),
        Hostile("config", "a bomb of aliases", b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
        Hostile("config", "a Python object", b"site: !!python/object/apply:os.system ['touch /tmp/pwned']\n"),
        Hostile("config", "deep nesting", b"[" * 60_000),
        Hostile("config", "too large", b"# " + b"x" * 70_000),
        Hostile("manifest", "NaN", good["manifest"].replace(b'"bias": ', b'"bias": NaN, "x": ')),
        Hostile("manifest", "a path out of the directory", good["manifest"].replace(b"index-", b"../index-")),
        Hostile("manifest", "deep nesting", b"[" * 60_000),
        Hostile("spec", "deep nesting", b"[" * 60_000),
        Hostile("spec", "NaN", good["spec"].replace(b"{", b'{"mean": NaN, ', 1)),
    ]
    return cases


def says_the_same(spec: bytes, good: bytes) -> bool:
    """Whether a damaged description still describes the same model: only words meant for people differ."""
    prose = ("name", "provenance", "licence")
    try:
        ours, theirs = json.loads(spec), json.loads(good)
        return {**ours, **dict.fromkeys(prose)} == {**theirs, **dict.fromkeys(prose)}
    except (ValueError, TypeError):
        return False


def flipped(good: dict[str, bytes]) -> list[Hostile]:
    """Bits flipped at random places."""
    rng = random.Random(2)
    cases = []
    for target, data in good.items():
        for number in range(RANDOM_CASES if target not in {"config", "image"} else 0):
            damaged = bytearray(data)
            for _ in range(rng.choice([1, 3, 20])):
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            if target != "spec" or not says_the_same(bytes(damaged), data):
                cases.append(Hostile(target, f"bits flipped, {number}", bytes(damaged)))
    return cases


def paths(road: Road) -> dict[str, Path]:
    manifest = road.catalogue / "manifest.json"
    by_suffix = {path.suffix: path for path in road.catalogue.iterdir()}
    return {
        "model": road.model,
        "spec": road.model.with_suffix(".json"),
        "index": by_suffix[".usearch"],
        "products": by_suffix[".db"],
        "manifest": manifest,
        "config": road.config,
        "image": road.folder / "photo.png",
    }


def run(original: Road, case: Hostile, folder: Path) -> str:
    """Put the file in place in a copy of everything, run the command that reads it; the complaint, if wrong."""
    shutil.copytree(original.folder, folder, ignore=shutil.ignore_patterns("products", "photos"))
    road = Road.__new__(Road)
    road.folder, road.model = folder, folder / original.model.relative_to(original.folder)
    road.catalogue, road.config = folder / "catalogue", folder / "spotter.yaml"
    road.config.write_text(road.config.read_text().replace(str(original.folder), str(folder)))
    target = paths(road)[case.target]
    target.write_bytes(case.data)
    if case.target == "image":
        done = spotter("find", "--model", str(road.model), "--release", str(road.catalogue), str(target))
        expected = {1}
    else:
        done = spotter("check", "-c", str(road.config))
        expected = {78}
    shutil.rmtree(folder)
    # The TFLite library says on its own that it was opened, which it is before an index is looked at.
    lines = without_note(done.stderr)
    # A digest that does not fit names the model: neither file can tell which of the two was damaged.
    says_which = lines and (target.stem if case.target == "spec" else target.name) in lines[0]
    if done.returncode in expected and len(lines) == 1 and lines[0].startswith("spotter: ") and says_which:
        return ""
    return f"{case.target}, {case.story}: exit {done.returncode}: {done.stderr[-600:]!r}"


def test_every_one_is_refused_in_one_line(tmp_path: Path) -> None:
    original = Road(tmp_path / "good")
    original.folder.mkdir(exist_ok=True)
    original.build(products=3, views=2)
    original.configure(photos_camera(original.draw_photos(count=1)), decision={"false_accept": 0.01})
    shutil.copy(next((original.folder / "photos").iterdir()), original.folder / "photo.png")
    files = paths(original)
    assert spotter("check", "-c", str(original.config)).returncode == 0
    good = {target: path.read_bytes() for target, path in files.items()}
    cases = named(good) + flipped(good)
    assert len(cases) >= 200
    with ThreadPoolExecutor(2) as pool:
        wrong = list(
            pool.map(lambda item: run(original, item[1], tmp_path / f"case-{item[0]}"), enumerate(cases))
        )
    assert [complaint for complaint in wrong if complaint] == []
