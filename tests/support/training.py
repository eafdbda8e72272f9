"""Marks the tests that train or convert a network, for which the extra `train` has to be installed."""

from __future__ import annotations

import importlib.util

import pytest

needs_torch = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch", "ai_edge_quantizer")),
    reason="PyTorch is not installed (it is part of the extra `train`)",
)
