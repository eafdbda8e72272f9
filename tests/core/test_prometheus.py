"""The exposition is read by Prometheus' own parser, says what was counted, and leaves nothing out."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from agent.core.durations import BUCKETS_S, Durations
from agent.core.prometheus import FAMILIES, Observed, exposition
from agent.core.wire import IndexStatus
from agent.metrics import Metrics

AGENT = Path(__file__).resolve().parents[2] / "agent"

EMPTY = Observed(
    site="berlin-12",
    device="shelf-3",
    versions={"spotter": "1.2.3"},
    uptime_s=12.5,
    online=False,
    underway=0,
    cameras={},
    causes={},
    index=None,
    figures={},
    durations={},
)


def parsed(observed: Observed) -> dict[str, Metric]:
    text = exposition(observed)
    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family is told once, in one piece"
    for family in families:
        assert family.documentation, family.name
        labels = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(labels) == len(set(labels)), "no sample twice"
    return {family.name: family for family in families}


def samples(metric: Metric) -> list[tuple[dict[str, str], float]]:
    return [(sample.labels, sample.value) for sample in metric.samples]


def test_a_device_that_has_done_nothing_yet_is_told_with_zeros() -> None:
    found = parsed(EMPTY)
    assert samples(found["spotter_facts_decided"]) == [({}, 0)]
    assert samples(found["spotter_healthy"]) == [({}, 1)]
    assert samples(found["spotter_broker_connected"]) == [({}, 0)]
    assert samples(found["spotter_build_info"]) == [({"spotter": "1.2.3"}, 1)]
    assert found["spotter_frames_taken"].samples == []


def test_what_was_counted_is_told_with_units_types_and_cameras() -> None:
    metrics = Metrics()
    metrics.count("frames.recognised.bay-4", 3)
    metrics.count("worker.failed.capture bay-4")
    for seconds in (0.0005, 0.001, 0.02, 9.0):
        metrics.time("step", seconds)
    figures = metrics.snapshot() | {"memory.resident_mb": 123.4, "outbox.waiting": 2, "outbox.bytes": 900}
    found = parsed(
        replace(
            EMPTY,
            cameras={"bay-4": "online", "dock": "stalled"},
            causes={"broker": "it refuses us"},
            index=IndexStatus(release="r7", model="base 12ab", number=7, products=50, last_sync_utc=1.8e9),
            figures=figures,
            durations=metrics.durations(),
        )
    )
    recognised = found["spotter_frames_recognised"]
    assert recognised.type == "counter"
    assert samples(recognised) == [({"camera": "bay-4"}, 3), ({"camera": "dock"}, 0)]
    assert samples(found["spotter_worker_failures"]) == [({"worker": "capture bay-4"}, 1)]
    assert samples(found["process_resident_memory_bytes"]) == [({}, 123_400_000)]
    assert samples(found["spotter_outbox_messages"]) == [({}, 2)]
    assert found["spotter_outbox_bytes"].type == "gauge"
    assert samples(found["spotter_problem"]) == [({"part": "broker"}, 1)]
    assert samples(found["spotter_healthy"]) == [({}, 0)]
    states = {
        (labels["camera"], labels["state"]): value for labels, value in samples(found["spotter_camera_state"])
    }
    assert [key for key, value in states.items() if value] == [("bay-4", "online"), ("dock", "stalled")]
    assert samples(found["spotter_sync_last_success_timestamp_seconds"]) == [({}, 1.8e9)]
    assert samples(found["spotter_catalogue_info"])[0][0]["release"] == "r7"
    step = found["spotter_step_duration_seconds"]
    assert step.type == "histogram"
    by_le = {s.labels["le"]: s.value for s in step.samples if s.name.endswith("_bucket")}
    assert (by_le["0.001"], by_le["0.025"], by_le["5.0"], by_le["+Inf"]) == (2, 3, 3, 4)
    assert {s.name[-6:]: s.value for s in step.samples if not s.name.endswith("_bucket")} == {
        "ds_sum": pytest.approx(9.0215),
        "_count": 4,
    }
    assert not [name for name in found if "p50" in name or "p95" in name], "percentiles cannot be added up"


def test_names_that_nobody_described_are_told_all_the_same_and_stay_apart() -> None:
    metrics = Metrics()
    for name in ("doors.open", "doors_open", "doors-open.ü"):
        metrics.count(name)
        metrics.time(name, 0.1)
    found = parsed(replace(EMPTY, figures=metrics.snapshot(), durations=metrics.durations()))
    told = samples(found["spotter_other_doors_open"])
    assert told == [({"name": "doors.open"}, 1), ({"name": "doors_open"}, 1)]
    assert {s.labels["name"] for s in found["spotter_timed_seconds"].samples} == {
        "doors.open",
        "doors_open",
        "doors-open.ü",
    }


@given(text=st.text(st.characters(exclude_categories=())), value=st.floats())
def test_any_text_and_any_number_come_out_as_they_went_in(text: str, value: float) -> None:
    observed = replace(
        EMPTY, versions={"spotter": text}, causes={text: "x"}, figures={"outbox.waiting": value}
    )
    found = parsed(observed)
    shown = text.encode("utf-8", "replace").decode()
    assert samples(found["spotter_build_info"]) == [({"spotter": shown}, 1)]
    assert samples(found["spotter_problem"]) == [({"part": shown}, 1)]
    (told,) = samples(found["spotter_outbox_messages"])
    assert told[1] == pytest.approx(value, rel=0, abs=0, nan_ok=True)


def test_names_follow_the_rules_of_prometheus() -> None:
    names = [family.name for family in FAMILIES.values()]
    assert len(names) == len(set(names))
    for family in FAMILIES.values():
        assert re.fullmatch(r"(spotter|process)_[a-z_]+", family.name)
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert family.kind != "histogram" or family.name.endswith("_seconds")
        assert "\n" not in family.text
        assert "\\" not in family.text
        assert family.text.endswith(".")


def counted() -> dict[str, str]:
    """Dotted names that the code counts and times → where; `{…}` at the end of one is left out."""
    found = {}
    for path in AGENT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            owner = ast.unparse(node.func.value)
            if node.func.attr in {"count", "time"} and owner.endswith("metrics"):
                name = ast.unparse(node.args[0]).removeprefix("f").strip("'\"")
                found[re.sub(r"\.\{[^{}]+\}$", "", name)] = f"{path.relative_to(AGENT)}:{node.lineno}"
    return found


def test_everything_that_the_code_counts_is_described() -> None:
    found = counted()
    assert "frames.recognised" in found
    assert "step" in found
    missing = {name: where for name, where in found.items() if name not in FAMILIES}
    assert not missing, "give them an entry in FAMILIES of agent/core/prometheus.py"


def test_durations_know_their_buckets() -> None:
    with pytest.raises(ValueError, match="expected 13 counts"):
        Durations((1, 2), 0.5)
    assert list(BUCKETS_S) == sorted(BUCKETS_S)
