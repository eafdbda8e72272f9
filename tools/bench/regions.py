"""What proposes regions in a video: how many, how steady, how often looked at, and at what cost.

CPU time of the proposer is told as a multiple of embedding one region of the same frames.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.adapters.detector import DetectorRegions, load_detector
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.core.boxes import iou
from agent.core.changes import ChangeSettings
from agent.core.evidence import DecisionSettings
from agent.core.motion import Motion, MotionSettings
from agent.core.proposals import DetectorSettings, TileSettings
from agent.core.regions import kept_centre, propose
from agent.core.tracking import Tracker, TrackingSettings
from agent.core.types import Detection, Frame, Look
from agent.core.zone import Zone
from agent.telling import Teller
from agent.viewing import CameraPlan, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.adapters.embedder import Embedder
    from agent.viewing import Proposer

STANDING_S = 3.0
"""A track this long is a thing, and not a shadow or a sleeve."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Figures of mode motion, and with `--detector` of that mode with one tile and with tiles."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench regions", description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", required=True, help="embedding model (.tflite)")
    parser.add_argument("--detector", help="detector (.tflite, with its .json beside it)")
    parser.add_argument("--ignore", type=int, nargs="*", default=[0], help="classes of the detector")
    parser.add_argument("--fps", type=float, default=5.0, help="frames looked at per second of the video")
    args = parser.parse_args(argv)
    eyes = load_embedder(EmbedderSettings(file=args.model))
    zone, changes = Zone(min_px=24), ChangeSettings()
    proposers: dict[str, Proposer] = {"motion": Motion(MotionSettings(), zone)}
    if args.detector:
        for name, tiles in (("detector", TileSettings()), ("detector_2x2", TileSettings(rows=2, columns=2))):
            settings = DetectorSettings(file=args.detector, ignore=tuple(args.ignore), tiles=tiles)
            proposers[name] = DetectorRegions(load_detector(settings), settings, zone, changes)
    return {
        name: _watched(args.video, args.fps, eyes, CameraPlan(proposer, changes))
        for name, proposer in proposers.items()
    }


def _frames(video: Path, fps: float) -> Iterator[Frame]:
    capture = cv2.VideoCapture(str(video))
    rate = capture.get(cv2.CAP_PROP_FPS)
    seq = taken = 0
    while capture.grab():
        at = seq / rate
        if at * fps >= taken:
            yield Frame("video", taken, at=at, utc=at, image=np.asarray(capture.retrieve()[1], np.uint8))
            taken += 1
        seq += 1


def _watched(video: Path, fps: float, eyes: Embedder, plan: CameraPlan) -> dict[str, Any]:
    decision = DecisionSettings()
    view = View(plan, Tracker("video", TrackingSettings(), decision.window), Teller(decision))
    ended, steady = [], []
    frames = regions = fresh = 0
    proposing_s = embedding_s = 0.0
    for frame in _frames(video, fps):
        frames += 1
        began = process_time()
        plan.proposer.regions(frame)
        proposing_s += process_time() - began
        whole = propose(kept_centre(0.5), frame.width, frame.height)
        began = process_time()
        eyes.embed(frame.image, whole)
        embedding_s += process_time() - began
        before = {track.id: track.region.box for track in view.tracker.live}
        places = view.places(frame)
        for place in places:
            if view.kept(place, frame.at, decision.looks) is None:
                fresh += 1
                view.remember(place, frame.at, Look(()))
        regions += len(places)
        tracks = view.tracker.update(frame, [Detection(place.region, Look(())) for place in places])
        ended += [track for track in tracks if track.ended]
        steady += [
            float(iou(np.array([before[track.id]]), np.array([track.region.box]))[0, 0])
            for track in tracks
            if not track.ended and track.id in before
        ]
    ended += view.tracker.end()
    long = [track for track in ended if track.last_at - track.first_at >= STANDING_S]
    return {
        "frames": frames,
        "regions_per_frame": round(regions / frames, 2),
        "looked_at_share": round(fresh / max(1, regions), 3),
        "tracks": len(ended),
        f"tracks_of_{STANDING_S:g}_s": len(long),
        "longest_s": [round(track.last_at - track.first_at, 1) for track in sorted(long, key=_length)][:6],
        "overlap_with_frame_before": round(statistics.mean(steady), 3) if steady else None,
        "proposing_over_one_embed": round(proposing_s / embedding_s, 2),
    }


def _length(track: Any) -> float:
    return float(track.first_at - track.last_at)
