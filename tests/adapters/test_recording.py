"""What is recorded comes back exactly, also after a kill; what is damaged is named with file and line."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.adapters.camera import CameraSettings, open_camera
from agent.adapters.images import decode_image, encode_jpeg
from agent.adapters.recording import INDEX, RecordingWriter, cameras_in, read_recording
from agent.core.errors import DeviceError, InputError
from agent.core.types import Frame
from tests.support.clock import ManualClock
from tests.support.pictures import scene

ROOT = Path(__file__).resolve().parents[2]


def frame(number: int, camera: str = "shelf", **changes: Any) -> Frame:
    facts = {
        "camera": camera,
        "seq": number,
        "at": 100 + number / 3,
        "utc": 1_767_225_600.1 + number / 3,
        "image": scene(number),
    }
    return Frame(**(facts | changes))


def record(path: Path, frames: list[Frame], **options: Any) -> None:
    with RecordingWriter(path, **options) as writer:
        for one in frames:
            assert writer.write(one)


def facts(one: Frame) -> tuple[Any, ...]:
    return (one.camera, one.seq, one.at, one.utc, one.source, one.cut)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / INDEX).read_text().splitlines()]


FRAMES = [
    frame(0, cut=True, source="ä/b\n.jpg"),
    frame(1, at=0.1 + 0.2, utc=1e-300),
    frame(2, at=-5.0),
    frame(7, camera="door-2_x"),
]


def test_comes_back_exactly(tmp_path: Path) -> None:
    record(tmp_path / "r", FRAMES, lossless=True)
    back = list(read_recording(tmp_path / "r"))
    assert [facts(one) for one in back] == [facts(one) for one in FRAMES]
    for one, original in zip(back, FRAMES, strict=True):
        assert (one.image == original.image).all()
        assert one.image.flags.c_contiguous
        assert not one.image.flags.writeable


def test_shows_the_jpeg_that_was_written(tmp_path: Path) -> None:
    record(tmp_path / "r", [frame(3)])
    (one,) = read_recording(tmp_path / "r")
    assert (one.image == decode_image(encode_jpeg(scene(3), 95), "x")).all()
    assert np.abs(one.image.astype(int) - scene(3)).mean() < 6


def test_shows_one_camera_of_several(tmp_path: Path) -> None:
    record(tmp_path / "r", FRAMES)
    assert cameras_in(tmp_path / "r") == ("shelf", "door-2_x")
    assert [one.seq for one in read_recording(tmp_path / "r", "door-2_x")] == [7]
    assert list(read_recording(tmp_path / "r", "other")) == []


def test_is_continued(tmp_path: Path) -> None:
    record(tmp_path / "r", [frame(0), frame(1)])
    record(tmp_path / "r", [frame(0), frame(1)], lossless=True)
    assert [one.seq for one in read_recording(tmp_path / "r")] == [0, 1, 0, 1]
    assert len({line["file"] for line in lines(tmp_path / "r")}) == 4


def test_is_bounded(tmp_path: Path) -> None:
    size = 20_000
    with RecordingWriter(tmp_path / "r", max_bytes=size) as writer:
        written = 0
        while writer.write(frame(written)):
            written += 1
            assert written < 1000
        assert not writer.write(frame(written))
    assert written > 5
    total = sum(file.stat().st_size for file in (tmp_path / "r").iterdir())
    assert size * 0.8 < total <= size
    assert len(list(read_recording(tmp_path / "r"))) == written
    with RecordingWriter(tmp_path / "r", max_bytes=size) as writer:
        assert not writer.write(frame(written)), "what is there already counts"


def test_an_empty_recording_has_no_frames(tmp_path: Path) -> None:
    record(tmp_path / "r", [])
    assert list(read_recording(tmp_path / "r")) == []


def test_a_torn_last_line_is_not_there(tmp_path: Path) -> None:
    record(tmp_path / "r", [frame(0), frame(1), frame(2)])
    index = tmp_path / "r" / INDEX
    whole = index.read_bytes()
    for cut in range(whole.rindex(b'{"camera"'), len(whole)):
        index.write_bytes(whole[:cut])
        assert [one.seq for one in read_recording(tmp_path / "r")] == [0, 1]
    (tmp_path / "r" / "shelf-00000003.jpg.part").write_bytes(b"torn")
    record(tmp_path / "r", [frame(8)])
    assert [one.seq for one in read_recording(tmp_path / "r")] == [0, 1, 8]
    assert not list((tmp_path / "r").glob("*.part"))


def test_is_whole_after_a_kill_at_any_moment(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from agent.adapters.recording import RecordingWriter\n"
        "from tests.adapters.test_recording import frame\n"
        "with RecordingWriter(Path(sys.argv[1])) as writer:\n"
        "    print('ready', flush=True)\n"
        "    for number in range(10**9): writer.write(frame(number))\n"
    )
    chance, counts = random.Random(3), []
    for _ in range(8):
        command = [sys.executable, "-c", program, str(tmp_path / "r")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        counts.append(len(list(read_recording(tmp_path / "r"))))
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_a_full_disk_leaves_no_half_of_a_line(tmp_path: Path) -> None:
    """A limit on the size of a file cuts a write short just as a full disk does."""
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from agent.adapters.recording import RecordingWriter\n"
        "from agent.core.errors import DeviceError\n"
        "from tests.adapters.test_recording import frame\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "writer = RecordingWriter(Path(sys.argv[1]))\n"
        "for number in range(100):\n"
        "    try: writer.write(frame(number))\n"
        "    except DeviceError as error: print(number, error); break\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "r")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    number, _, said = done.stdout.strip().partition(" ")
    assert said == f"{tmp_path / 'r'}: cannot be written: No space left on device", done.stderr
    assert (tmp_path / "r" / INDEX).read_bytes().endswith(b"\n")
    assert len(list(read_recording(tmp_path / "r"))) == int(number) > 3
    record(tmp_path / "r", [frame(50)])
    assert [one.seq for one in read_recording(tmp_path / "r")] == [*range(int(number)), 50]


def test_only_one_writes(tmp_path: Path) -> None:
    with (
        RecordingWriter(tmp_path / "r") as writer,
        pytest.raises(DeviceError, match="r: cannot be written: another process records here"),
    ):
        RecordingWriter(tmp_path / "r")
    writer.close()
    RecordingWriter(tmp_path / "r").close()


def test_refuses_other_directories(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="expected an empty directory or a recording, found other files"):
        RecordingWriter(tmp_path)
    with pytest.raises(DeviceError, match="file: cannot be written: File exists"):
        RecordingWriter(tmp_path / "file")


GOOD = {
    "camera": "shelf", "seq": 1, "at": 1.0, "utc": 2.0, "cut": False, "source": "", "file": "shelf-00000001.jpg",
    "sha256": "0" * 64,
}  # fmt: skip

DAMAGED = {
    "no JSON": (b"{camera", r"frames.jsonl:2: expected a frame, found '.*malformed"),
    "no text": (b"\xff\xfe\0", "frames.jsonl:2: expected a frame, found"),
    "an empty line": (b"", "frames.jsonl:2: expected a frame, found"),
    "a list": (b"[]", "frames.jsonl:2: expected a frame, found 'Expected `object`"),
    "a missing field": ({"utc": None} , r"frames.jsonl:2: .*\$\.utc"),
    "a seq that is text": ({"seq": "1"}, r"frames.jsonl:2: .*\$\.seq"),
    "a camera that is no id": ({"camera": "a/#"}, r"frames.jsonl:2: .*\$\.camera"),
    "a path as file": ({"file": "../../etc/passwd.jpg"}, r"frames.jsonl:2: .*\$\.file"),
    "an absolute path as file": ({"file": "/etc/x.jpg"}, r"frames.jsonl:2: .*\$\.file"),
    "a short sha256": ({"sha256": "00"}, r"frames.jsonl:2: .*\$\.sha256"),
    "infinity as time": (json.dumps(GOOD).replace("1.0", "1e999").encode(), "frames.jsonl:2: "),
    "NaN as time": (json.dumps(GOOD).replace("1.0", "NaN").encode(), "frames.jsonl:2: "),
    "a line of a megabyte": (b"x" * 1_000_000, "frames.jsonl:2: expected at most 65536 bytes, found more"),
    "a picture that is missing": ({"file": "gone.jpg"}, "frames.jsonl:2: file: expected gone.jpg with sha256 0"),
    "a picture of another sha256": ({"file": "shelf-00000000.jpg"}, "frames.jsonl:2: file: expected shelf-0"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "says"), DAMAGED.values(), ids=DAMAGED.keys())
def test_says_what_is_damaged(tmp_path: Path, line: bytes | dict[str, Any], says: str) -> None:
    record(tmp_path, [frame(0)])
    raw = line if isinstance(line, bytes) else json.dumps(GOOD | line).encode()
    with (tmp_path / INDEX).open("ab") as file:
        file.write(raw + b"\n")
    frames = read_recording(tmp_path)
    assert next(frames).seq == 0, "what stands before the damage is shown"
    with pytest.raises(InputError, match=says) as error:
        next(frames)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_a_picture_that_is_none_is_damage(tmp_path: Path) -> None:
    import hashlib

    record(tmp_path, [frame(0)])
    line = lines(tmp_path)[0]
    (tmp_path / line["file"]).write_bytes(b"no picture")
    line["sha256"] = hashlib.sha256(b"no picture").hexdigest()
    (tmp_path / INDEX).write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"frames\.jsonl:1: shelf-00000000\.jpg: expected a JPEG"):
        list(read_recording(tmp_path))


def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"frames\.jsonl: expected a recording, found No such file"):
        list(read_recording(tmp_path / "missing"))


def camera(path: Path, clock: ManualClock | None = None, **changes: Any) -> Any:
    settings = CameraSettings(**({"id": "shelf", "source": f"recording:{path}", "fps": 0.0} | changes))
    return open_camera(settings, clock or ManualClock())


def test_a_camera_shows_a_recording_with_its_times(tmp_path: Path) -> None:
    record(tmp_path, FRAMES, lossless=True)
    source = camera(tmp_path)
    assert source.waits
    shown = list(source.frames())
    assert [(one.at, one.utc, one.cut) for one in shown] == [(one.at, one.utc, one.cut) for one in FRAMES[:3]]
    assert [one.seq for one in shown] == [0, 1, 2]
    assert (shown[1].image == scene(1)).all()


def test_a_camera_shows_the_only_one_recorded_under_its_own_id(tmp_path: Path) -> None:
    record(tmp_path, [frame(4), frame(5)])
    shown = list(camera(tmp_path, id="other").frames())
    assert [(one.camera, one.seq) for one in shown] == [("other", 0), ("other", 1)]


def test_a_camera_that_loops_never_goes_back_in_time(tmp_path: Path) -> None:
    record(tmp_path, [frame(number) for number in range(4)])
    shown = list(islice(camera(tmp_path, loop=True).frames(), 10))
    assert [one.seq for one in shown] == list(range(10))
    assert [one.seq for one in shown if one.cut] == [4, 8]
    times = [one.at for one in shown]
    assert times == sorted(set(times))
    assert [one.at for one in shown[:4]] == [frame(number).at for number in range(4)]
    assert shown[5].at - shown[4].at == pytest.approx(1 / 3)


def test_a_camera_hands_a_recording_out_at_its_rate_and_leaves_nothing_out(tmp_path: Path) -> None:
    record(tmp_path, [frame(number) for number in range(4)])
    clock = ManualClock()
    assert len(list(camera(tmp_path, clock, fps=2).frames())) == 4
    assert clock.waits == pytest.approx([0.5, 0.5, 0.5])


@pytest.mark.parametrize("loop", [False, True])
def test_a_camera_without_its_recording_is_lost(tmp_path: Path, loop: bool) -> None:
    with pytest.raises(DeviceError, match=r"frames\.jsonl: expected a recording, found No such file"):
        next(camera(tmp_path / "missing", loop=loop).frames())
    record(tmp_path / "r", [])
    with pytest.raises(DeviceError, match="expected frames of shelf, or of one camera only, found no frame"):
        next(camera(tmp_path / "r", loop=loop).frames())
    record(tmp_path / "r", [frame(0, camera="a"), frame(0, camera="b")])
    with pytest.raises(DeviceError, match="found a, b"):
        next(camera(tmp_path / "r", loop=loop).frames())
    (tmp_path / "r" / "a-00000000.jpg").unlink()
    with pytest.raises(DeviceError, match=r"frames\.jsonl:1: file: expected a-0"):
        next(camera(tmp_path / "r", id="a", loop=loop).frames())
