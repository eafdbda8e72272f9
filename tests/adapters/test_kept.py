"""What applications leave behind: there again after a restart, and passed over where it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.kept import EVERY_S, Kept


def test_what_was_left_is_there_after_a_restart(tmp_path: Path) -> None:
    Kept(tmp_path / "apps").tend(0.0, {"bay/4": {"a": 1}, "door": {"b": [2.5]}})
    again = Kept(tmp_path / "apps")
    assert (again.read("bay/4"), again.read("door"), again.read("other")) == ({"a": 1}, {"b": [2.5]}, None)


def test_a_file_is_written_when_its_content_is_another_and_not_too_often(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    first: dict[str, dict[str, int]] = {"cam": {"a": 1}}
    kept.tend(0.0, first)
    (file,) = tmp_path.glob("*.json")
    file.unlink()
    kept.tend(100.0, first)
    assert not file.exists(), "nothing changed"
    kept.tend(101.0, {"cam": {"a": 2}})
    kept.tend(102.0, {"cam": {"a": 3}})
    assert kept.read("cam") == {"a": 2}, "too soon"
    kept.tend(102.5, {"cam": {"a": 4}}, last=True)
    assert kept.read("cam") == {"a": 4}
    kept.tend(101.0 + 2 * EVERY_S, {"cam": {"a": 5}})
    assert kept.read("cam") == {"a": 5}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"camera": "other", "kept": {}}', b"\xff\xfe", b'{"camera": "cam"}']
)
def test_a_damaged_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    kept = Kept(tmp_path)
    kept.tend(0.0, {"cam": {"a": 1}})
    (file,) = tmp_path.glob("*.json")
    file.write_bytes(content)
    assert kept.read("cam") is None


def test_a_disk_that_refuses_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    kept = Kept(tmp_path / "file" / "apps")
    kept.tend(0.0, {"cam": {"a": 1}})
    kept.tend(10.0, {"cam": {"a": 1}})
    assert [record.levelname for record in caplog.records if record.name.endswith("kept")] == ["ERROR"]
    (tmp_path / "file").unlink()
    kept.tend(20.0, {"cam": {"a": 1}})
    assert kept.read("cam") == {"a": 1}
