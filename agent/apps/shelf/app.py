"""The shelf application: what a camera before a shelf shows becomes states of its slots, and events.

Every frame is judged cell by cell, unless the cell's pixels are those that were judged before. When the
camera is gone, or was moved too far, nothing is said of any slot but that, and no time counts as out of
stock.
"""

from __future__ import annotations

import hashlib
import json
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.apps.shelf.bay import compliance
from agent.apps.shelf.cell import CellMemory
from agent.apps.shelf.reports import change, slot_report
from agent.apps.shelf.slot import SlotMemory, together
from agent.apps.watch import told
from agent.core.foreground import Before, Foreground
from agent.core.placement import Placement
from agent.core.planogram import as_quad
from agent.core.scene import Scene
from agent.core.slot_state import Shown, SlotState
from agent.core.slot_view import view_of
from agent.core.standpoint import Standpoint, View
from agent.core.types import Event, Frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from agent.apps.shelf.settings import ShelfSettings
    from agent.core.placement import Placed
    from agent.core.planogram import Planogram
    from agent.core.slot_view import SlotView

HIDDEN: Final = 0.1
"""Share of a facing that something stands before, from which it is blocked."""

MOVING: Final = 0.2
"""Share of a facing that moves, from which it is not judged: a hand, a product on its way."""

LEARN_TIMES: Final = 12.0
"""A slot that has been empty for so many times the dwell is an example of what empty looks like here."""

OTHERS: Final = 6
"""Empty views of other places that are compared with, the latest."""

_HIDDEN: Final = Shown(SlotState.BLOCKED, 1.0)


