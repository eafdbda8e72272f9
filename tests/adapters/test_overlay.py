"""What was learned, on disk: durable, shared between processes, bounded, and set aside when it is damaged."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agent.adapters import overlay as module
from agent.adapters.overlay import Overlay
from agent.core.errors import ConfigError, DeviceError, InputError
from agent.core.learned import Settlement
from tests.support.pictures import coded, scene
from tests.support.road import ROOT

ROW = np.float32([0.6, 0.8])


def jpeg(number: int) -> bytes:
    return coded(scene(number))


def enrol(overlay: Overlay, sku: str, *numbers: int, **texts: str) -> int:
    return overlay.enrol(sku, texts, [(jpeg(number), ROW) for number in numbers], "eyes", 5.0)


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    return Overlay(tmp_path / "overlay")


def skus(overlay: Overlay) -> list[str]:
    return [each.sku for each in overlay.learned().references]


def test_what_is_enrolled_is_there_after_a_restart(tmp_path: Path, overlay: Overlay) -> None:
    assert enrol(overlay, "oats", 1, 2, name="Hafer") == 2
    overlay.close()
    again = Overlay(tmp_path / "overlay")
    learned = again.learned()
    assert [(each.id, each.sku, each.sight, each.utc) for each in learned.references] == [
        (1, "oats", "eyes", 5.0), (2, "oats", "eyes", 5.0),
    ]  # fmt: skip
    assert learned.products["oats"].texts == {"name": "Hafer"}
    assert again.read("eyes", (), 2)[1][2].tolist() == ROW.tolist()
    assert list(again.read("eyes", {1}, 2)[1]) == [2]
    assert again.read("eyes", (), 3)[1] == again.read("other", (), 2)[1] == {}, "of another length or sight"
    assert again.pictures.get(learned.references[1].picture) == jpeg(2)


def test_the_same_picture_counts_once_and_texts_are_replaced_one_by_one(overlay: Overlay) -> None:
    enrol(overlay, "oats", 1, name="Hafer", brand="K")
    assert enrol(overlay, "oats", 1, 2, name="Oats") == 1
    assert enrol(overlay, "milk", 1) == 1, "the same picture of another product"
    assert overlay.learned().products["oats"].texts == {"name": "Oats", "brand": "K"}


def test_too_many_are_refused_and_none_of_them_is_kept(
    overlay: Overlay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFERENCE_LIMIT", 3)
    monkeypatch.setattr(module, "FORGOTTEN_LIMIT", 1)
    enrol(overlay, "oats", 1, 2)
    with pytest.raises(InputError, match="expected at most 3 enrolled pictures, found 4"):
        enrol(overlay, "milk", 3, 4)
    overlay.forget("tea", held=True, utc=1.0)
    with pytest.raises(InputError, match="expected at most 1 forgotten SKUs, found 2"):
        overlay.forget("rice", held=True, utc=1.0)
    assert skus(overlay) == ["oats", "oats"]
    assert len(list((tmp_path / "overlay" / "pictures").iterdir())) == 2


def test_forgetting_removes_pictures_and_leaves_out_what_the_release_has(
    overlay: Overlay, tmp_path: Path
) -> None:
    enrol(overlay, "oats", 1, 2)
    enrol(overlay, "milk", 2)
    assert overlay.forget("oats", held=False, utc=1.0) == 2
    assert overlay.forget("tea", held=True, utc=2.0) == 0
    learned = overlay.learned()
    assert [each.sku for each in learned.references] == ["milk"]
    assert set(learned.products) == {"milk"}
    assert [each.sku for each in learned.forgotten] == ["tea"]
    assert len(list((tmp_path / "overlay" / "pictures").iterdir())) == 1, "milk needs the one that both had"
    assert overlay.remember("tea")
    assert not overlay.remember("tea")
    enrol(overlay, "oats", 1)
    assert overlay.learned().references[-1].id == 4, "a number is never used twice"
    assert overlay.learned().products["oats"].no == 3


def test_what_a_release_has_taken_in_is_noted_and_then_goes(overlay: Overlay) -> None:
    enrol(overlay, "oats", 1, 2)
    overlay.forget("tea", held=True, utc=2.0)
    first, second = overlay.learned().references
    (tea,) = overlay.learned().forgotten
    overlay.settle(Settlement(taken=(first, tea)), "r1")
    assert [each.taken for each in overlay.learned().references] == ["r1", ""]
    overlay.settle(Settlement(back=(first,), gone=(tea, second)), "r2")
    assert [(each.id, each.taken) for each in overlay.learned().references] == [(1, "")]
    assert overlay.learned().forgotten == ()


def test_embeddings_of_another_model_take_the_place_of_the_old(overlay: Overlay) -> None:
    enrol(overlay, "oats", 1)
    overlay.refit([(1, np.float32([1, 0, 0]))], "new eyes")
    assert overlay.learned().references[0].sight == "new eyes"
    assert overlay.read("new eyes", (), 3)[1][1].tolist() == [1, 0, 0]


def test_a_change_is_noticed_by_others_and_once(overlay: Overlay, tmp_path: Path) -> None:
    other = Overlay(tmp_path / "overlay")
    assert other.changed()
    assert not other.changed()
    for change in (
        lambda: enrol(overlay, "oats", 1),
        lambda: overlay.forget("oats", held=False, utc=1.0),
        overlay.clear,
    ):
        change()
        assert other.changed()
        other.learned()
        assert not other.changed()


def test_a_file_that_was_moved_aside_by_another_process_is_left_for_the_new_one(
    overlay: Overlay, tmp_path: Path
) -> None:
    enrol(overlay, "oats", 1)
    reader = Overlay(tmp_path / "overlay")
    assert reader.changed()
    overlay.close()
    damage(tmp_path / "overlay")
    new = Overlay(tmp_path / "overlay")
    enrol(new, "milk", 2)
    assert reader.changed()
    assert skus(reader) == ["milk"]


def damage(folder: Path) -> None:
    for name in ("overlay.db-wal", "overlay.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "overlay.db").write_bytes(b"\xff" * 8192)


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    overlay: Overlay, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    enrol(overlay, "oats", 1)
    overlay.close()
    damage(tmp_path / "overlay")
    again = Overlay(tmp_path / "overlay")
    assert again.moved_aside == tmp_path / "overlay" / "overlay.db.corrupt-1"
    assert "overlay.db.corrupt-1, a new one begins" in caplog.text
    assert skus(again) == []
    assert enrol(again, "oats", 1) == 1


def test_a_file_of_a_newer_spotter_is_left_alone(overlay: Overlay, tmp_path: Path) -> None:
    overlay._db.execute("PRAGMA user_version = 9")
    overlay.close()
    with pytest.raises(ConfigError, match="expected format 1, found 9, which a newer Spotter wrote"):
        Overlay(tmp_path / "overlay")


def test_a_row_and_a_picture_that_are_damaged_are_passed_over(overlay: Overlay, tmp_path: Path) -> None:
    enrol(overlay, "oats", 1, 2)
    overlay._db.execute("UPDATE refs SET row = ? WHERE id = 1", (np.float32([np.nan, 1]).tobytes(),))
    overlay._db.execute("UPDATE products SET texts = '[1'")
    assert list(overlay.read("eyes", (), 2)[1]) == [2]
    assert overlay.learned().products["oats"].texts == {}
    digest = hashlib.sha256(jpeg(1)).hexdigest()
    overlay.pictures.path(digest).write_bytes(jpeg(2))
    with pytest.raises(InputError, match="the picture is damaged"):
        overlay.pictures.get(digest)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "overlay").write_text("a file")
    with pytest.raises(DeviceError, match="overlay"):
        Overlay(tmp_path / "overlay")


CHILD = """
import sys, numpy as np
from pathlib import Path
from agent.adapters.overlay import Overlay
from tests.support.pictures import coded, scene
overlay = Overlay(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(100_000):
    pictures = [(coded(scene(2 * number + each)), np.float32([0.6, 0.8])) for each in range(2)]
    overlay.enrol(f"sku-{number}", {"name": str(number)}, pictures, "eyes", 1.0)
    print(number, flush=True)
    if number % 7 == 6:
        overlay.forget(f"sku-{number - 3}", held=True, utc=1.0)
"""


@pytest.mark.timeout(400)
def test_kill_in_the_middle_of_enrolling_keeps_what_was_acknowledged_and_halves_nothing(
    tmp_path: Path,
) -> None:
    rng = random.Random(3)
    for attempt in range(int(os.environ.get("SPOTTER_KILLS", "60")) // 6):
        folder = tmp_path / str(attempt)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.25))
        child.send_signal(signal.SIGKILL)
        told = [int(line) for line in child.stdout.read().splitlines()]
        child.stdout.close()
        child.wait()
        overlay = Overlay(folder)
        learned = overlay.learned()
        held = {each.sku for each in learned.references}
        forgotten = {each.sku for each in learned.forgotten}
        assert {f"sku-{number}" for number in told} <= held | forgotten
        assert len(learned.references) == 2 * len(held), "both pictures or none"
        for each in learned.references:
            overlay.pictures.get(each.picture)
        assert enrol(overlay, "more", 1) == 1
        overlay.forget("more", held=False, utc=1.0)
        pictures = list((folder / "pictures").iterdir())
        assert len(pictures) == len({each.picture for each in learned.references}), "none is left over"
        overlay.close()
        shutil.rmtree(folder)
