"""EPCIS events as files: whole, each once, and a disk that refuses costs nobody anything."""

from __future__ import annotations

import json
from pathlib import Path

from agent.core.inbound.epcis import taken_back
from agent.core.types import Event
from agent.filing import WAITING_LIMIT, Filing
from tests.core.test_epcis import CARTON, ONE, UTC


def events(*bodies: dict[str, object], camera: str = "cam") -> list[Event]:
    return [Event("epcis", camera, 0.0, UTC, {"identity": "i", "epcis": body}) for body in bodies]


def test_events_become_documents_and_one_that_is_taken_back_another(tmp_path: Path) -> None:
    filing = Filing(lambda camera: str(tmp_path / "out") if camera == "cam" else "")
    filing.note(
        [
            *events(*ONE, *CARTON, taken_back(ONE[0], UTC)),
            Event("event", "cam", 0.0, UTC, {"event": "parcel"}),
        ]
    )
    filing.note(events(*ONE, camera="another"))
    assert not (tmp_path / "out").exists(), "whoever notes waits for no disk"
    filing.tend()
    files = sorted((tmp_path / "out" / "2026-01-01").iterdir())
    assert len(files) == 4
    said = [json.loads(path.read_text()) for path in files]
    assert all(each["type"] == "EPCISDocument" and len(each["epcisBody"]["eventList"]) == 1 for each in said)
    (back,) = [path for path in files if path.name.endswith("-taken-back.json")]
    assert back.with_name(back.name.replace("-taken-back", "")).exists()
    filing.note(events(*ONE))
    filing.tend()
    assert len(list((tmp_path / "out" / "2026-01-01").iterdir())) == 4


def test_a_disk_that_refuses_is_tried_again_and_the_wait_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    filing = Filing(lambda _camera: str(tmp_path / "out"))
    filing.note(events(*ONE) * (WAITING_LIMIT + 5))
    filing.note(events(*CARTON))
    filing.tend()
    filing.tend()
    (tmp_path / "out").unlink()
    filing._waiting.rotate(3)  # as if few waited: the rest are the same
    while len(filing._waiting) > 5:
        filing._waiting.pop()
    filing.tend()
    assert len(list((tmp_path / "out" / "2026-01-01").iterdir())) == 3
