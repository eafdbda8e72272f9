"""Sparkplug payloads as bytes: the specification's, read back, and read by another implementation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.sparkplug import load_codec
from agent.core.edge import Edge
from agent.core.errors import ConfigError
from agent.core.watched import Watched
from agent.core.wire.sparkplug import BD_SEQ, REBIRTH, Metric, Payload, Type

CODEC = load_codec()
UTC = 1_767_225_600.5
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
OTHER = "pysparkplug==0.6.1"
"""The other implementation. It pins an old paho, which its payloads do not need."""


def test_the_bytes_are_those_of_the_specification() -> None:
    """Worked by hand after the encoding of protocol buffers: (field number << 3 | wire type), then the value."""
    made = CODEC.encode(
        Payload(
            1.0,
            (
                Metric("a", Type.INT64, 7, 2.0),
                Metric("b", Type.STRING, None, None, alias=300),
                Metric("", None, False, None, alias=1),
                Metric("", None, 0.5, None, alias=2),
                Metric("", None, "ä", None, alias=3),
            ),
            seq=255,
        )
    )
    metrics = [
        b"\x0a\x01a\x18\xd0\x0f\x20\x04\x58\x07",
        b"\x0a\x01b\x10\xac\x02\x20\x0c\x38\x01",
        b"\x10\x01\x70\x00",
        b"\x10\x02\x69\x00\x00\x00\x00\x00\x00\xe0\x3f",
        b"\x10\x03\x7a\x02\xc3\xa4",
    ]
    inner = b"".join(b"\x12" + bytes([len(m)]) + m for m in metrics)
    assert made == b"\x08\xe8\x07" + inner + b"\x18\xff\x01"


_TIMES = st.none() | st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
_VALUES = st.one_of(
    st.tuples(st.just(Type.UINT64), st.integers(0, 2**64 - 1)),
    st.tuples(st.just(Type.DOUBLE), st.floats(allow_nan=False)),
    st.tuples(st.just(Type.BOOLEAN), st.booleans()),
    st.tuples(st.just(Type.STRING), st.text(st.characters(exclude_categories=["Cs"]))),
    st.tuples(st.sampled_from(Type), st.none()),
)
_METRICS = st.builds(
    lambda name, kind, utc, alias: Metric(name, *kind, utc, alias),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    _VALUES,
    _TIMES,
    st.none() | st.integers(0, 2**64 - 1),
)


@given(_TIMES, st.lists(_METRICS, max_size=5), st.none() | st.integers(0, 255))
def test_what_is_written_is_read_back(utc: float | None, metrics: list[Metric], seq: int | None) -> None:
    payload = Payload(utc, tuple(metrics), seq)
    assert CODEC.decode(CODEC.encode(payload)) == payload


@given(st.binary(max_size=200))
def test_other_bytes_are_a_payload_or_an_error_in_our_words(data: bytes) -> None:
    with suppress(ValueError):  # protobuf's own error is none
        CODEC.decode(data)


def test_a_number_in_the_smaller_field_is_read_too() -> None:
    """Hosts write small numbers there; a type that we do not know is no error."""
    read = CODEC.decode(b"\x12\x07\x0a\x01a\x20\x03\x50\x09")
    assert read.metrics == (Metric("a", None, 9, None),)


def test_without_protobuf_who_configured_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(
        ConfigError, match=r"^sparkplug: expected protobuf, found .*spotter-agent\[sparkplug\]"
    ):
        load_codec()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The other implementation, beside this environment; skipped where no package index can be reached."""
    folder = tmp_path_factory.mktemp("other")
    done = subprocess.run(
        [*PIP, "--retries", "0", "--timeout", "5", "install", "--no-deps", "--target", str(folder), OTHER],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        pytest.skip(f"{OTHER} cannot be installed here: {done.stderr.strip()[-200:]}")
    return folder


READ = """
import json, sys
import pysparkplug as spb
births, read = {}, []
for line in sys.stdin:
    kind, camera, data = json.loads(line)
    raw = bytes.fromhex(data)
    if kind == "NDEATH":
        metric = spb.NDeath.decode(raw).bd_seq_metric
        read.append([kind, camera, None, {metric.name: metric.value}])
        continue
    if kind == "DDEATH":
        read.append([kind, camera, spb.DDeath.decode(raw).seq, {}])
        continue
    form = {"NBIRTH": spb.NBirth, "DBIRTH": spb.DBirth, "NDATA": spb.NData, "DDATA": spb.DData}[kind]
    payload = form.decode(raw, birth=births.get(camera))
    if "BIRTH" in kind:
        births[camera] = payload
    read.append([kind, camera, payload.seq, {metric.name: metric.value for metric in payload.metrics}])
print(json.dumps(read, default=lambda moment: moment.timestamp() * 1000))
"""


@pytest.mark.slow
def test_another_implementation_reads_the_same(other: Path) -> None:
    edge = Edge({"left": Watched(("a1",)), "right": Watched()}, UTC)
    edge.hear("camera_status", "left", {"state": "online", "reason": ""}, UTC)
    edge.hear("index", "", {"release": "r-1", "number": 2**40, "last_sync": "2026-01-01T00:00:00.250Z"}, UTC)
    told = edge.birth(200, UTC)
    edge.hear("health", "", {"state": "degraded", "causes": [{"part": "ä", "reason": "why"}]}, UTC)
    seen: dict[str, Any] = {"sku": "A", "gtin": None, "name": "Öl", "verdict": "known", "probability": 0.25}
    edge.hear("recognition", "left", seen | {"phase": "new", "track": "t", "region": "a1"}, UTC)
    told += edge.due(UTC)
    edge.hear("camera_status", "left", {"state": "offline", "reason": "gone"}, UTC)
    told += [*edge.due(UTC), ("NDEATH", "", edge.death(200))]
    lines = "".join(
        json.dumps([kind, camera, CODEC.encode(payload).hex()]) + "\n" for kind, camera, payload in told
    )
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=lines,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(other)},
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert [(kind, camera, seq) for kind, camera, seq, _ in read] == [
        (kind, camera, payload.seq) for kind, camera, payload in told
    ]
    node, left, changed, seen_there, _, _, death = (values for *_, values in read)
    assert (node[BD_SEQ], node[REBIRTH], death) == (200, False, {BD_SEQ: 200})
    assert node["Catalogue/Release"] == "r-1"
    assert node["Catalogue/Number"] == 2**40
    assert node["Catalogue/Last Sync"] == 1_767_225_600_250
    assert node["Health/State"] is None
    assert changed == {"Health/State": "degraded", "Health/Causes": "ä: why"}
    assert set(left.values()) == {None}
    assert (seen_there["Last/SKU"], seen_there["Last/Probability"]) == ("A", 0.25)
    assert seen_there["Slots/a1/SKU"] == "A"
    assert "Last/GTIN" not in seen_there
