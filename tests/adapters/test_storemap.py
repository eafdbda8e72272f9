"""The plan of a shop: what a customer drew paints and does nothing else, and each place can be found in it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from agent.adapters.storemap import MAX_BYTES, harmless, read_map
from agent.core.errors import ConfigError
from agent.core.storemap import place

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" viewBox="0 0 100 50">'
)
YAML = """
size: [24, 16]
here: [12, 15]
aisles:
  - {aisle: "1", box: [2, 2, 4, 12], bays: [A, B, C, D]}
  - {aisle: Frozen & more, box: [6, 2, 20, 4], bays: [1, 2]}
areas:
  - {label: "Tills <3>", box: [6, 13, 20, 14]}
"""

PLACES = {
    ("4", "B"): "4-b",
    ("Aisle 4", "bay B"): "4-b",
    ("04", ""): "04",
    ("", ""): "",
    ("Obst & Gemüse", "2"): "obst-gemüse-2",
    ("４", "b"): "4-b",  # full width, as a Japanese keyboard writes it
}


@pytest.mark.parametrize(("parts", "expected"), PLACES.items())
def test_a_place_is_one_text_however_it_is_written(parts: tuple[str, str], expected: str) -> None:
    assert place(*parts) == expected


def svg(inner: str, head: str = HEAD) -> str:
    return harmless(f"{head}{inner}</svg>".encode(), "plan.svg")


def test_aisles_of_a_yaml_are_drawn_with_their_bays(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(YAML)
    text = read_map(str(file))
    places = {each.get("data-place"): each for each in ET.fromstring(text).iter()}
    assert {"1", "1-a", "1-d", "frozen-more", "frozen-more-2", "here"} <= set(places)
    bay = places["1-b"]
    assert [bay.get(key) for key in ("x", "y", "width", "height")] == ["2", "4.5", "2", "2.5"]
    assert "Tills &lt;3&gt;" in text


def test_the_plan_that_the_readme_shows_is_one(tmp_path: Path) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    (shown,) = re.findall(r"^```text\n(size:.*?)^```", readme, re.MULTILINE | re.DOTALL)
    file = tmp_path / "plan.yaml"
    file.write_text(shown)
    assert 'data-place="2-d"' in read_map(str(file))


def test_places_of_a_drawing_are_found_by_label_or_id() -> None:
    text = svg(
        '<rect id="aisle-4" width="1" height="1"/><path id="4_B" d="M0 0h1"/>'
        '<g id="g12" inkscape:label="Aisle 5"/><circle id="here" r="1"/>'
    )
    assert re.findall(r'data-place="([^"]*)"', text) == ["4", "4-b", "5", "here"]
    assert 'id="4_B"' not in text, "its ids are none of the page's"


def test_what_a_style_sheet_paints_is_kept_as_attributes() -> None:
    text = svg(
        "<style>.a, .b {fill: #123456; stroke-width:2} /* .a{fill:red} */ rect {fill:red}</style>"
        '<defs><linearGradient id="g"><stop offset="0" style="stop-color:#fff"/></linearGradient></defs>'
        '<rect class="a" width="2" height="2"/><rect style="fill:url(#g);position:fixed" width="1" height="1"/>'
        '<use xlink:href="#g"/>'
    )
    assert 'fill="#123456"' in text
    assert 'stroke-width="2"' in text
    assert 'stop-color="#fff"' in text
    gradient = re.search(r'<linearGradient [^>]*id="(plan-\d+)"', text)
    assert gradient is not None
    assert f"url(#{gradient[1]})" in text
    assert f'href="#{gradient[1]}"' in text
    assert "position" not in text
    assert "style" not in text


HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "a handler": '<rect onclick="alert(1)" onload="alert(1)" width="1" height="1"/>',
    "a script link": '<a xlink:href="javascript:alert(1)"><rect width="1" height="1"/></a>',
    "a picture from elsewhere": '<image href="https://evil.example/x.png"/>',
    "a use from elsewhere": '<use href="https://evil.example/x.svg#a"/>',
    "HTML inside": '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src="https://evil.example"/></body></foreignObject>',
    "an import": '<style>@import url("https://evil.example/x.css"); .a{fill:url(https://evil.example)}</style><rect class="a"/>',
    "a fill from elsewhere": '<rect fill="url(https://evil.example/#a)" style="fill:url(//evil.example)"/>',
    "an animation of a link": '<set attributeName="href" to="javascript:alert(1)"/><animate values="javascript:alert(1)"/>',
    "another namespace": '<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
    "a filter": '<filter><feImage href="https://evil.example/a"/></filter>',
}


@pytest.mark.parametrize("inner", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_does_more_than_paint_is_left_out(inner: str) -> None:
    text = svg(inner)
    for word in ("script", "alert", "evil", "onclick", "onload", "http:", "https:", "import", "foreign"):
        assert word not in text.replace('xmlns="http://www.w3.org/2000/svg"', ""), text


REFUSED = {
    "entities": (f'<!DOCTYPE svg [<!ENTITY a "aaaa">]>{HEAD}&a;</svg>'.encode(), "entities"),
    "no XML": (b"<svg", "expected an SVG drawing"),
    "no SVG": (b"<html/>", "found 'html'"),
    "other bytes": (HEAD.encode("utf-16"), "UTF-8"),
    "no size": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "viewBox"),
    "too many shapes": (f"{HEAD}{'<g/>' * 20_001}</svg>".encode(), "at most 20000 shapes"),
}


@pytest.mark.parametrize(("raw", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_plan_is_refused_in_one_sentence(raw: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        harmless(raw, "plan.svg")


def test_deep_nesting_is_cut() -> None:
    text = svg("<g>" * 500 + '<rect id="9"/>' + "</g>" * 500)
    assert 'data-place="9"' not in text


FILES = {
    "no such file": ("plan.svg", None, "expected a readable plan"),
    "another kind": ("plan.png", b"", "ends in .svg or .yaml"),
    "too large": ("plan.svg", b" " * (MAX_BYTES + 1), "at most 1000000 bytes"),
    "a box inside out": ("plan.yaml", YAML.replace("[2, 2, 4, 12]", "[4, 2, 2, 12]").encode(), "x1 < x2"),
    "a box outside": ("plan.yaml", YAML.replace("[2, 2, 4, 12]", "[2, 2, 4, 99]").encode(), "within 24 × 16"),
    "an aisle twice": ("plan.yaml", YAML.replace("Frozen & more", "Aisle 1").encode(), "each once"),
    "an unknown key": ("plan.yaml", YAML.replace("bays", "shelves").encode(), "shelves"),
}


@pytest.mark.parametrize(("name", "raw", "says"), FILES.values(), ids=FILES.keys())
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, name: str, raw: bytes | None, says: str) -> None:
    file = tmp_path / name
    if raw is not None:
        file.write_bytes(raw)
    with pytest.raises(ConfigError, match=says) as refused:
        read_map(str(file))
    assert name in str(refused.value)
