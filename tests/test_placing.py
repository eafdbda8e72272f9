"""Where to look is written into the configuration file, and nothing else of it changes."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.web import ConflictError
from agent.config import parse_config
from agent.core.errors import ConfigError, InputError
from agent.core.layout import Layout, Place, Places, Zoned
from agent.drawing import decided, masked, placed, shelved
from agent.placing import ConfigFile

HEAD = """\
# The shelf by the door.
site: shop   # Berlin
device: cam-1
model: {file: /m.tflite}
catalogue:
    path: /c
cameras:
"""

BLOCK = (
    HEAD
    + """\
- id: other
  source: folder:/a
- source: folder:/b  # the new one
  id: cam
  regions:
    # seen from the left
    mode: slots
    slots:
      # top shelf
      - name: a1   # the cheap ones
        box: [0, 0, 100, 100]
        sku: "0012"
      - {name: a2, box: [100, 0, 200, 100]}  # beside
      # bottom shelf
      - name: b1
        quad:
          - [0, 100]
          - [100, 100]
          - [100, 200]
          - [0, 200]  # rounded
    min_px: 30
  fps: 2  # enough
log: {level: info}
"""
)

A1 = Place("a1", "a1", "0012", (0, 0, 100, 100))
A2 = Place("a2", "a2", "", (100, 0, 200, 100))
B1 = Place("b1", "b1", "", None, ((0, 100), (100, 100), (100, 200), (0, 200)))
NEW = Place("c 1", "", "no", (10, 20.5, 30, 40))


def place(text: str, layout: Layout, camera: str = "cam") -> str:
    return placed(text.encode(), "spotter.yaml", camera, layout)[0].decode()


def changes(old: str, new: str) -> tuple[list[str], list[str]]:
    """Lines that went, and lines that came."""
    before, after = old.splitlines(), new.splitlines()
    return [x for x in before if x not in after], [x for x in after if x not in before]


def test_what_is_written_as_it_was_read_changes_nothing() -> None:
    assert place(BLOCK, Layout("slots", (A1, A2, B1))) == BLOCK


@pytest.mark.parametrize(
    ("places", "gone", "came"),
    [
        pytest.param(
            (Place("a1", "a1", "0012", (0, 0, 90, 100)), A2, B1),
            ["        box: [0, 0, 100, 100]"],
            ["        box: [0, 0, 90, 100]"],
            id="one is moved",
        ),
        pytest.param(
            (Place("top", "a1", "0013", (0, 0, 100, 100)), A2, B1),
            ["      - name: a1   # the cheap ones", '        sku: "0012"'],
            ["      - name: top   # the cheap ones", '        sku: "0013"'],
            id="one gets another name and another product",
        ),
        pytest.param(
            (A1, Place("a2", "a2", "x", (100, 0, 200, 100)), B1),
            ["      - {name: a2, box: [100, 0, 200, 100]}  # beside"],
            ["      - {name: a2, box: [100, 0, 200, 100], sku: x}  # beside"],
            id="one gets a product",
        ),
        pytest.param(
            (A1, A2, Place("b1", "b1", "", (0, 100, 100, 200))),
            ["        quad:", "          - [0, 100]", "          - [100, 100]", "          - [100, 200]",
             "          - [0, 200]  # rounded"],
            ["        box: [0, 100, 100, 200]  # rounded"],
            id="four corners become a rectangle",
        ),
        pytest.param(
            (A1, A2, B1, NEW),
            [],
            ['      - {name: "c 1", box: [10, 20.5, 30, 40], sku: "no"}'],
            id="one is added, and no text becomes something else",
        ),
        pytest.param(
            (A1, B1),
            ["      - {name: a2, box: [100, 0, 200, 100]}  # beside"],
            [],
            id="one is taken away",
        ),
        pytest.param(
            (NEW,),
            ["      - name: a1   # the cheap ones", "        box: [0, 0, 100, 100]", '        sku: "0012"',
             "      - {name: a2, box: [100, 0, 200, 100]}  # beside", "      - name: b1", "        quad:",
             "          - [0, 100]", "          - [100, 100]", "          - [100, 200]",
             "          - [0, 200]  # rounded"],
            ['      - {name: "c 1", box: [10, 20.5, 30, 40], sku: "no"}'],
            id="all are taken away, and one is added",
        ),
    ],
)  # fmt: skip
def test_only_the_lines_that_are_meant_change(
    places: tuple[Place, ...], gone: list[str], came: list[str]
) -> None:
    new = place(BLOCK, Layout("slots", places))
    assert changes(BLOCK, new) == (gone, came)
    (camera,) = [each for each in parse_config(new.encode(), "x").cameras if each.id == "cam"]
    assert {slot.name for slot in camera.regions.slots} == {each.name for each in places}


ZONE = (0.1, 0.25, 0.9, 1)


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        pytest.param(HEAD + "- id: cam\n  source: folder:/b\n", Layout("slots", (NEW,)), id="no regions"),
        pytest.param(HEAD + "- id: cam\n  source: folder:/b", Layout("slots", (NEW,)), id="no last line end"),
        pytest.param(
            HEAD + "  - id: cam\n    source: folder:/b\n    regions: {}\n",
            Layout("slots", (NEW,)),
            id="empty",
        ),
        pytest.param(
            HEAD + "- {id: cam, source: folder:/b, regions: {mode: whole, slots: []}}\n",
            Layout("slots", (NEW, Place("d", "", "", None, B1.quad))),
            id="all in one line",
        ),
        pytest.param(
            HEAD + "- id: cam\n  source: folder:/b\n  regions: {mode: motion, unit: share}\n",
            Layout("motion", (), ZONE),
            id="a zone is drawn",
        ),
        pytest.param(
            HEAD
            + "- id: cam\n  source: folder:/b\n  regions:\n    mode: motion\n    zone:\n    - 0\n    - 0\n"
            "    - 5\n    - 6\n",
            Layout("motion", (), (1, 2, 3, 4)),
            id="a zone is moved",
        ),
        pytest.param(
            HEAD + "- id: cam\n  source: folder:/b\n  regions:\n    mode: motion\n    zone: [0, 0, 5, 6]\n",
            Layout("slots", (NEW,)),
            id="slots in place of a zone",
        ),
        pytest.param(BLOCK, Layout("whole"), id="nothing is left"),
        pytest.param(BLOCK.replace("\n", "\r\n"), Layout("slots", (A1, NEW)), id="line ends of Windows"),
        pytest.param("\ufeff" + BLOCK, Layout("slots", (B1, NEW)), id="a mark before the text"),
    ],
)
def test_whatever_the_file_looks_like(text: str, layout: Layout) -> None:
    new = place(text, layout)
    (camera,) = [each for each in parse_config(new.encode(), "x").cameras if each.id == "cam"]
    assert camera.regions.mode == layout.mode
    assert camera.regions.zone == layout.zone
    assert [(slot.name, slot.sku, slot.box, slot.quad) for slot in camera.regions.slots] == [
        (each.name, each.sku, each.box, each.quad) for each in layout.places
    ]
    assert new.startswith(text[:40])
    assert ("\r\n" in text) == ("\r\n" in new)
    assert new.count("\r") in {0, new.count("\n")}


@pytest.mark.parametrize(
    "keep", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=lambda keep: f"of three {keep}"
)
@pytest.mark.parametrize("indent", [None, 2], ids=["one line", "many lines"])
def test_json_stays_json(keep: tuple[int, ...], indent: int | None) -> None:
    slots = [{"name": f"s{n}", "box": [n * 10, 0, n * 10 + 9, 9]} for n in range(3)]
    camera = {"id": "cam", "source": "folder:/b", "regions": {"mode": "slots", "slots": slots}}
    data = {
        "site": "s",
        "device": "d",
        "model": {"file": "/m.tflite"},
        "catalogue": {"path": "/c"},
        "cameras": [camera],
    }
    places = [Place(f"s{n}", f"s{n}", "", (n * 10, 0, n * 10 + 9, 9)) for n in keep]
    new = json.loads(place(json.dumps(data, indent=indent), Layout("slots", (*places, NEW))))
    wanted = [slots[n] for n in keep] + [{"name": "c 1", "box": [10, 20.5, 30, 40], "sku": "no"}]
    assert new["cameras"][0]["regions"]["slots"] == wanted


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        pytest.param(
            Layout("slots", (A1, Place("a1", "", "", (1, 2, 3, 4)))),
            "spotter.yaml:17: cameras[1].regions.slots: expected each name once, found 'a1' 2 times",
            id="a name twice",
        ),
        pytest.param(
            Layout("slots", (Place("a/1", "a1", "", (0, 0, 1, 1)),)), "without '+', '#', '/'", id="a bad name"
        ),
        pytest.param(Layout("slots", (Place("x", "", "", (5, 5, 5, 9)),)), "expected x1 < x2", id="flat"),
        pytest.param(Layout("slots"), "expected at least one slot, found 0", id="no slot"),
        pytest.param(Layout("slots", (A1,), (0, 0, 1, 1)), "zone: expected pixels", id="a zone with slots"),
        pytest.param(
            Layout("whole", (A1,)), "slots: expected none with mode whole", id="slots without the mode"
        ),
    ],
)
def test_what_a_start_would_refuse_is_refused_in_its_words(layout: Layout, sentence: str) -> None:
    with pytest.raises(ConfigError, match=r"spotter\.yaml") as refused:
        place(BLOCK, layout)
    assert sentence in str(refused.value)


def test_what_comes_from_the_environment_is_left_alone() -> None:
    text = BLOCK.replace('sku: "0012"', "sku: ${NO_SUCH_SKU:-0012}")
    assert "sku: ${NO_SUCH_SKU:-0012}" in place(text, Layout("slots", (A1, NEW)))
    with pytest.raises(ConfigError):  # a name that would be replaced is no name
        place(text, Layout("slots", (Place("${HOME}", "", "", (0, 0, 9, 9)),)))


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(InputError, match="expected one of other, cam, found 'x'"):
        place(BLOCK, Layout("whole"), "x")


def test_the_old_file_is_kept_and_a_later_hand_is_not_overwritten(tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(BLOCK)
    real.chmod(0o640)
    link = tmp_path / "spotter.yaml"
    link.symlink_to(real)
    file = ConfigFile(str(link))
    first = file.read()
    second = file.place("cam", Layout("slots", (A1,)), first.tag)
    assert (tmp_path / "real.yaml.bak").read_text() == BLOCK
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert second.tag == file.read().tag != first.tag
    with pytest.raises(ConflictError, match="changed since"):
        file.place("cam", Layout("slots", (A2,)), first.tag)
    assert file.read().tag == second.tag
    before = sorted(each.name for each in tmp_path.iterdir())
    with pytest.raises(ConfigError):
        file.place("cam", Layout("slots"), second.tag)
    assert sorted(each.name for each in tmp_path.iterdir()) == before
    assert (tmp_path / "real.yaml.bak").read_text() == BLOCK


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({}, "places: expected"),
        ([{"name": 1}], r"places\[0\]\.name: expected"),
        ([{"box": [1, 2, 3, 4]}], r"places\[0\]\.name: expected"),
        ([{"name": "a", "colour": 1}], "an unknown field"),
        ([{"name": "a", "box": [1, 2, 3]}], "expected 4 numbers, found 3"),
        ([{"name": "a", "quad": [[1, 2]]}], "expected four corners, found 1"),
        ([{"name": "a", "box": [1, 2, 3, 1e300]}], "expected a finite number"),
        ([{"name": "a"}], "expected either a box or a quad, found neither"),
        ([{"name": "a"}] * 3, "expected at most 2 places"),
    ],
)
def test_a_place_that_is_none(value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Places(doc="", limit=2).read("places", value)


def test_places_are_read() -> None:
    given = [
        {"name": "a", "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]},
        {"name": "b", "box": [0, 0, 1, 0.12345678]},
    ]
    first, second = Places(doc="", limit=2).read("places", given)
    assert first.quad == ((0, 0), (1, 0), (1, 1), (0, 1))
    assert second.box == (0, 0, 1, 0.123457)
    assert Zoned(doc="").read("zone", None) is None


SHELF = (
    HEAD
    + """\
