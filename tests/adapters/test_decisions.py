"""Decisions to review on a real disk: durable, bounded, for several processes, and never in the way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.adapters.decisions import Decisions
from agent.core.errors import ConfigError
from agent.core.review import Answer, Decided, Kind, ReviewSettings, body_of
from tests.core.test_review import told
from tests.support.pictures import coded, scene

ON = ReviewSettings(keep=5)


def decided(number: int, kind: Kind | None = Kind.CLOSE, *, pictured: bool = True) -> Decided:
    picture = coded(scene(number)) if pictured else b""
    return Decided(f"track {number}", "bay-4", float(number), kind, body_of(told(), {}), picture)


def pictures(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "pictures").iterdir()}


def test_what_was_kept_and_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path)) as store:
        assert store.listed() == []
        store.take([decided(1, Kind.SURE), decided(2), decided(3)], ON, 9.0)
        assert store.answer(2, Answer.IS, "sku-9")
        assert not store.answer(77, Answer.RIGHT)
    with closing(Decisions(tmp_path)) as store:
        assert [each.id for each in store.listed()] == [3, 2, 1], "hard ones first, then the latest"
        assert [each.id for each in store.listed(answered=False, limit=1)] == [3]
        (said,) = store.listed(answered=True)
        assert (said.id, said.answer, said.true_sku, said.said) == (2, Answer.IS, "sku-9", "sku-0")
        assert store.pictures.get(said.picture) == coded(scene(2))
        assert store.counts() == {Answer.OPEN: 2, Answer.RIGHT: 0, Answer.WRONG: 0, Answer.IS: 1}
        assert store.answer(2, Answer.OPEN)
        assert store.listed(answered=True) == []


def test_a_track_that_goes_on_is_one_decision_until_somebody_answers_it(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path)) as store:
        store.take([decided(1, Kind.UNKNOWN)], ON, 9.0)
        store.take([decided(1, Kind.CLOSE, pictured=False)], ON, 9.0)  # it went without a picture
        (kept,) = store.listed()
        assert (kept.kind, bool(kept.picture)) == (Kind.CLOSE, True)
        store.answer(kept.id, Answer.WRONG)
        store.take([decided(1, Kind.UNKNOWN), decided(1, None)], ON, 9.0)
        (kept,) = store.listed()
        assert (kept.kind, kept.answer) == (Kind.CLOSE, Answer.WRONG)
        store.take([decided(2)], ON, 9.0)
        store.take([decided(2, None)], ON, 9.0)  # it became sure after all
        assert [each.id for each in store.listed()] == [1]
        assert len(pictures(tmp_path)) == 1


def test_it_stays_within_its_bounds(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path)) as store:
        store.take([decided(1)], ON, 0.0)
        store.answer(1, Answer.RIGHT)
        for number in range(2, 20):
            store.take([decided(number)], ON, 0.0)
        assert sorted(each.id for each in store.listed()) == [1, 16, 17, 18, 19]
        assert pictures(tmp_path) == {each.picture for each in store.listed()}
        store.take([], ReviewSettings(keep=5, days=1), 86_400 + 18.5)  # nothing new came for a day
        assert [each.id for each in store.listed()] == [19]
        small = ReviewSettings(keep=100, max_bytes=100_000)
        size = len(coded(scene(1)))
        store.take([decided(number) for number in range(20, 20 + 300_000 // size)], small, 0.0)
        held = sum(path.stat().st_size for path in (tmp_path / "pictures").iterdir())
        assert size < held <= 100_000
        assert store.clear() > 1
        assert (store.listed(), pictures(tmp_path)) == ([], set())


def test_a_picture_of_a_process_that_was_killed_goes(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path)) as store:
        store.take([decided(1)], ON, 0.0)
    (tmp_path / "pictures" / f"{'0' * 64}.jpg").write_bytes(b"without a decision")
    with closing(Decisions(tmp_path)) as store:
        assert pictures(tmp_path) == {store.listed()[0].picture}


def test_another_process_may_answer_and_clear(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path)) as daemon, closing(Decisions(tmp_path)) as command:
        daemon.take([decided(1)], ON, 0.0)
        assert command.clear() == 1
        assert daemon.listed() == []
        daemon.take([decided(2)], ON, 0.0)
        assert [each.id for each in command.listed()] == [2]


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path)) as store:
        store.take([decided(1)], ON, 0.0)
    (tmp_path / "review.db").write_bytes(b"no database at all" * 500)
    with closing(Decisions(tmp_path)) as store:
        assert store.moved_aside == tmp_path / "review.db.corrupt-1"
        assert store.listed() == []
        store.take([decided(1)], ON, 0.0)
        assert len(store.listed()) == 1


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"options": 3}', "[" * 5000])
def test_a_damaged_row_is_left_out(tmp_path: Path, body: str) -> None:
    with closing(Decisions(tmp_path)) as store:
        store.take([decided(1), decided(2)], ON, 0.0)
        with sqlite3.connect(tmp_path / "review.db") as db:
            db.execute("UPDATE decisions SET body = ? WHERE id = 1", (body,))
        assert [each.id for each in store.listed()] == [2]
        assert store.get(1) is None


def test_the_file_of_a_newer_spotter_is_left_alone(tmp_path: Path) -> None:
    with closing(Decisions(tmp_path)):
        pass
    with sqlite3.connect(tmp_path / "review.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="expected format 1, found 99"):
        Decisions(tmp_path)
