"""A detector proposes where things are: any TFLite model with the standard detection post-processing."""

from agent.adapters.detector.draft import draft_description
from agent.adapters.detector.model import Detector, load_detector
from agent.adapters.detector.proposer import DetectorRegions

__all__ = ["Detector", "DetectorRegions", "draft_description", "load_detector"]
