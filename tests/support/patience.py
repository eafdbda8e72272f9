"""How long tests wait for what should happen: the seconds of a quiet machine, times what a busy one may take."""

from __future__ import annotations

PATIENCE = 4.0
"""A wait only ends a test that hangs. How fast something is, `tools/bench` says, never a test."""
