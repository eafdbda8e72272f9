"""Where to look in the pictures of each camera, and what is expected there, from the configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.adapters.barcodes import read_labels
from agent.adapters.detector import DetectorRegions, load_detector
from agent.core.motion import Motion
from agent.core.placement import Placement
from agent.core.regions import FixedRegions, Nowhere
from agent.core.standpoint import Standpoint
from agent.reading import Reader
from agent.viewing import CameraPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.adapters.detector import Detector
    from agent.config import CameraEntry, Settings
    from agent.core.proposals import DetectorSettings
    from agent.viewing import Proposer


def make_plans(settings: Settings, proposers: Mapping[str, Proposer]) -> dict[str, CameraPlan]:
    """Camera → its plan; `proposers`: of the cameras whose applications say where to look.

    Raises:
        ModelError: a detector is wrong.
        DeviceError: its inference failed.
    """
    detectors: dict[DetectorSettings, Detector] = {}  # cameras that name the same one share it
    carried = frozenset(settings.decision.carried)
    return {
        camera.id: _plan(camera, proposers.get(camera.id) or _proposer(camera, detectors), carried)
        for camera in settings.cameras
    }


def _plan(camera: CameraEntry, proposer: Proposer, carried: frozenset[str]) -> CameraPlan:
    shelf = camera.shelf
    if shelf is None or shelf.plan is None:
        slots = {slot.name: slot.sku for slot in camera.regions.slots if slot.sku}
        reader = Reader(read_labels, camera.inbound.reads) if camera.inbound else None
        return CameraPlan(proposer, camera.changes, slots, carried, reader)
    changes = replace(camera.changes, refresh_s=shelf.refresh_s)
    return CameraPlan(proposer, changes, shelf.plan.expected, carried, steady=True)


def _proposer(camera: CameraEntry, detectors: dict[DetectorSettings, Detector]) -> Proposer:
    if camera.shelf is not None and camera.shelf.plan is not None:
        return Placement(camera.shelf.plan, Standpoint(camera.shelf.view))
    if camera.shelf is not None:
        return Nowhere()  # its planogram has not come yet
    where = camera.regions
    if where.detector is not None:
        if where.detector not in detectors:
            detectors[where.detector] = load_detector(where.detector)
        return DetectorRegions(detectors[where.detector], where.detector, where.watched, camera.changes)
    return Motion(where.motion, where.watched) if where.mode == "motion" else FixedRegions(where)
