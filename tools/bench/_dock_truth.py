"""What a drawn dock told, against what was drawn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tools.synth.dock import Story


class Run(Protocol):
    """A story that was played: `dock.Run`."""

    story: Story
    facts: list[dict[str, Any]]  # payloads of what happened, in order
    results: dict[str, dict[str, Any]]  # shipment → how it stood last
    kept: list[dict[str, Any]]  # EPCIS events
    cpu_ms: list[float]  # of each frame


def judged(run: Run) -> dict[str, Any]:
    """What was told against what was drawn."""
    story = run.story
    back = {fact["parcel"] for fact in run.facts if fact["event"] == "returned"}
    told = [fact for fact in run.facts if fact["event"] == "parcel"]
    counts = Counter(fact["parcel"] for fact in told)
    gone = Counter(fact["parcel"] for fact in run.facts if fact["event"] == "returned")
    count = sum(counts.values()) - sum(gone.values())
    right = lines = 0
    wrong: list[str] = []
    for number, shipment in enumerate(story.shipments):
        truth, result = story.received(number), run.results[shipment.name]
        found = {line["gtin"]: [line["received"], line["wrong"]] for line in result["lines"]}
        found |= {each["gtin"]: [each["received"], 0] for each in result["unexpected"]}
        expected = dict(shipment.lines)
        for gtin in sorted({*found, *truth}):
            lines += 1
            drawn = truth.get(gtin, [0, 0])
            drawn = drawn if gtin in expected else [drawn[0], 0]  # a label of nobody's is a conflict alone
            if found.get(gtin, [0, 0]) == drawn:
                right += 1
            else:
                wrong.append(f"{shipment.name} {gtin}: {drawn} is told as {found.get(gtin)}")
    conflicts = [carton for carton in story.cartons if carton.is_conflict]
    found_conflicts = sum(result["conflicts"] for result in run.results.values())
    return {
        "count": count,
        "count_error": round(abs(count - len(story.cartons)) / len(story.cartons), 4),
        "lines": lines,
        "lines_right": round(right / lines, 4),
        "lines_wrong": wrong,
        "conflicts": [len(conflicts), found_conflicts],
        "torn": sum(carton.torn for carton in story.cartons),
        "named_by": dict(Counter(fact["how"] for fact in told)),
        "came_back": len(back),
        "epcis": epcis_judged(run),
        "facts": dict(Counter(fact["event"] for fact in run.facts)),
        "step_ms": {"p50": at_share(run.cpu_ms, 0.5), "p95": at_share(run.cpu_ms, 0.95)},
    }


def epcis_judged(run: Run) -> dict[str, Any]:
    """Do the events for keepers of events say what the results say, and what was drawn."""
    counted = {event["eventID"]: event for event in run.kept if "errorDeclaration" not in event}
    back = {event["eventID"] for event in run.kept if "errorDeclaration" in event}
    agree = parcels_true = closings_true = 0
    for number, shipment in enumerate(run.story.shipments):
        result = run.results[shipment.name]
        mine = [
            event
            for event in counted.values()
            if event["bizTransactionList"][0]["bizTransaction"].endswith(f":{shipment.name}")
            and event["eventID"] not in back
        ]
        closings = [event for event in mine if "persistentDisposition" in event]
        words = {word for event in closings for word in event["persistentDisposition"]["set"]}
        short = any(line["state"] in ("short", "over") for line in result["lines"])
        odd = bool(result["unexpected"] or result["conflicts"])
        agree += words == (
            {"completeness_verified"}
            if result["exact"]
            else {*(["mismatch_quantity"] * short), *(["mismatch_class"] * odd)}
        )
        drawn = Counter({gtin: count for gtin, (count, _) in run.story.received(number).items()})
        sure = [event for event in mine if event not in closings and event["disposition"] != "mismatch_class"]
        parcels_true += +_amounts(sure) == +drawn
        closings_true += +_amounts(closings) == +drawn
    return {
        "events": len(run.kept),
        "taken_back": len(back),
        "results_agree": [agree, len(run.results)],
        "parcels_as_drawn": [parcels_true, len(run.results)],
        "closings_as_drawn": [closings_true, len(run.results)],
    }


def _amounts(events: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """GTIN → pieces of all of them."""
    found: Counter[str] = Counter()
    for event in events:
        for each in (*event.get("quantityList", ()), *event.get("childQuantityList", ())):
            found[each["epcClass"].rpartition("/01/")[2]] += round(each["quantity"])
    return found


def at_share(values: Sequence[float], share: float) -> float:
    """The value that so many of them are not above."""
    ordered = sorted(values) or [0.0]
    return round(ordered[int(share * (len(ordered) - 1))], 1)
