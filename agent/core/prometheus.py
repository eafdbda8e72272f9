"""What a device says of itself to Prometheus: text format 0.0.4.

Names follow Prometheus' rules: base units (`_seconds`, `_bytes`), `_total` on what only counts up, and labels
for what there are several of. What the code counts is found in `FAMILIES` by its dotted name; a name that is
not there is told as `spotter_other_…`, so that nothing counted is ever hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal

from agent.core.durations import BUCKETS_S
from agent.core.wire import CAMERA_STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.core.durations import Durations
    from agent.core.wire import IndexStatus

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A running device at one moment."""

    site: str
    device: str
    versions: Mapping[str, str]  # part → version, as on `/info`
    uptime_s: float
    online: bool  # the broker has us
    underway: int  # facts sent and not yet acknowledged
    cameras: Mapping[str, str]  # camera → one of CAMERA_STATES
    causes: Mapping[str, str]  # part → what is wrong with it, as on `/health`
    index: IndexStatus | None  # the catalogue in use; None where nothing is known of it yet
    figures: Mapping[str, float]  # dotted name → number, as on `/metrics`
    durations: Mapping[str, Durations]  # dotted name → how long it took


@dataclass(frozen=True, slots=True)
class Family:
    """How one dotted name is told. With a `label`, what stands behind the name is its value."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    label: str = ""
    scale: float = 1.0  # without a label: what a number is multiplied by to be in the unit of `name`


FAMILIES: Final[dict[str, Family]] = {
    "frames.taken": Family(
        "spotter_frames_taken_total", "counter", "Frames that a camera delivered.", "camera"
    ),
    "frames.dropped": Family(
        "spotter_frames_dropped_total",
        "counter",
        "Frames that a newer one replaced before they were looked at.",
        "camera",
    ),
    "frames.recognised": Family(
        "spotter_frames_recognised_total", "counter", "Frames that were looked at.", "camera"
    ),
    "frames.refused": Family(
        "spotter_frames_refused_total", "counter", "Frames that could not be looked at.", "camera"
    ),
    "camera.lost": Family(
        "spotter_camera_lost_total", "counter", "Times that a camera failed and was opened again.", "camera"
    ),
    "worker.failed": Family(
        "spotter_worker_failures_total", "counter", "Defects after which a thread began again.", "worker"
    ),
    "commands.done": Family("spotter_commands_done_total", "counter", "Commands that were done."),
    "commands.failed": Family(
        "spotter_commands_failed_total", "counter", "Commands that were not done; the answer said why."
    ),
    "commands.refused": Family(
        "spotter_commands_refused_total", "counter", "Commands that were too many, and not looked at."
    ),
    "regions.embedded": Family("spotter_regions_embedded_total", "counter", "Regions that were embedded."),
    "regions.reused": Family(
        "spotter_regions_reused_total", "counter", "Regions that looked the same, whose last answer counted."
    ),
    "facts.decided": Family("spotter_facts_decided_total", "counter", "Facts put into the outbox."),
    "facts.unsaved": Family("spotter_outbox_unsaved_messages", "gauge", "Facts that are in memory alone."),
    "outbox.waiting": Family("spotter_outbox_messages", "gauge", "Facts that wait for the broker."),
    "outbox.bytes": Family("spotter_outbox_bytes", "gauge", "Size of the facts that wait for the broker."),
    "outbox.dropped": Family("spotter_facts_lost_total", "counter", "Facts that were given up."),
    "second_looks.taken": Family(
        "spotter_second_looks_taken_total", "counter", "Regions that got a closer look."
    ),
    "second_looks.skipped": Family(
        "spotter_second_looks_skipped_total", "counter", "Closer looks for which no time was left."
    ),
    "memory.resident_mb": Family(
        "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", scale=1e6
    ),
    "step": Family("spotter_step_duration_seconds", "histogram", "All of the work on one frame."),
    "second_look": Family(
        "spotter_second_look_duration_seconds", "histogram", "The closer look at one region."
    ),
}
"""Dotted name, without the camera or worker behind it → how it is told."""


def exposition(observed: Observed) -> str:
    """All of it as one document of `CONTENT_TYPE`; the same input gives the same text."""
    lines = [
        *_about(observed),
        *_cameras(observed.cameras),
        *_catalogue(observed.index),
        *_figures(observed),
        *_durations(observed.durations),
    ]
    return "\n".join(lines) + "\n"


def _about(observed: Observed) -> Iterator[str]:
    device = {"site": observed.site, "device": observed.device}
    yield from _one("spotter_device_info", "Which device this is.", 1, device)
    yield from _one("spotter_build_info", "What runs here.", 1, observed.versions)
    yield from _one("spotter_uptime_seconds", "Time since the daemon started.", observed.uptime_s)
    yield from _one("spotter_broker_connected", "1 while facts can go to the broker.", int(observed.online))
    yield from _one(
        "spotter_outbox_underway_messages", "Facts sent, not yet acknowledged.", observed.underway
    )
    yield from _one("spotter_healthy", "1 while /health says ok.", int(not observed.causes))
    parts = [({"part": part}, 1) for part in sorted(observed.causes)]
    yield from _told(
        "spotter_problem", "gauge", "Parts that something is wrong with; /health says what.", parts
    )


def _cameras(cameras: Mapping[str, str]) -> Iterator[str]:
    states = [
        ({"camera": camera, "state": each}, int(cameras[camera] == each))
        for camera in sorted(cameras)
        for each in CAMERA_STATES
    ]
    yield from _told("spotter_camera_state", "gauge", "1 for the state that a camera is in.", states)


def _catalogue(index: IndexStatus | None) -> Iterator[str]:
    if index is None:
        return
    release = {"release": index.release, "channel": index.channel, "model": index.model}
    yield from _one("spotter_catalogue_info", "The catalogue in use.", 1, release)
    yield from _one("spotter_catalogue_number", "Release within its channel; 0 without sync.", index.number)
    yield from _one("spotter_catalogue_products", "Products of the catalogue.", index.products)
    yield from _one("spotter_catalogue_references", "Pictures of the catalogue.", index.references)
    yield from _one("spotter_catalogue_bytes", "Size of the catalogue on the disk.", index.size_bytes)
    learned = index.learned.references
    yield from _one("spotter_learned_references", "Pictures that this device learned itself.", learned)
    if index.last_sync_utc is not None:
        text = "When the catalogue was last known to be up to date, Unix time."
        yield from _one("spotter_sync_last_success_timestamp_seconds", text, index.last_sync_utc)


def _figures(observed: Observed) -> Iterator[str]:
    known: dict[str, list[tuple[dict[str, str], float]]] = {}
    other: dict[str, list[tuple[dict[str, str], float]]] = {}
    told_whole = {f"{name}.{share}_ms" for name in observed.durations for share in ("p50", "p95")}
    for name in sorted(observed.figures.keys() - told_whole):
        value = observed.figures[name]
        base, _, behind = name.rpartition(".")
        if (family := FAMILIES.get(name)) and not family.label:
            known[name] = [({}, round(value * family.scale) if family.scale != 1 else value)]
        elif (family := FAMILIES.get(base)) and family.label:
            known.setdefault(base, []).append(({family.label: behind}, value))
        else:
            other.setdefault(_generic(name), []).append(({"name": name}, value))
    for name, family in FAMILIES.items():
        if family.kind != "histogram":
            found = known.get(name, []) + list(_zeros(family, known.get(name, []), observed.cameras))
            yield from _told(family.name, family.kind, family.text, found)
    for name, samples in other.items():
        yield from _told(name, "untyped", "Not described yet.", samples)


def _zeros(
    family: Family, found: list[tuple[dict[str, str], float]], cameras: Iterable[str]
) -> Iterator[tuple[dict[str, str], float]]:
    """What has not happened yet: a counter that only appears with its first event hides that event's rate."""
    if family.kind != "counter":
        return
    if not family.label and not found:
        yield {}, 0
    if family.label == "camera":
        there = {labels["camera"] for labels, _ in found}
        yield from (({"camera": camera}, 0) for camera in sorted(cameras) if camera not in there)


