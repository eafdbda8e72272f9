"""The plan of a shop from its file: a customer's SVG made harmless, or one drawn from a YAML of the aisles.

Of a drawing only shapes, texts and how they are painted are kept, by a list of what is allowed: no script, no
link, nothing that is fetched, no style sheet. What its style sheet and `style` attributes say is written to
the attributes that SVG has for it, because a page under a strict content-security-policy ignores the others.
An aisle or bay is found by the label (Inkscape) or else the id of its shape: `4`, `aisle-4`, `4-B`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from agent.core.errors import ConfigError
from agent.core.storemap import StoreMapSettings, drawn, place
from agent.settings_fill import fill
from agent.yamlfile import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

MAX_BYTES: Final = 1_000_000
"""A plan of a hypermarket drawn by hand has 200 kB; a kiosk has to draw it."""

MAX_SHAPES: Final = 20_000

_SVG: Final = "{http://www.w3.org/2000/svg}"
_LABEL: Final = "{http://www.inkscape.org/namespaces/inkscape}label"
_HREFS: Final = ("href", "{http://www.w3.org/1999/xlink}href")
_AS_GROUP: Final = frozenset({"a", "switch"})
_SHAPES: Final = frozenset(
    {
        "svg",
        "g",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "path",
        "text",
        "tspan",
        "title",
        "desc",
        "defs",
        "symbol",
        "use",
        "clipPath",
        "linearGradient",
        "radialGradient",
        "stop",
    }
)
_ATTRIBUTES: Final = frozenset(
    {
        "x",
        "y",
        "x1",
        "y1",
        "x2",
        "y2",
        "dx",
        "dy",
        "cx",
        "cy",
        "r",
        "rx",
        "ry",
        "fx",
        "fy",
        "width",
        "height",
        "points",
        "d",
        "transform",
        "viewBox",
        "offset",
        "pathLength",
        "gradientUnits",
        "gradientTransform",
        "clipPathUnits",
        "preserveAspectRatio",
        "spreadMethod",
        "textLength",
    }
)
_PAINT: Final = frozenset(
    {
        "fill",
        "fill-opacity",
        "fill-rule",
        "stroke",
        "stroke-width",
        "stroke-opacity",
        "stroke-linecap",
        "stroke-linejoin",
        "stroke-dasharray",
        "stroke-miterlimit",
        "opacity",
        "font-size",
        "font-family",
        "font-weight",
        "font-style",
        "text-anchor",
        "dominant-baseline",
        "letter-spacing",
        "stop-color",
        "stop-opacity",
        "clip-path",
        "clip-rule",
        "display",
        "visibility",
        "color",
    }
)
_LOCAL_URL: Final = re.compile(r"url\(\s*['\"]?#([^'\")\s]+)['\"]?\s*\)")
_BAD_VALUE: Final = re.compile(r"[<>{}\\]|url\(|script:|expression|@", re.IGNORECASE)
_RULE: Final = re.compile(r"([^{}]+)\{([^{}]*)\}")
_CLASS: Final = re.compile(r"\.([\w-]+)")
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)


def read_map(path: str) -> str:
    """The plan as SVG that may stand in a page.

    Raises:
        ConfigError: it cannot be read, is too large, or is no plan.
    """
    kind = Path(path).suffix.lower()
    if kind not in {".svg", ".yaml", ".yml"}:
        raise ConfigError(f"{path}: expected a plan that ends in .svg or .yaml")
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable plan of the shop, found: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: expected a plan of at most {MAX_BYTES} bytes, found more")
    if kind == ".svg":
        return harmless(raw, path)
    return drawn(fill(parse_yaml(raw, path), StoreMapSettings, os.environ))


def harmless(raw: bytes, name: str) -> str:
    """A drawing without whatever does more than paint. `name` stands in the errors. Raises as `read_map`."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: expected an SVG in UTF-8, found other bytes") from None
    if "<!ENTITY" in text.upper():
        raise ConfigError(f"{name}: expected an SVG without entities of its own, found <!ENTITY")
    try:
        root = ET.fromstring(text)  # noqa: S314  entities, by which XML is blown up, are refused above
    except (ET.ParseError, ValueError) as error:
        raise ConfigError(f"{name}: expected an SVG drawing, found: {error}") from None
    if root.tag != f"{_SVG}svg":
        raise ConfigError(f"{name}: expected an SVG drawing, found {root.tag[:60]!r}")
    made = _Cleaning(_rules(root)).root(root, name)
    return ET.tostring(made, encoding="unicode")


