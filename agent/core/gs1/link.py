"""GS1 Digital Link: a web address that says what an element string says.

GS1 Digital Link Standard, URI Syntax, section 4: a key with its qualifiers in the path, `/01/…/10/…/21/…`,
attributes behind the question mark, `?17=…`. The host is whoever's page it is, and anything may stand
before the key. Other parameters of the query are not of GS1.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from agent.core.errors import quoted
from agent.core.gs1.elements import TEXT_LIMIT, Elements, parse_element_string
from agent.core.gs1.keys import GTIN_LENGTHS

CANONICAL: Final = "https://id.gs1.org"
"""The host of the one form of a Digital Link (section 4.11)."""

_KEYS: Final = {"00": (), "01": ("22", "10", "21", "235"), "414": ("254",), "402": (), "417": ()}
"""Key → qualifiers, in the order in which they stand (section 4.9)."""


def parse_digital_link(text: str) -> Elements:
    """What a Digital Link says; a GTIN of 8, 12 or 13 digits is filled up to 14.

    Raises:
        ValueError: it is none, or something in it does not fit: names the AI.
    """
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"expected at most {TEXT_LIMIT} characters, found {len(text)}")
    try:
        address = urlsplit(text)
    except ValueError:
        address = urlsplit("")
    if address.scheme.lower() not in ("http", "https") or not address.netloc:
        raise ValueError(f"expected a GS1 Digital Link, https://…/01/…, found {quoted(text)}")
    steps = [unquote(step) for step in address.path.split("/")]
    # The key is the last one that can be: a page may lie at /shop/01/… of its own.
    at = next((n for n in range(len(steps) - 2, -1, -1) if _is_key(steps, n)), None)
    if at is None:
        raise ValueError(
            f"expected the AI of a key, one of {', '.join(_KEYS)}, in {quoted(text)}, found none"
        )
    pairs = list(zip(steps[at::2], steps[at + 1 :: 2], strict=False))
    rest = [name for name, _ in pairs[1:]]
    places = [_KEYS[steps[at]].index(name) for name in rest]
    if places != sorted(set(places)):
        raise ValueError(
            f"expected qualifiers in the order {', '.join(_KEYS[steps[at]])}, found {', '.join(rest)}"
        )
    query = [(name, value) for name, value in parse_qsl(address.query) if name.isascii() and name.isdigit()]
    said = "".join(f"({name}){_filled(name, value)}" for name, value in [*pairs, *query])
    return parse_element_string(said)


def digital_link(*pairs: tuple[str, str]) -> str:
    """The canonical address: `digital_link(("01", "04006381333931"), ("21", "A/1"))`."""
    return CANONICAL + "".join(f"/{name}/{quote(value, safe='-._~')}" for name, value in pairs)


def _is_key(steps: list[str], at: int) -> bool:
    """Whether a key stands there, and nothing but its qualifiers behind it."""
    name = steps[at]
    behind = steps[at + 2 :]
    while behind and not behind[-1]:
        behind = behind[:-1]
    if name not in _KEYS or not steps[at + 1] or len(behind) % 2:
        return False
    return all(qualifier in _KEYS[name] for qualifier in behind[::2])


def _filled(name: str, value: str) -> str:
    return value.zfill(14) if name in ("01", "02") and len(value) in GTIN_LENGTHS else value
