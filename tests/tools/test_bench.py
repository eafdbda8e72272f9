"""The measurements that people run do run, and print one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ROOT
from tests.support.tiny_detectors import write_tiny_detector
from tests.support.tiny_models import write_tiny_model
from tests.support.tiny_pictures import drawn_picture


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.bench", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_without_a_name_it_lists_what_there_is() -> None:
    done = bench()
    assert done.returncode == 2
    assert "startup      How long a device takes" in done.stderr


def test_startup(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    done = bench("startup", "--model", str(model), "--references", "50", "--starts", "1")
    figures = json.loads(done.stdout)
    assert figures["ready_s"]["median"] <= figures["first_recognition_s"]["median"]
    assert {"imports_ms", "model_ms", "model_and_catalogue_ms", "sync_ms"} <= figures["parts"].keys()


def test_overlay() -> None:
    done = bench("overlay", "--references", "500", "--dimension", "16", "--learned", "20", "--seconds", "0.1")
    figures = json.loads(done.stdout)
    assert figures["added"]["times"] > 0
    assert figures["forgotten"]["visible_ms"].keys() == {"p50", "p99", "max"}
    assert figures["search"].keys() >= {"quiet_median_us", "busy_p50_ratio", "busy_p99_ratio"}


def test_regions(tmp_path: Path) -> None:
    model, detector = write_tiny_model(tmp_path), write_tiny_detector(tmp_path)
    writer = cv2.VideoWriter(str(tmp_path / "belt.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for step in range(12):
        frame = np.full((120, 160, 3), 60, np.uint8)
        frame[40:90, 8 * step : 8 * step + 40] = 220
        writer.write(frame)
    writer.release()
    done = bench(
        "regions",
        str(tmp_path / "belt.avi"),
        "--model",
        str(model),
        "--detector",
        str(detector),
        "--fps",
        "10",
    )
    figures = json.loads(done.stdout)
    for mode in ("motion", "detector", "detector_2x2"):
        assert figures[mode]["frames"] == 12
        assert figures[mode]["proposing_over_one_embed"] > 0


def test_shelves(tmp_path: Path) -> None:
    boxes = {}
    for folder in ("references", "scenes"):
        (tmp_path / folder).mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "references" / f"{number}.png"), drawn_picture(number))
        cv2.imwrite(str(tmp_path / "scenes" / f"s{number}.png"), drawn_picture(number))
        boxes[f"s{number}.png"] = [{"reference": f"{number}.png", "box": [0, 0, 200, 160]}]
    (tmp_path / "annotations.json").write_text(json.dumps(boxes))
    done = bench("shelves", str(tmp_path), "--model", str(write_tiny_model(tmp_path)), "--widths", "0", "60")
    table = json.loads(done.stdout)["right_low_high_percent"]
    assert list(table) == ["as it is", "60"]
    assert table["as it is"]["plain"][0] == 100.0
    assert {"sizes", "sizes jittered", "sizes, best of crops"} <= table["60"].keys()
    assert table["as it is"]["answered"][0] == table["as it is"]["answered, closer looks"][0] == 100.0


def test_switch(tmp_path: Path) -> None:
    model, other = write_tiny_model(tmp_path), write_tiny_model(tmp_path, cells=8, name="other")
    done = bench(
        "switch", "--model", str(model), "--other", str(other), "--references", "50", "--switches", "2"
    )
    figures = json.loads(done.stdout)
    for which in ("same_model", "another_model"):
        assert figures[which].keys() >= {"dropped_switching", "pause_over_interval", "trial_ms", "open_ms"}


def test_slots(tmp_path: Path) -> None:
    figures = json.loads(bench("slots", "--model", str(write_tiny_model(tmp_path)), "--shops", "1").stdout)
    assert figures["slots"] > 0
    assert 0 <= figures["right_percent"] <= figures["line_percent"] <= 100


@pytest.mark.slow
def test_strangers(tmp_path: Path) -> None:
    figures = json.loads(bench("strangers", "--model", str(write_tiny_model(tmp_path))).stdout)
    for who, held in (("own", 30), ("strangers", 64)):
        said = figures[who]
        assert said["held"] == held == said["known"] + said["ambiguous"] + said["unknown"]
    assert 0.5 < figures["told_apart"] <= 1


def test_outage() -> None:
    done = bench("outage", "--hours", "0.05", "--max-bytes", "200000")
    figures = json.loads(done.stdout)
    assert figures["arrived_and_lost_are_all"]
    assert figures["in_order"]
    assert figures["away"]["dropped"] == figures["told_as_lost"] > 0


def test_publish() -> None:
    figures = json.loads(bench("publish", "--facts", "200", "--hang", "0.2").stdout)
    assert figures["steady"]["of_that"].keys() == {"make", "store", "publish", "rest"}
    assert figures["put_us"].keys() == {"all_well", "broker_hangs", "disk_hangs"}


def test_wear() -> None:
    figures = json.loads(bench("wear", "--facts", "250").stdout)
    assert figures["facts_per_s"]["1"]["bytes_per_fact"] > figures["facts_per_s"]["200"]["bytes_per_fact"]


def test_second_look(tmp_path: Path) -> None:
    model = str(ROOT / "models" / "small.tflite")
    done = bench("second_look", "--model", model, "--products", "8", "--held", "1")
    figures = json.loads(done.stdout)["flavours"]
    assert figures["products"] == figures["queries"] == 8
    assert figures["cpu_ms"].keys() == {"p50", "p95"}
    assert figures["closer_looks"] <= 8


@pytest.mark.slow
def test_fleet_loses_nothing_in_a_storm() -> None:
    done = bench(
        "fleet", "--devices", "6", "--processes", "2", "--rate", "5", "--seconds", "1", "--away", "0.5", "--consumers", "2"
    )  # fmt: skip
    figures = json.loads(done.stdout)
    assert figures["devices"] == figures["storm"]["devices_back"] == 6
    for part in (figures["steady"], figures["storm"]):
        assert part["facts"] >= 20
        assert part["lost"] == part["given_up_by_outboxes"] == 0
        assert part["in_order"]
        assert 0 < part["put_to_heard_ms"]["p50"] <= part["put_to_heard_ms"]["max"]
    assert figures["steady"]["broker"]["memory_mb"] > 1


def test_fleet_leaves_a_broker_as_it_was(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        done = bench(
            "fleet", "--devices", "2", "--processes", "1", "--seconds", "0.5", "--broker", broker.url
        )
        figures = json.loads(done.stdout)
        assert figures["steady"]["lost"] == 0
        assert "storm" not in figures, "it is somebody's"
        with Subscriber(broker.port, "#") as late:
            late.send("end", b"")
            assert [heard.topic for heard in late.wait_count(1)] == ["end"]


def test_webhook() -> None:
    figures = json.loads(bench("webhook", "--facts", "100").stdout)
    assert figures["two_over_one"]["bytes_per_fact"] > 1
    assert figures["put_us_while_it_hangs"]["all_while_it_hung"] == 1.0
    assert figures["posted"].keys() == {"plain", "cloudevents"}