class Shelf:
    """Of one camera. `proposer` is where its regions come from."""

    def __init__(
        self,
        camera: str,
        settings: ShelfSettings,
        planogram: Planogram,
        empty: Sequence[NDArray[np.uint8]] = (),
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        """`empty`: pictures of the shelf with nothing in its slots. `kept`: what one of before left."""
        self._camera = camera
        self._settings = settings
        self._standpoint = Standpoint(settings.view)
        self.proposer = Placement(planogram, self._standpoint)
        self._foreground = Foreground()
        self._empty = tuple(empty)
        self._slots = {slot.name: SlotMemory(slot) for slot in planogram.slots}
        self._cells: dict[str, CellMemory] = {}
        self._left = dict(kept or {})
        self._drawn = _digest(planogram)
        self._placed: Placed | None = None
        self._trouble: str | None = None  # as it was last told
        self._told: dict[str, Any] | None = None  # compliance, likewise
        self._kept: Mapping[str, Any] | None = None
        self._recall_slots()

    def update(self, scene: Scene) -> tuple[Event, ...]:
        """States and facts worth telling, after the recognitions themselves."""
        events = list(told(scene))
        if scene.frame is None:
            events += self._unseen(scene, "no pictures come from the camera")
        else:
            self._hear(scene)
            events += self._seen(scene, scene.frame)
        if len(events) > len(scene.recognitions):
            self._kept = None
        return tuple(events)

    def kept(self) -> Mapping[str, Any] | None:
        """How slots look and looked, and what stands of them."""
        if self._kept is None:
            self._kept = {
                "drawn": self._drawn,
                "view": self._standpoint.kept(),
                "cells": {name: cell.kept() for name, cell in self._cells.items()},
                "slots": {name: slot.kept() for name, slot in self._slots.items()},
            }
        return self._kept

    def accept_view(self, at: float, utc: float) -> tuple[float, tuple[Event, ...]]:
        """The camera stays where it is: how far it was moved, px, and what is told. Raises as `accept`."""
        moved_px = self._standpoint.accept()
        self._trouble, self._kept = "", None
        scene = Scene(self._camera, at, utc)
        mended = {"part": f"view of {self._camera}", "reason": ""}
        fact = self._fact(scene, "camera_accepted", {"moved_px": moved_px})
        return moved_px, (self._event("trouble", scene, mended), fact)

    def _hear(self, scene: Scene) -> None:
        for recognition in scene.recognitions:
            cell = self._cells.get(recognition.track.region.name)
            if cell is not None:
                cell.hear(recognition)

    def _seen(self, scene: Scene, frame: Frame) -> list[Event]:
        placed = self.proposer.at(frame)
        if not self._cells:
            self._begin(placed)
            self._hear(scene)
        pose = placed.pose
        events = self._say_trouble(scene, pose.reason)
        if not pose.usable:
            return events + self._unseen(scene, pose.reason)
        if self._placed is not None and self._placed.quads is not placed.quads:
            self._foreground.follow(_between(self._placed, placed))
        self._placed = placed
        before = self._foreground.look(frame, placed.quads)
        unsure = pose.view is View.UNSURE
        shown = self._judge(scene, frame, placed, before, unsure=unsure)
        for slot in self._slots.values():
            events += self._step(scene, slot, shown[slot.planned.name])
        return events + self._say_bay(scene)

    def _judge(
        self, scene: Scene, frame: Frame, placed: Placed, before: Before, *, unsure: bool
    ) -> dict[str, list[Shown | None]]:
        """What each facing shows, slot by slot; None: it is not in the picture."""
        looks = {track.region.name: track.looks[-1] for track in scene.tracks if track.looks}
        others = self._others()
        goods = self._goods()
        shown: dict[str, list[Shown | None]] = {name: [] for name in self._slots}
        in_sight = set()
        for number, cell in enumerate(placed.cells):
            memory = self._cells[cell.name]
            if placed.regions[number] is None:
                shown[cell.slot].append(None)
                continue
            hidden = before.hidden[number] > HIDDEN
            if hidden and not unsure and self._is_in_sight(memory, frame, placed.quads[number], before):
                in_sight.add(number)
                hidden = False
            if unsure or hidden or before.moving[number] > MOVING:
                shown[cell.slot].append(_HIDDEN)
                continue
            memory.named_anew = False
            look = looks.get(cell.name)
            if not memory.settled(look):
                view = view_of(frame.image, as_quad(placed.quads[number]), before.light)
                memory.judge(view, look, others, goods)
            shown[cell.slot].append(memory.shown)
        self._foreground.in_sight(in_sight)
        return shown

    def _is_in_sight(self, memory: CellMemory, frame: Frame, quad: Any, before: Before) -> bool:
        """Whether a facing that something seems to hide is seen all the same."""
        view = view_of(frame.image, as_quad(quad), before.light)
        return memory.named_anew or memory.looks_as_before(view)

    def _step(self, scene: Scene, slot: SlotMemory, cells: Sequence[Shown | None]) -> list[Event]:
        there = [each for each in cells if each is not None]
        out_s = slot.out_s
        if len(there) < len(cells):
            step = slot.unseen("part of it is out of the picture, since the camera was moved", scene.utc)
        else:
            one, facings = together(there)
            step = slot.update(one, facings, scene.at, scene.utc, self._settings)
        events = []
        if step.before is not None and (fact := change(slot, step.before, out_s)) is not None:
            events.append(self._fact(scene, *fact))
        if step.alert:
            about = {"slot": slot.planned.name, "sku": slot.planned.sku, "out_of_stock_s": slot.out_s}
            since = {"since_utc": slot.first_empty_utc}
            events.append(self._fact(scene, "out_of_stock_alert", {**about, **since}))
        self._learn(slot)
        if step.told:
            events.append(self._event("shelf_slot", scene, slot_report(slot)))
        return events

    def _learn(self, slot: SlotMemory) -> None:
        standing = slot.standing
        if (
            standing is None
            or standing.shown.state is not SlotState.EMPTY
            or slot.out_s < LEARN_TIMES * self._settings.dwell_s
        ):
            return
        for memory in self._cells.values():
            if memory.cell.slot == slot.planned.name and memory.shown.state is SlotState.EMPTY:
                memory.learn_empty()

    def _unseen(self, scene: Scene, reason: str) -> list[Event]:
        events = [
            self._event("shelf_slot", scene, slot_report(slot))
            for slot in self._slots.values()
            if slot.unseen(reason, scene.utc).told
        ]
        return events + self._say_bay(scene)

    def _say_trouble(self, scene: Scene, reason: str) -> list[Event]:
        """For whoever looks after the device, and as a fact: where the camera looks."""
        if reason == (self._trouble or "") and self._trouble is not None:
            return []
        before, self._trouble = self._trouble, reason
        events = [self._event("trouble", scene, {"part": f"view of {self._camera}", "reason": reason})]
        pose = self._standpoint.pose(scene.frame) if scene.frame is not None else None
        if reason:
            moved = pose.moved_px if pose is not None else 0.0
            events.append(self._fact(scene, "camera_moved", {"reason": reason, "moved_px": moved}))
        elif before:
            events.append(self._fact(scene, "camera_back", {"before": before}))
        return events

    def _say_bay(self, scene: Scene) -> list[Event]:
        now = compliance(list(self._slots.values()), self.proposer.planogram.bay)
        before, self._told = self._told, now
        if now == before:
            return []
        events = [self._event("shelf", scene, now)]
        if before is not None and before["share_correct"] != now["share_correct"]:
            about = {"before": before["share_correct"], "share_correct": now["share_correct"]}
            events.append(self._fact(scene, "compliance", about))
        return events

    def _others(self) -> list[SlotView]:
        """Empty views of places, for those that have none of their own."""
        if all(memory.empty for memory in self._cells.values()):
            return []
        return [memory.empty[-1] for memory in self._cells.values() if memory.empty][-OTHERS:]

    def _goods(self) -> float:
        textures = [memory.named.view.texture for memory in self._cells.values() if memory.named is not None]
        return median(textures) if textures else 0.0

    def _begin(self, placed: Placed) -> None:
        """The first frame: how large the picture is, and so where the cells are, is known now."""
        self._cells = {cell.name: CellMemory(cell) for cell in placed.cells}
        for picture in self._empty:
            frame = Frame(self._camera, 0, 0.0, 0.0, picture)
            light = Foreground().look(frame, placed.quads).light
            for memory in self._cells.values():
                memory.empty = (*memory.empty, view_of(picture, memory.cell.quad, light))
        for name, left in dict(self._left.get("cells") or {}).items():
            if name in self._cells:
                _try(self._cells[name].recall, left)

    def _recall_slots(self) -> None:
        for name, left in dict(self._left.get("slots") or {}).items():
            if name in self._slots:
                _try(self._slots[name].recall, left)
        view = self._left.get("view")
        if view is not None and self._left.get("drawn") == self._drawn:
            _try(self._standpoint.recall, view)

    def _fact(self, scene: Scene, name: str, about: Mapping[str, Any]) -> Event:
        return self._event("event", scene, {"event": name, **about})

    def _event(self, kind: str, scene: Scene, body: Mapping[str, Any]) -> Event:
        return Event(kind, self._camera, scene.at, scene.utc, body)


def _try(recall: Any, left: Any) -> Any:
    """What was left by another version, or was damaged, is as good as nothing."""
    try:
        return recall(left)
    except (ValueError, KeyError, TypeError):
        return None


def _between(before: Placed, now: Placed) -> NDArray[np.float64]:
    """The homography from one frame to another."""
    there, here = (np.reshape(placed.pose.matrix, (3, 3)) for placed in (now, before))
    return np.asarray(there @ np.linalg.inv(here), np.float64)


def _digest(planogram: Planogram) -> str:
    """Of where the slots were drawn; what belongs there may change."""
    places = [(slot.name, slot.box, slot.quad, slot.fixture, slot.cm) for slot in planogram.slots]
    drawn = [planogram.unit, [(each.points_cm, each.points) for each in planogram.fixtures], places]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16]
