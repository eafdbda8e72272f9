"""The index on real usearch files: right answers, the same bytes, and refusal before a damaged graph is touched."""

from __future__ import annotations

import gc
import hashlib
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.adapters.vectors import EXACT_LIMIT, IndexBuilder, VectorIndex, codes_of, open_index, reopen_index
from agent.core.errors import CatalogueError
from agent.core.manifest import FileEntry

DIMENSION = 64


def unit_rows(count: int, seed: int, dimension: int = DIMENSION, clusters: int = 50) -> NDArray[np.float32]:
    """Rows that lie in clusters, as pictures of products do."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(clusters, dimension))
    rows = centres[rng.integers(0, clusters, count)] + 0.8 * rng.normal(size=(count, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def write(folder: Path, vectors: NDArray[np.float32], batch: int = 10_000) -> FileEntry:
    """An index whose keys are 1, 2, 3, …"""
    builder = IndexBuilder(vectors.shape[1])
    keys = np.arange(1, len(vectors) + 1, dtype=np.uint64)
    for start in range(0, len(keys), batch):
        builder.add(keys[start : start + batch], vectors[start : start + batch])
    return builder.save(folder)


def opened(folder: Path, entry: FileEntry, count: int, dimension: int = DIMENSION) -> VectorIndex:
    return open_index(folder / entry.path, entry, dimension=dimension, count=count)


@pytest.mark.parametrize(
    ("count", "dimension", "least_recall"), [(1000, 1024, 1.0), (EXACT_LIMIT + 2000, 64, 0.98)]
)
def test_the_nearest_are_those_of_an_exact_search(
    tmp_path: Path, count: int, dimension: int, least_recall: float
) -> None:
    vectors, queries = unit_rows(count, 1, dimension), unit_rows(300, 2, dimension)
    index = opened(tmp_path, write(tmp_path, vectors), count, dimension)
    assert (len(index), index.dimension) == (count, dimension)
    keys, similarities, counts = index.search(queries, 10)
    exact = queries @ vectors.T
    best = np.sort(exact, axis=1)[:, ::-1][:, :10]
    assert (counts == 10).all()
    # a neighbour counts as right when it is as near as the right one but for the rounding to int8
    rounding = 0.004
    found = np.take_along_axis(exact, keys.astype(np.int64) - 1, axis=1)
    assert np.mean(found[:, 0] >= best[:, 0] - rounding) >= least_recall
    assert np.mean(found >= best[:, -1:] - rounding) >= 0.97
    assert np.abs(similarities - found).max() < rounding
    assert np.abs(similarities - found).mean() < 0.001
    assert (np.diff(similarities, axis=1) <= 0).all()


def test_one_query_two_and_many_give_the_same_rows(tmp_path: Path) -> None:
    vectors = unit_rows(300, 1)
    index = opened(tmp_path, write(tmp_path, vectors), 300)
    many = index.search(vectors[:7], 5)
    for row in range(7):
        one = index.search(vectors[row : row + 1], 5)
        for a, b in zip(one, many, strict=True):
            assert a.dtype == b.dtype
            assert (a[0] == b[row]).all()
    assert [array.shape for array in index.search(vectors[:0], 5)] == [(0, 5), (0, 5), (0,)]
    assert (many[0][:, 0] == np.arange(1, 8)).all()
    assert many[1][:, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("queries", [1, 3])
def test_fewer_references_than_asked_for_are_padded_with_key_0(tmp_path: Path, queries: int) -> None:
    vectors = unit_rows(4, 1)
    keys, similarities, counts = opened(tmp_path, write(tmp_path, vectors), 4).search(vectors[:queries], 9)
    assert (counts == 4).all()
    assert (np.sort(keys[:, :4], axis=1) == [1, 2, 3, 4]).all()
    assert (keys[:, 4:] == 0).all()
    assert (similarities[:, 4:] == -1).all()


def test_a_query_of_zeros_is_near_to_nothing(tmp_path: Path) -> None:
    index = opened(tmp_path, write(tmp_path, unit_rows(10, 1)), 10)
    _, similarities, _ = index.search(np.zeros((2, DIMENSION), np.float32), 3)
    assert (similarities <= 0).all()


def test_opposite_vectors_have_similarity_minus_1(tmp_path: Path) -> None:
    vectors = unit_rows(1, 1)
    _, similarities, _ = opened(tmp_path, write(tmp_path, vectors), 1).search(-vectors, 1)
    assert similarities[0, 0] == pytest.approx(-1, abs=1e-6)


MISUSE = {
    "one dimension too few": (np.zeros((1, DIMENSION - 1), np.float32), 1, "queries: expected"),
    "a single row": (np.zeros(DIMENSION, np.float32), 1, "queries: expected"),
    "float64": (np.zeros((1, DIMENSION)), 1, "queries: expected"),
    "NaN": (np.full((1, DIMENSION), np.nan, np.float32), 1, "expected finite numbers"),
    "infinity in one element": (
        np.pad(np.float32([[np.inf]]), ((0, 0), (0, DIMENSION - 1))),
        1,
        "expected finite",
    ),
    "no neighbours": (np.zeros((1, DIMENSION), np.float32), 0, "k: expected at least 1"),
}


@pytest.mark.parametrize(("queries", "k", "reason"), MISUSE.values(), ids=MISUSE.keys())
def test_misuse_is_a_value_error(tmp_path: Path, queries: NDArray[np.float32], k: int, reason: str) -> None:
    index = opened(tmp_path, write(tmp_path, unit_rows(3, 1)), 3)
    with pytest.raises(ValueError, match=reason):
        index.search(queries, k)


@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_the_same_calls_give_the_same_bytes(tmp_path: Path, batch: int) -> None:
    vectors = unit_rows(700, 1)
    first = write(tmp_path, vectors, batch)
    data = (tmp_path / first.path).read_bytes()
    assert hashlib.sha256(data).hexdigest() == first.sha256
    assert len(data) == first.size
    assert first.sha256[:16] in first.path
    assert write(tmp_path, vectors, batch) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.path]


def test_the_builder_gives_back_what_a_search_sees() -> None:
    vectors = unit_rows(50, 1)
    builder = IndexBuilder(DIMENSION)
    builder.add(np.arange(1, 51, dtype=np.uint64), vectors)
    for wanted in ([3], [50, 1, 7]):
        rows = builder.vectors(np.array(wanted, np.uint64))
        assert rows.dtype == np.float32
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
        assert np.abs(rows - vectors[np.array(wanted) - 1]).max() < 1 / 127


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([1, 1], "keys: expected to ascend"),
        ([2, 1], "keys: expected"),
        ([0], "keys: expected"),
        ([5], "vectors"),
    ],
)
def test_the_builder_refuses_what_would_leave_half_a_batch(keys: list[int], reason: str) -> None:
    builder = IndexBuilder(DIMENSION)
    with pytest.raises(ValueError, match=reason):
        builder.add(np.array(keys, np.uint64), unit_rows(2, 1)[: 3 - len(keys)])
    assert len(builder) == 0


def some(*keys: int) -> NDArray[np.uint64]:
    return np.array(keys, np.uint64)


def test_a_key_is_added_once_and_removed_only_where_it_is() -> None:
    builder = IndexBuilder(DIMENSION)
    builder.add(some(3, 5), unit_rows(2, 1))
    with pytest.raises(ValueError, match=r"expected new ones, found \[5\]"):
        builder.add(some(4, 5), unit_rows(2, 2))
    with pytest.raises(ValueError, match=r"expected held ones, found \[4\]"):
        builder.remove(some(3, 4))
    assert builder.keys().tolist() == [3, 5]
    builder.remove(some(3))
    builder.add(some(1, 3), unit_rows(2, 3))
    assert builder.keys().tolist() == [1, 3, 5]
    assert (
        builder.codes(some(1, 3, 5)) == codes_of(np.concatenate([unit_rows(2, 3), unit_rows(2, 1)[1:]]))
    ).all()


def changed(folder: Path, entry: FileEntry, count: int, removed: int, added: int) -> tuple[FileEntry, int]:
    """The index without its first keys and with new ones behind its last."""
    builder = reopen_index(folder / entry.path, entry, dimension=DIMENSION, count=count)
    builder.remove(np.arange(1, removed + 1, dtype=np.uint64))
    builder.add(np.arange(count + 1, count + added + 1, dtype=np.uint64), unit_rows(added, 7))
    return builder.save(folder), len(builder)


@pytest.mark.parametrize("count", [300, EXACT_LIMIT + 1500])
@pytest.mark.parametrize(("removed_share", "added"), [(0.02, 20), (0.9, 5), (0.0, 30)])
def test_a_changed_index_never_answers_with_what_was_removed(
    tmp_path: Path, count: int, removed_share: float, added: int
) -> None:
    vectors = unit_rows(count, 1)
    removed = int(count * removed_share)
    entry, left = changed(tmp_path, write(tmp_path, vectors), count, removed, added)
    assert left == count - removed + added
    assert changed(tmp_path, write(tmp_path, vectors), count, removed, added)[0] == entry
    index = opened(tmp_path, entry, left)
    assert len(index) == left
    for queries in (vectors[:1], vectors[: max(2, removed)]):
        keys, similarities, counts = index.search(queries, 32)
        assert (counts == 32).all()
        assert keys.min() > removed
        assert keys.max() <= count + added
        assert (np.diff(similarities, axis=1) <= 0).all()
    own, similarities, _ = index.search(unit_rows(added, 7), 1)
    assert (own[:, 0] > count).mean() >= 0.95
    for rows in (1, 2):  # more than there are: none twice, none of the removed, the rest is padded
        keys, _, counts = index.search(vectors[:rows], left + 9)
        assert (counts <= left).all()
        assert (counts >= left * 0.99).all()
        for row, found in zip(keys, counts.tolist(), strict=True):
            assert len(set(row[:found].tolist())) == found
            assert row[:found].min() > removed
            assert (row[found:] == 0).all()


def test_an_index_of_one_left_finds_it(tmp_path: Path) -> None:
    vectors = unit_rows(300, 1)
    entry, left = changed(tmp_path, write(tmp_path, vectors), 300, 299, 0)
    keys, similarities, counts = opened(tmp_path, entry, left).search(vectors[:2], 5)
    assert counts.tolist() == [1, 1]
    assert keys.tolist() == [[300, 0, 0, 0, 0]] * 2
    assert (similarities[:, 1:] == -1).all()


def test_empty_places_are_counted_and_taken_first(tmp_path: Path) -> None:
    entry = write(tmp_path, unit_rows(400, 1))
    smaller, left = changed(tmp_path, entry, 400, 100, 40)
    assert left == 340
    again = reopen_index(tmp_path / smaller.path, smaller, dimension=DIMENSION, count=340)
    assert again.empty_share == pytest.approx(60 / 400)
    assert smaller.size == pytest.approx(entry.size, rel=0.02)
    with pytest.raises(CatalogueError, match="count_present: expected 400, found 340"):
        reopen_index(tmp_path / smaller.path, smaller, dimension=DIMENSION, count=400)


def test_an_index_that_is_reopened_and_not_changed_stays_the_file_it_was(tmp_path: Path) -> None:
    entry = write(tmp_path, unit_rows(50, 1))
    builder = reopen_index(tmp_path / entry.path, entry, dimension=DIMENSION, count=50)
    builder.remove(some())
    builder.add(some(), unit_rows(0, 1))
    assert builder.save(tmp_path) == entry
    assert [path.name for path in tmp_path.iterdir()] == [entry.path]


def test_recall_is_whole_where_all_are_compared_and_high_where_the_graph_is_searched() -> None:
    small, large = IndexBuilder(DIMENSION), IndexBuilder(DIMENSION)
    small.add(np.arange(1, 101, dtype=np.uint64), unit_rows(100, 1))
    large.add(np.arange(1, EXACT_LIMIT + 1002, dtype=np.uint64), unit_rows(EXACT_LIMIT + 1001, 1))
    assert small.recall(50, 10) == 1
    assert 0.97 <= large.recall(200, 10) <= 1


def test_a_mapped_index_outlives_its_name_and_its_replacement(tmp_path: Path) -> None:
    vectors = unit_rows(300, 1)
    entry = write(tmp_path, vectors)
    index = opened(tmp_path, entry, 300)
    before = index.search(vectors, 3)
    (tmp_path / "other").write_bytes(b"x" * entry.size)
    (tmp_path / "other").replace(tmp_path / entry.path)
    for a, b in zip(before, index.search(vectors, 3), strict=True):
        assert (a == b).all()
    with pytest.raises(CatalogueError, match="expected sha256"):
        opened(tmp_path, entry, 300)


def test_opening_and_forgetting_many_indexes_leaks_no_descriptor(tmp_path: Path) -> None:
    vectors = unit_rows(30, 1)
    entry = write(tmp_path, vectors)
    opened(tmp_path, entry, 30).search(vectors, 3)
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        opened(tmp_path, entry, 30).search(vectors[:1], 3)
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_200_damaged_files_are_refused_before_they_are_mapped(tmp_path: Path) -> None:
    random.seed(1)
    entry = write(tmp_path, unit_rows(400, 1))
    path = tmp_path / entry.path
    good = path.read_bytes()
    cases = [b"", good[:1], good[:-1], good + b"\0", b"\0" * len(good), random.randbytes(len(good))]
    cases += [good[: random.randrange(len(good))] for _ in range(44)]
    for flips in [1] * 100 + [20] * 50:
        data = bytearray(good)
        for place in random.sample(range(len(good)), flips):
            data[place] ^= 1 << random.randrange(8)
        cases.append(bytes(data))
    for data in cases:
        path.write_bytes(data)
        with pytest.raises(CatalogueError, match="damaged") as caught:
            opened(tmp_path, entry, 400)
        assert str(caught.value).startswith(f"{path}: expected ")
        assert str(caught.value).isprintable()
    path.write_bytes(good)
    assert len(opened(tmp_path, entry, 400)) == 400


def entry_of(path: Path) -> FileEntry:
    data = path.read_bytes()
    return FileEntry(path.name, hashlib.sha256(data).hexdigest(), len(data))


def test_other_files_with_a_right_digest_are_refused_by_what_they_are(tmp_path: Path) -> None:
    from usearch.index import Index

    good = write(tmp_path, unit_rows(9, 1))
    cases = {"text.bin": b"this is no index" * 100, "one.bin": b"\1", "zeros.bin": b"\0" * 4096}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
    for name, settings in {
        "metric.bin": {"metric": "ip", "dtype": "i8"},
        "dtype.bin": {"metric": "cos", "dtype": "f32"},
    }.items():
        other = Index(ndim=DIMENSION, **settings)
        other.add(np.arange(9, dtype=np.uint64), unit_rows(9, 1), threads=1)
        other.save(str(tmp_path / name))
    expected = {
        "text.bin": "expected a usearch index|kind_metric",
        "one.bin": "expected a usearch index|kind_metric",
        "zeros.bin": "expected a usearch index|kind_metric",
        "metric.bin": "kind_metric: expected",
        "dtype.bin": "kind_scalar: expected",
    }
    for name, reason in expected.items():
        with pytest.raises(CatalogueError, match=reason):
            opened(tmp_path, entry_of(tmp_path / name), 9)
    with pytest.raises(CatalogueError, match="dimensions: expected 32, found 64"):
        opened(tmp_path, good, 9, dimension=32)
    with pytest.raises(CatalogueError, match="count_present: expected 10, found 9"):
        opened(tmp_path, good, 10)


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    entry = write(tmp_path, unit_rows(9, 1))
    with pytest.raises(CatalogueError, match="cannot be read: No such file"):
        opened(tmp_path, replace(entry, path="missing.usearch"), 9)
    (tmp_path / "folder.usearch").mkdir()
    with pytest.raises(CatalogueError, match="cannot be read: Is a directory"):
        opened(tmp_path, replace(entry, path="folder.usearch"), 9)


@pytest.mark.parametrize(("count", "rests"), [(100, 0), (EXACT_LIMIT + 500, 7)], ids=["few", "many"])
def test_others_get_their_turn_after_every_comparison_with_all(
    tmp_path: Path, count: int, rests: int
) -> None:
    entry = write(tmp_path, unit_rows(count, 1))
    index = open_index(tmp_path / entry.path, entry, dimension=DIMENSION, count=count)
    turns: list[None] = []
    assert index.recall(unit_rows(7, 2), 10, lambda: turns.append(None)) >= 0.9
    assert len(turns) == rests