- id: cam
  source: folder:/b
  privacy:
    masks: [[0, 0, 0.5, 0.1]]   # the till
  shelf:
    plan:
      bay: the door's
      fixtures:
        - {name: front, points_cm: [[0, 0], [100, 0], [100, 50], [0, 50]], points: [[500, 0], [700, 0], [700, 100], [500, 100]]}
      slots:
        # top
        - {name: a1, sku: "0012", box: [0, 0, 100, 100]}   # sells best
        - name: m1   # measured
          sku: m
          fixture: front
          cm: [0, 0, 50, 50]
          facings: 2
log: {level: info}
"""
)
SLOT = Place("a1", "a1", "0012", (0, 0, 100, 100))
CM = Place("m1", "m1", "m", None, ((500, 0), (600, 0), (600, 100), (500, 100)), 2)


def shelve(text: str, *places: Place) -> tuple[list[str], list[str]]:
    return changes(text, shelved(text.encode(), "spotter.yaml", "cam", places)[0].decode())


def test_a_planogram_that_is_written_as_it_was_read_changes_nothing() -> None:
    assert shelve(SHELF, SLOT, CM) == ([], [])


def test_of_a_planogram_only_the_lines_that_are_meant_change() -> None:
    more = replace(SLOT, facings=2, minimum=2)
    assert shelve(SHELF, more, CM)[1] == [
        '        - {name: a1, sku: "0012", box: [0, 0, 100, 100], facings: 2, minimum: 2}   # sells best'
    ]
    assert shelve(SHELF, SLOT, replace(CM, sku="n", minimum=2))[1] == [
        "          sku: n",
        "          minimum: 2",
    ]
    new = Place("b1", "", "new", None, ((0, 200), (90, 200), (100, 300), (0, 300)), 3)
    gone, came = shelve(SHELF, SLOT, new)
    assert "          cm: [0, 0, 50, 50]" in gone
    assert came == [
        "        - {name: b1, quad: [[0, 200], [90, 200], [100, 300], [0, 300]], sku: new, facings: 3}"
    ]


def test_a_camera_without_a_shelf_gets_one() -> None:
    text = (
        HEAD
        + "- {id: other, source: 'folder:/a'}\n- id: cam\n  source: folder:/b  # new\nlog: {level: info}\n"
    )
    assert shelve(text, replace(SLOT, was="")) == (
        [],
        ["  shelf:", "    plan:", "      slots:", '        - {name: a1, box: [0, 0, 100, 100], sku: "0012"}'],
    )


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        ([], "slots: expected at least one, found none"),
        ([replace(SLOT, sku=""), CM], "sku: expected 1 to"),
        ([replace(SLOT, box=(500, 0, 600, 100)), CM], "overlap|common"),
        (
            [SLOT, replace(CM, quad=((500, 0), (600, 0), (600, 90), (500, 90)))],
            "'m1'.*front.*change its cm by hand",
        ),
        ([SLOT, replace(CM, quad=None, box=(500, 0, 600, 100))], "change its cm by hand"),
        ([SLOT, replace(CM, facings=1, minimum=2)], "minimum"),
    ],
)
def test_a_planogram_that_a_start_would_refuse_is_refused(places: list[Place], sentence: str) -> None:
    with pytest.raises((ConfigError, InputError), match=sentence):
        shelve(SHELF, *places)


def test_a_planogram_in_a_file_of_its_own_is_written_there(tmp_path: Path) -> None:
    plan = tmp_path / "bay.yaml"
    plan.write_text("bay: door\nslots:\n  - name: a1  # best\n    sku: x\n    box: [0, 0, 100, 100]\n")
    config = tmp_path / "spotter.yaml"
    config.write_text(HEAD + "- id: cam\n  source: folder:/b\n  shelf: {planogram: bay.yaml}\n")
    file = ConfigFile(str(config))
    read = file.read()
    place_ = Place("a2", "a1", "x", (0, 0, 100, 100), None, 2)
    written = file.shelve("cam", [place_], read.tag)
    assert config.read_text().endswith("shelf: {planogram: bay.yaml}\n")
    assert plan.read_text() == (
        "bay: door\nslots:\n  - name: a2  # best\n    sku: x\n    box: [0, 0, 100, 100]\n    facings: 2\n"
    )
    assert (tmp_path / "bay.yaml.bak").read_text().startswith("bay: door\nslots:\n  - name: a1  # best\n")
    assert written.settings == file.read().settings
    assert written.tag != read.tag
    with pytest.raises(ConflictError):  # somebody else changed the planogram
        file.shelve("cam", [place_], read.tag)


def test_a_planogram_of_the_catalogue_is_not_drawn_on_the_device(tmp_path: Path) -> None:
    config = tmp_path / "spotter.yaml"
    config.write_text(HEAD + '- id: cam\n  source: folder:/b\n  shelf: {planogram: "release:bay-4"}\n')
    file = ConfigFile(str(config))
    with pytest.raises(InputError, match="found 'release:bay-4', which comes with the catalogue"):
        file.shelve("cam", [Place("a2", "a1", "x", (0, 0, 100, 100), None, 2)], file.read().tag)


def test_masks_are_written_and_taken_away() -> None:
    old, shares = SHELF.encode(), (0.25, 0.0, 0.75, 0.333333)
    text, settings = masked(old, "spotter.yaml", "cam", [shares])
    assert settings.cameras[0].privacy.masks == (shares,)
    assert changes(SHELF, text.decode())[1] == ["    masks: [[0.25, 0, 0.75, 0.333333]]   # the till"]
    none, _ = masked(text, "spotter.yaml", "cam", [])
    assert "    masks: []   # the till" in none.decode()
    assert masked(old, "spotter.yaml", "cam", [(0, 0, 0.5, 0.1)])[0] == old
    new, _ = masked(BLOCK.encode(), "spotter.yaml", "cam", [shares])
    assert changes(BLOCK, new.decode()) == ([], ["  privacy:", "    masks: [[0.25, 0, 0.75, 0.333333]]"])
    with pytest.raises(ConfigError, match="masks: expected "):
        masked(old, "spotter.yaml", "cam", [(0.5, 0, 0.2, 1)])


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ("", "  false_accept: 0.00125"),
        ("decision: {false_accept: 0.05}  # bold\n", "decision: {false_accept: 0.00125}  # bold"),
        ("decision:\n  # bold\n  false_accept: 0.05\n", "  false_accept: 0.00125"),
    ],
)
def test_a_rate_is_written(tail: str, line: str) -> None:
    text, settings = decided((BLOCK + tail).encode(), "spotter.yaml", 0.00125)
    assert settings.decision.false_accept == 0.00125
    assert line in text.decode().splitlines()
    assert text.decode().startswith(BLOCK)