@dataclass(slots=True)
class _Cleaning:
    """One drawing on its way."""

    rules: dict[str, dict[str, str]]  # class → what the style sheet says of it
    shapes: int = 0
    ids: dict[str, str] = field(default_factory=dict)  # id in the drawing → in the page

    def root(self, old: Element, name: str) -> Element:
        made = self._cleaned(old, 0)
        if self.shapes > MAX_SHAPES or made is None:
            raise ConfigError(f"{name}: expected a plan of at most {MAX_SHAPES} shapes, found more")
        box = made.attrib.get("viewBox") or f"0 0 {_number(old, 'width')} {_number(old, 'height')}"
        numbers = re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", box)
        if len(numbers) != 4 or float(numbers[2]) <= 0 or float(numbers[3]) <= 0:
            raise ConfigError(
                f"{name}: expected an SVG with a viewBox, or with width and height, found {box!r}"
            )
        made.attrib.update({"xmlns": _SVG[1:-1], "viewBox": " ".join(numbers), "class": "plan plan-own"})
        for size in ("width", "height", "x", "y"):
            made.attrib.pop(size, None)
        return made

    def _cleaned(self, old: Element, depth: int) -> Element | None:
        """The element and what is in it; None for what is not kept."""
        tag = old.tag.removeprefix(_SVG) if isinstance(old.tag, str) else ""
        tag = "g" if tag in _AS_GROUP else tag
        if tag not in _SHAPES or depth > 100:
            return None
        self.shapes += 1
        if self.shapes > MAX_SHAPES:
            return None
        made = ET.Element(tag, dict(self._attributes(old)))
        if tag in {"text", "tspan", "title", "desc"}:
            made.text = old.text
        for child in old:
            kept = self._cleaned(child, depth + 1)
            if kept is not None:
                kept.tail = child.tail if tag in {"text", "tspan"} else None
                made.append(kept)
        return made

    def _attributes(self, old: Element) -> Iterator[tuple[str, str]]:
        where = place(old.get(_LABEL) or old.get("id") or "")
        if where:
            yield "data-place", where
        if identity := old.get("id"):
            yield "id", self._id(identity)
        for key in _HREFS:
            if (target := old.get(key, "")).startswith("#"):
                yield "href", f"#{self._id(target[1:])}"
        painted = {key: value for key, value in old.attrib.items() if key in _PAINT}
        for name in (old.get("class") or "").split():
            painted |= self.rules.get(name, {})
        painted |= _declared(old.get("style") or "")
        plain = {key: value for key, value in old.attrib.items() if key in _ATTRIBUTES}
        for key, value in (plain | painted).items():
            safe = _LOCAL_URL.sub(lambda found: f"url(#{self._id(found[1])})", value)
            if not _BAD_VALUE.search(_LOCAL_URL.sub("", safe)):
                yield key, safe

    def _id(self, identity: str) -> str:
        """Ids of a drawing are none of the page's."""
        return self.ids.setdefault(identity, f"plan-{len(self.ids)}")


def _rules(root: Element) -> dict[str, dict[str, str]]:
    """What the style sheets of a drawing say of classes; other selectors are left out."""
    rules: dict[str, dict[str, str]] = {}
    for sheet in root.iter(f"{_SVG}style"):
        for selectors, body in _RULE.findall(_COMMENT.sub("", sheet.text or "")):
            for selector in selectors.split(","):
                if match := _CLASS.fullmatch(selector.strip()):
                    rules[match[1]] = rules.get(match[1], {}) | _declared(body)
    return rules


def _declared(text: str) -> dict[str, str]:
    """`"fill:#fff; stroke-width:2"` → what of it paints."""
    pairs = (each.partition(":") for each in text.split(";"))
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip() in _PAINT and value.strip()}


def _number(element: Element, key: str) -> str:
    match = re.match(r"\d+(?:\.\d+)?", element.get(key, ""))
    return match[0] if match else "0"