def _durations(durations: Mapping[str, Durations]) -> Iterator[str]:
    for name in sorted(durations.keys() & FAMILIES.keys()):
        family = FAMILIES[name]
        yield from _head(family.name, family.kind, family.text)
        yield from _histogram(family.name, {}, durations[name])
    if others := sorted(durations.keys() - FAMILIES.keys()):
        yield from _head(_TIMED, "histogram", "Not described yet.")
        for name in others:
            yield from _histogram(_TIMED, {"name": name}, durations[name])


def _histogram(name: str, labels: Mapping[str, str], taken: Durations) -> Iterator[str]:
    total = 0
    for bound, count in zip((*map(_number, BUCKETS_S), "+Inf"), taken.counts, strict=True):
        total += count
        yield _sample(f"{name}_bucket", {**labels, "le": bound}, total)
    yield _sample(f"{name}_sum", labels, taken.sum_s)
    yield _sample(f"{name}_count", labels, total)


_TIMED: Final = "spotter_timed_seconds"
"""Durations that `FAMILIES` does not know, by the label `name`."""


def _generic(name: str) -> str:
    """A well-formed name. Two dotted names may share it: the label `name` tells them apart."""
    return "spotter_other_" + re.sub(r"[^a-zA-Z0-9]+", "_", name)


def _one(name: str, text: str, value: float, labels: Mapping[str, str] | None = None) -> Iterator[str]:
    yield from _told(name, "gauge", text, [(labels or {}, value)])


def _told(
    name: str, kind: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> Iterator[str]:
    yield from _head(name, kind, text)
    yield from (_sample(name, labels, value) for labels, value in samples)


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(labels[key])}"' for key in labels)
    return f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


def _number(value: float) -> str:
    """As the format wants it: `NaN`, `+Inf` and `-Inf` are the three that Python spells otherwise."""
    if not isfinite(value):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(float(value))]
    return repr(value)


def _escaped(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair, as in a name that is not UTF-8
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
