"""Settings are filled from plain data, and every complaint names line, key, expected and found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jsonschema
import pytest

from agent.core.errors import ConfigError
from agent.core.settings import Secret, check_range, setting
from agent.settings_fill import fill, json_schema
from agent.yamlfile import parse_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    fps: float = setting("frames per second", 2.0)
    mode: Literal["whole", "grid"] = setting("how", "whole")
    box: tuple[int, ...] | None = setting("where", None)

    def __post_init__(self) -> None:
        check_range("fps", self.fps, 0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    site: str = setting("name")
    password: Secret | None = setting("secret", None)
    inner: Inner = setting("one", Inner())
    many: tuple[Inner, ...] = setting("several", ())
    maybe: Inner | None = setting("perhaps", None)


def read(text: str, **environment: str) -> Outer:
    return fill(parse_yaml(text.encode(), "f.yaml"), Outer, environment)


REFUSED = {
    "a required key that is missing": ("inner: {}\n", "f.yaml:1: expected the key 'site'"),
    "an unknown key near a valid one": ("site: a\nsit: b\n", "f.yaml:2: sit: unknown key 'sit'; did you mean 'site'?"),
    "an unknown key near nothing": ("site: a\nzzz: b\n", "unknown key 'zzz'; expected one of inner, many, maybe, password"),
    "an unknown nested key": ("site: a\nmany:\n  - {fsp: 2}\n", "f.yaml:3: many[0].fsp: unknown key 'fsp'; did you mean 'fps'?"),
    "a wrong type": ("site: a\nmany:\n  - fps: fast\n", "f.yaml:3: many[0].fps: expected a number, found text"),
    "a truth value where text is wanted": ("site: no\n", "f.yaml:1: site: expected text, found true or false"),
    "a list where a mapping is wanted": ("site: a\ninner: [1]\n", "f.yaml:2: inner: expected a mapping, found a list"),
    "a number out of range": ("site: a\ninner:\n  fps: 1000\n", "f.yaml:3: inner.fps: expected a number from 0 to 100, found 1000"),
    "a word that is not offered": ("site: a\ninner:\n  mode: gird\n", "f.yaml:3: inner.mode: found 'gird'"),
    "a variable that is not set": ("site: ${NOWHERE}\n", "f.yaml:1: site: expected the environment variable NOWHERE"),
    "a secret and its file": ("site: a\npassword: x\npassword_file: /y\n", "expected either password or password_file, found both"),
    "a secret file that is not there": ("site: a\npassword_file: /nowhere\n", "password_file: expected a readable file, found /nowhere"),
    "nothing where a mapping is wanted": ("site: a\ninner:\n", "f.yaml:2: inner: expected a mapping, found nothing"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert says in str(caught.value), caught.value
    assert "\n" not in str(caught.value)


def test_half_a_character_from_the_environment_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"f\.yaml:1: site: expected text in the environment variable STORE, found half"
    ):
        read("site: ${STORE}\n", STORE="caf\udce9")


def test_a_nul_in_a_secret_file_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "pw"
    secret.write_bytes(b"a\0b")
    with pytest.raises(
        ConfigError, match=r"f\.yaml:2: password_file: expected text in .*, found a NUL character"
    ):
        read(f"site: a\npassword_file: {secret}\n")


@pytest.mark.parametrize(
    "number", [10**400, -(10**400), 1 << 40_000, float("nan"), float("inf")], ids="abcde"
)
def test_a_number_of_any_size_is_refused_in_words(number: float) -> None:
    with pytest.raises(ValueError, match=r"^fps: expected a number from 0 to 100, found .{1,20}$"):
        check_range("fps", number, 0, 100)


def test_filled(tmp_path: Path) -> None:
    secret = tmp_path / "pw"
    secret.write_text("s3cret\n")
    outer = read(
        f"site: ${{STORE}}-${{N:-7}}\npassword_file: {secret}\nmany:\n  - {{fps: 1, box: [1, 2]}}\nmaybe: {{}}\n",
        STORE="berlin",
    )
    assert outer.site == "berlin-7"
    assert outer.password == "s3cret"
    assert "s3cret" not in repr(outer), "a secret does not show itself"
    assert outer.many == (Inner(fps=1.0, box=(1, 2)),)
    assert outer.maybe == Inner()


def test_the_schema_accepts_what_is_accepted_and_explains_each_key() -> None:
    schema = json_schema(Outer)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"site": "a", "password_file": "/x", "many": [{"fps": 1}]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"site": "a", "sit": "b"}, schema)
    assert schema["$defs"]["Inner"]["properties"]["fps"]["description"] == "frames per second"
