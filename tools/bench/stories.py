"""How a shelf's states agree with the truth of drawn stories: sold out, misplaced, hidden, dark, knocked.

Time is simulated, one frame a second; every second of every slot counts, those of the dwell as well. Where
somebody stands before a slot, `blocked` is right and so is what stands behind them. With `--live` a network
camera films each story for as long as it lasts, a daemon watches it, and what comes back through a broker is
judged: all stories at once, so that they take as long as one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.bench._live_shelf import watch
from tools.bench._shelf_device import ShelfDevice, build_catalogue, planogram, sku_of
from tools.synth.flavours import flavour
from tools.synth.script import Filming
from tools.synth.stories import products, stories

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.synth.stories import Story


def measure(argv: list[str]) -> dict[str, Any]:
    """Per story: accuracy, false and late findings, and what it took."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench stories", description=__doc__)
    parser.add_argument("--model", default="models/base.tflite", metavar="FILE")
    parser.add_argument("--minutes", type=float, default=30, metavar="M", help="of each (default: 30)")
    parser.add_argument("--story", metavar="WORDS", help="those alone whose name has these words")
    parser.add_argument("--live", action="store_true", help="through daemons and a broker, in real time")
    parser.add_argument("--catalogues", type=Path, metavar="DIR", help="where they are kept for the next run")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        return {"model": args.model, "stories": _all(args, args.catalogues or Path(folder))}


def _all(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    chosen = [story for story in stories(args.minutes) if not args.story or args.story in story.name]
    catalogues = {story.name: _catalogue_of(story, folder, args.model) for story in chosen}
    if args.live:
        return {
            seen.story.name: _judge(seen.story, seen.states, seen.facts)
            for seen in watch(chosen, args.model, catalogues)
        }
    found = {}
    for story in chosen:
        with tempfile.TemporaryDirectory() as device:
            found[story.name] = tell(story, Path(device), args.model, catalogues[story.name])
    return found


def _catalogue_of(story: Story, folder: Path, model: str) -> Path:
    shop = folder / (story.name.replace(" ", "-") if story.script.looks is flavour else "plain")
    if not (shop / "catalogue").exists():
        build_catalogue(shop, model, products(story), story.script.bay.seed, story.script.looks)
    return shop / "catalogue"


def tell(story: Story, folder: Path, model: str, catalogue: Path, **shelf: Any) -> dict[str, Any]:
    """One story through a device; its figures."""
    plan = planogram(story.script.bay, story.plan, story.script.looks)
    device = ShelfDevice(folder, model, catalogue, plan, shelf)
    filming = Filming(story.script)
    states = []
    cpu = 0.0
    for at in range(round(story.seconds)):
        image = filming.frame(float(at))
        began = time.process_time()
        device.see(float(at), image)
        cpu += time.process_time() - began
        states.append({slot: device.states[f"shelf/{slot}"]["state"] for slot in story.plan})
    return {
        **_judge(story, states, device.facts()),
        "troubles": device.troubles[1:],
        "embedded": device.pipeline.tally.embedded,
        "reused": device.pipeline.tally.reused,
        "cpu_ms_per_frame": round(1000 * cpu / story.seconds, 1),
    }


def _judge(
    story: Story, states: Sequence[Mapping[str, str]], facts: Sequence[tuple[float, dict[str, Any]]]
) -> dict[str, Any]:
    """`states`: slot → state, second by second; `facts`: when each was told, and what it says."""
    right, wrong = 0, Counter[str]()
    for at, told in enumerate(states):
        for slot, truth in story.truth(float(at)).items():
            state = told.get(slot, "nothing")
            if state == truth.state or (truth.hidden and state == "blocked"):
                right += 1
            else:
                wrong[f"{truth.state} as {state}"] += 1
    return {
        "accuracy": round(right / max(1, right + sum(wrong.values())), 4),
        "wrong_slot_seconds": dict(wrong.most_common()),
        **_findings(story, facts),
    }


def _findings(story: Story, facts: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    """Out-of-stock events against what happened, and how soon the camera's movements were told."""
    out = [(at, fact["slot"]) for at, fact in facts if fact["event"] == "out_of_stock"]
    misplaced = [
        (at, fact["slot"], fact["found"]["sku"]) for at, fact in facts if fact["event"] == "misplaced"
    ]
    false_out = [each for each in out if story.truth(each[0])[each[1]].state != "empty"]
    false_wrong = [
        (at, slot, sku)
        for at, slot, sku in misplaced
        if (now := story.truth(at)[slot]).state != "wrong" or sku != sku_of(now.product or 0)
    ]
    sold = [change for slot in story.plan for change in story.changed(slot) if change.product is None]
    delays = {
        f"{change.slot}@{change.at_s:g}": min(
            (at - change.at_s for at, slot in out if slot == change.slot and at >= change.at_s), default=None
        )
        for change in sold
    }
    found = [delay for delay in delays.values() if delay is not None]
    return {
        "sold_out": len(sold),
        "found": len(found),
        "slowest_s": max(found, default=None),
        "false_out_of_stock": false_out,
        "false_misplaced": false_wrong,
        "facts": dict(Counter(fact["event"] for _, fact in facts)),
        "camera": [(at, fact["event"]) for at, fact in facts if fact["event"].startswith("camera_")],
        "nudges": [(nudge.at_s, nudge.right_px) for nudge in story.script.nudges],
    }
