"""Embeddings that are kept: the same bits with and without, and nothing that happens to the file stops a build."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.embedder import Embedder, EmbedderSettings, load_embedder
from agent.publishing.build import BuildReport, BuildSettings, build_catalogue
from agent.publishing.cache import CACHE_NAME, EmbeddingCache
from agent.publishing.embed import Picture, Workforce
from tests.support.tiny_models import write_tiny_model
from tests.support.tiny_pictures import drawn_picture

ROOT = Path(__file__).resolve().parent.parent.parent
DAY_S = 86_400.0
HERE = BuildSettings(jobs=1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> EmbedderSettings:
    return EmbedderSettings(file=str(write_tiny_model(tmp_path_factory.mktemp("model"))))


@pytest.fixture(scope="module")
def eyes(settings: EmbedderSettings) -> Embedder:
    return load_embedder(settings)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Eight products of three pictures each."""
    for number in range(24):
        path = tmp_path / "shop" / f"sku-{number // 3}" / f"{number % 3}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), drawn_picture(number))
    return tmp_path / "shop"


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the pictures that were embedded."""
    paths: list[str] = []
    real = Workforce.embed

    def watched(self: Workforce, pictures: object, total: int) -> object:
        def seen(source: object) -> object:
            for picture in source:
                assert isinstance(picture, Picture)
                paths.append(picture.path)
                yield picture

        return real(self, seen(pictures), total)

    monkeypatch.setattr(Workforce, "embed", watched)
    return paths


def row(number: int, dimension: int = 48) -> np.ndarray:
    numbers = np.random.default_rng(number).normal(size=dimension).astype(np.float32)
    return numbers / np.linalg.norm(numbers)


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def opened(
    folder: Path, eyes: Embedder, crop: float = 1.0, now_utc: float = 0.0, **more: int
) -> EmbeddingCache:
    return EmbeddingCache(folder, eyes, crop, now_utc=now_utc, **more)


def fill(folder: Path, eyes: Embedder, numbers: range, **more: float) -> list[str]:
    with opened(folder, eyes, **more) as cache:
        for number in numbers:
            cache.put(digest(number), row(number), b"jpeg %d" % number)
    return cache.warnings


def known(folder: Path, eyes: Embedder, numbers: range, **more: float) -> list[int]:
    """Which of the numbers are found, with what was kept for them."""
    found = []
    with opened(folder, eyes, **more) as cache:
        for number in numbers:
            entry = cache.get(digest(number))
            if entry is not None:
                assert entry[0].tobytes() == row(number).tobytes()
                assert entry[0].dtype == np.float32
                assert entry[1] == b"jpeg %d" % number
                found.append(number)
    return found


def build(shop: Path, out: Path, settings: EmbedderSettings, cache: Path | None) -> BuildReport:
    return build_catalogue(shop, out, settings, HERE, created_utc=1.0, cache=cache)


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_with_and_without_a_cache_the_bytes_are_the_same(
    shop: Path, settings: EmbedderSettings, tmp_path: Path, embedded: list[str]
) -> None:
    for name, cache in {"without": None, "cold": tmp_path / "c", "warm": tmp_path / "c"}.items():
        embedded.clear()
        report = build(shop, tmp_path / name, settings, cache)
        assert len(embedded) == (0 if name == "warm" else 24)
        assert report.references == 24
    assert content(tmp_path / "without") == content(tmp_path / "cold") == content(tmp_path / "warm")


def test_only_pictures_that_changed_are_embedded_again_also_when_moved(
    shop: Path, settings: EmbedderSettings, tmp_path: Path, embedded: list[str]
) -> None:
    build(shop, tmp_path / "out", settings, tmp_path / "c")
    embedded.clear()
    cv2.imwrite(str(shop / "sku-2" / "1.png"), drawn_picture(100))
    (shop / "sku-5").rename(shop / "sku-9")
    (shop / "sku-7" / "2.png").write_bytes(b"no picture")
    report = build(shop, tmp_path / "out", settings, tmp_path / "c")
    assert embedded == ["sku-2/1.png", "sku-7/2.png"]
    assert [problem.file for problem in report.problems] == ["sku-7/2.png"]
    assert (report.changes.replaced, report.changes.added, report.changes.removed) == (1, 3, 4)


def test_what_is_refused_is_said_again_with_a_warm_cache(
    shop: Path, settings: EmbedderSettings, tmp_path: Path
) -> None:
    (shop / "sku-0" / "0.png").write_bytes(b"")
    cv2.imwrite(str(shop / "sku-1" / "0.png"), np.full((48, 48, 3), 128, np.uint8))
    reports = [build(shop, tmp_path / "out", settings, tmp_path / "c") for _ in range(2)]
    assert [problem.file for problem in reports[0].problems] == ["sku-0/0.png", "sku-1/0.png"]
    assert reports[0].problems == reports[1].problems


def test_an_entry_belongs_to_its_model_its_crop_and_its_picture(eyes: Embedder, tmp_path: Path) -> None:
    other = load_embedder(EmbedderSettings(file=str(write_tiny_model(tmp_path, input={"colour": "BGR"}))))
    assert fill(tmp_path, eyes, range(5)) == []
    assert known(tmp_path, eyes, range(9)) == [0, 1, 2, 3, 4]
    assert known(tmp_path, other, range(9)) == []
    assert known(tmp_path, eyes, range(9), crop=0.5) == []


def test_entries_that_wait_to_be_written_are_found(eyes: Embedder, tmp_path: Path) -> None:
    with opened(tmp_path, eyes) as cache:
        cache.put(digest(1), row(1), b"jpeg 1")
        entry = cache.get(digest(1))
        assert entry is not None
        assert entry[1] == b"jpeg 1"


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scribbled(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"this is no database, but a letter" * 10)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def one_bit_of_a_vector(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(row(3).tobytes())
    data[place + 7] ^= 1
    path.write_bytes(data)


def another_format(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def other_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE notes (text); PRAGMA user_version = 1")


DAMAGE = (cut, scribbled, one_bit_of_a_vector, another_format)


@pytest.mark.parametrize("spoil", DAMAGE, ids=lambda spoil: spoil.__name__)
def test_a_damaged_file_is_set_aside_once_and_begun_anew(spoil, eyes: Embedder, tmp_path: Path) -> None:
    fill(tmp_path, eyes, range(400))
    spoil(tmp_path / CACHE_NAME)
    with opened(tmp_path, eyes) as cache:
        wrong = [
            n
            for n in range(400)
            if (entry := cache.get(digest(n))) and entry[0].tobytes() != row(n).tobytes()
        ]
        cache.put(digest(500), row(500), b"jpeg 500")
    assert wrong == []
    assert len(cache.warnings) == 1
    assert cache.warnings[0].startswith("the cache was damaged and is begun anew: ")
    assert known(tmp_path, eyes, range(500, 501)) == [500]
    assert {path.name for path in tmp_path.iterdir()} == {CACHE_NAME, f"{CACHE_NAME}.damaged"}


@pytest.mark.parametrize("spoil", [zeros, other_tables], ids=lambda spoil: spoil.__name__)
def test_a_file_of_something_else_is_no_obstacle(spoil, eyes: Embedder, tmp_path: Path) -> None:
    fill(tmp_path, eyes, range(9))
    spoil(tmp_path / CACHE_NAME)
    assert len(fill(tmp_path, eyes, range(9))) <= 1


def test_a_build_goes_on_with_a_damaged_cache_and_warns(
    shop: Path, settings: EmbedderSettings, tmp_path: Path
) -> None:
    build(shop, tmp_path / "a", settings, tmp_path / "c")
    scribbled(tmp_path / "c" / CACHE_NAME)
    report = build(shop, tmp_path / "b", settings, tmp_path / "c")
    assert [problem.warning for problem in report.problems] == [True]
    assert "the cache was damaged" in str(report.problems[0])
    assert content(tmp_path / "a") == content(tmp_path / "b")


@pytest.mark.parametrize("place", ["/proc/nothing", "file/below"])
def test_a_place_that_cannot_be_used_is_a_warning(
    place: str, shop: Path, settings: EmbedderSettings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    report = build(shop, tmp_path / "out", settings, tmp_path / place)
    assert [problem.warning for problem in report.problems] == [True]
    assert "the cache is not used" in str(report.problems[0])


def test_two_builds_share_one_file(eyes: Embedder, tmp_path: Path) -> None:
    with opened(tmp_path, eyes) as first, opened(tmp_path, eyes) as second:
        for number in range(600):
            (first if number % 2 else second).put(digest(number), row(number), b"jpeg %d" % number)
            second.put(digest(number), row(number), b"jpeg %d" % number)
        assert first.get(digest(0)) is not None
    assert first.warnings == second.warnings == []
    assert known(tmp_path, eyes, range(600)) == list(range(600))


def test_beyond_the_limit_those_go_that_were_not_used_for_longest(tmp_path: Path) -> None:
    eyes: Embedder = Wide()  # type: ignore[assignment]
    fill_large(tmp_path, eyes, range(200), day=1)
    size = (tmp_path / CACHE_NAME).stat().st_size
    with opened(tmp_path, eyes, now_utc=2 * DAY_S) as cache:  # half of them are used again
        assert all(cache.get(digest(number)) for number in range(0, 200, 2))
    fill_large(tmp_path, eyes, range(200, 250), day=3, limit_bytes=size)
    with opened(tmp_path, eyes) as cache:
        left = [number for number in range(250) if cache.get(digest(number))]
    assert (tmp_path / CACHE_NAME).stat().st_size <= size
    assert set(left) >= {*range(0, 200, 2), *range(200, 250)}
    assert 20 < len(set(left) & set(range(1, 200, 2))) < 60


class Wide:
    """The eyes of a model with 1,024 numbers, as far as a cache looks at them."""

    fingerprint = "ab" * 32
    dimension = 1024
    runtime = "litert"


def fill_large(folder: Path, eyes: Embedder, numbers: range, day: int, **more: int) -> None:
    with opened(folder, eyes, now_utc=day * DAY_S, **more) as cache:
        for number in numbers:
            cache.put(digest(number), row(number, 1024), bytes(2500))
    assert cache.warnings == []


PROGRAM = """
import sys
from agent.adapters.embedder import EmbedderSettings
from agent.publishing.build import BuildSettings, build_catalogue
def told(done, total):
    print(done, flush=True)
build_catalogue(sys.argv[1], sys.argv[2], EmbedderSettings(file=sys.argv[3]), BuildSettings(jobs=1),
                created_utc=1.0, cache=sys.argv[4], progress=told)
"""


def test_a_build_that_is_killed_keeps_what_it_had_embedded(
    settings: EmbedderSettings, tmp_path: Path, embedded: list[str]
) -> None:
    for number in range(900):
        path = tmp_path / "shop" / f"sku-{number // 9}" / f"{number % 9}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), drawn_picture(number, 64, 48))
    arguments = [str(tmp_path / "shop"), str(tmp_path / "out"), settings.file, str(tmp_path / "c")]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    while int(child.stdout.readline()) < 400:
        pass
    child.send_signal(signal.SIGKILL)
    child.communicate()
    report = build(tmp_path / "shop", tmp_path / "out", settings, tmp_path / "c")
    assert report.references == 900
    assert report.problems == ()
    assert len(embedded) <= 900 - 256
    shutil.rmtree(tmp_path / "c")
    fresh = build(tmp_path / "shop", tmp_path / "fresh", settings, None)
    assert fresh.release == report.release
