"""A short story of a drawn dock as a recording: what a replay says of it is what it said before, and is true.

`dock/` has a text file: a line for each fact and each change of the shipment, in order. Numbers that another
processor or another version of a library moves by a little are left out, and parcels are numbered as they
come. A change of behaviour is written down, to be read as a diff, with

    SPOTTER_GOLDEN=write python -m pytest tests/replay
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml

from agent.adapters.images import encode_png
from agent.adapters.recording import RecordingWriter
from agent.cli.main import main
from agent.core.types import Frame
from tools.synth.dock import Carton, Shipment, Story, draw_dock, gtin_of, studio

GOLDEN = Path(__file__).parent / "dock" / "one-shipment.txt"
WRITE = os.environ.get("SPOTTER_GOLDEN", "") == "write"
MODEL = Path("models/base.tflite").resolve()
BEGAN_UTC = 1_767_225_600.0
FPS = 4.0
SHOWN = (2, 5, 8, 11, 17)  # products of the catalogue
LENGTH, APART = 440, 620


def carton(number: int, product: int, **more: Any) -> Carton:
    made = Carton(number, 0, product, product, "", 1, torn=False, along=-260.0 - APART * number, across=360.0,
                  length=LENGTH, width=330, turn_deg=2.0 * (-1) ** number)  # fmt: skip
    return replace(made, **more)


UNIT = "340063810000000056"
CARTONS = (
    carton(0, 2),
    carton(1, 5, torn=True),  # its picture names it
    carton(2, 8, label=2),  # a label on the wrong carton
    carton(3, 11, sscc=UNIT, count=6),
    carton(4, 17),  # nobody announced it
)
STORY = Story(
    CARTONS,
    (Shipment("S-01", (), {}, 0.0, 0.0),),
    # On, a stop, after which what came is told, back over the line and on again, until the last one is gone.
    moments=(0.0, 4.0, 7.0, 8.4, 9.5, 24.0),
    places=(0.0, 1200.0, 1200.0, 780.0, 780.0, 5250.0),
    hidden=(2.6,),
)
TRUTH = {gtin_of(2): (1, 1), gtin_of(5): (1, 0), gtin_of(8): (0, 0), gtin_of(11): (6, 0)}
"""GTIN → pieces that are received, and pieces whose label is on the wrong carton."""


def announced(folder: Path) -> Path:
    rows = [f"{gtin_of(2)},2,", f"{gtin_of(5)},1,", f"{gtin_of(8)},1,", f"{gtin_of(11)},6,{UNIT}"]
    file = folder / "S-01.csv"
    file.write_text("\n".join(["gtin,quantity,sscc", *rows]))
    return file


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = tmp_path_factory.mktemp("shop")
    rows = ["sku,gtin,name"]
    for product in SHOWN:
        images = shop / "images" / f"p{product:02}"
        images.mkdir(parents=True)
        rows.append(f"p{product:02},{gtin_of(product)},Product {product}")
        for number in range(8):
            (images / f"{number}.png").write_bytes(encode_png(studio(product, number)))
    (shop / "products.csv").write_text("\n".join(rows))
    out = tmp_path_factory.mktemp("catalogue") / "out"
    assert main(["catalog", "build", str(shop), "--model", str(MODEL), "-o", str(out), "--jobs", "1"]) == 0
    return out


def filmed(folder: Path) -> Path:
    with RecordingWriter(folder) as recording:
        for seq in range(round(STORY.moments[-1] * FPS)):
            at = seq / FPS
            assert recording.write(Frame("dock", seq, at, BEGAN_UTC + at, draw_dock(STORY, at)))
    return folder


def configured(catalogue: Path, folder: Path) -> Path:
    config = folder / "spotter.yaml"
    settings = {
        "site": "berlin",
        "device": "dev-1",
        "state_dir": str(folder / "state"),
        "model": {"file": str(MODEL)},
        "catalogue": {"path": str(catalogue)},
        "cameras": [
            {
                "id": "dock", "source": "folder:/nowhere",
                "regions": {
                    "mode": "motion", "min_px": 60, "motion": {"detail_px": 240, "join_px": 1, "absorb_s": 600},
                },
                "inbound": {"complete_s": 0, "settle_s": 2, "epcis": {}},
            }
        ],
    }  # fmt: skip
    config.write_text(yaml.safe_dump(settings))
    return config


def told(messages: list[dict[str, Any]]) -> str:
    """What of a replay's output is written down."""
    numbers: dict[str, int] = {}
    lines, before = [], ""
    for message in messages:
        below = message["topic"].partition("dock/")[2]
        body = message["payload"]
        if below == "event":
            said = [body["event"], body["shipment"]]
            if "parcel" in body:
                said += [f"parcel {numbers.setdefault(body['parcel'], len(numbers) + 1)}", body["how"]]
                said += [f"{piece['count']} x {piece['gtin']}" for piece in body["pieces"]]
                said += [body["sscc"] and f"unit {body['sscc']}"]
                said += [body["picture"] and f"looks like {body['picture']['sku']}"]
        elif below == "epcis":
            event = body["epcis"]
            counts = [
                f"{each['quantity']:g}"
                for each in event.get("quantityList", event.get("childQuantityList", ()))
            ]
            said = [
                event["type"],
                event.get("disposition"),
                *counts,
                "errorDeclaration" in event and "taken back",
            ]
            said += event.get("persistentDisposition", {}).get("set", [])
        elif below.startswith("inbound/"):
            said = [body["state"]] + [f"{line['gtin']}: {line['received']} of {line['expected']}, {line['wrong']} wrong"
                                      for line in sorted(body["lines"], key=lambda line: line["line"])]  # fmt: skip
        else:
            continue
        line = f"{below.partition('/')[0]}: {', '.join(str(each) for each in said if each)}\n"
        if line != before:
            lines.append(line)
        before = line
    return "".join(lines)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_recorded_dock_is_told_as_it_was_and_truly(
    catalogue: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cv2.setNumThreads(1)
    recording = filmed(tmp_path / "recording")
    command = ["replay", "-c", str(configured(catalogue, tmp_path)), "--order", str(announced(tmp_path))]
    outputs = []
    for _ in range(2):
        capfd.readouterr()
        assert main([*command, str(recording)]) == 0
        outputs.append(capfd.readouterr().out)
    assert outputs[0] == outputs[1], "the same recording gives the same bytes"
    messages = [json.loads(line) for line in outputs[0].splitlines()]
    if WRITE:
        GOLDEN.write_text(told(messages), encoding="utf-8")
    assert told(messages) == GOLDEN.read_text(encoding="utf-8")
    result = [each["payload"] for each in messages if each["topic"].endswith("/inbound/S-01")][-1]
    assert {line["gtin"]: (line["received"], line["wrong"]) for line in result["lines"]} == TRUTH
    assert [(each["gtin"], each["received"]) for each in result["unexpected"]] == [(gtin_of(17), 1)]
    assert (result["parcels"], result["conflicts"], result["unnamed"]) == (5, 1, 0)
