"""Whatever may count for an answer has words on the pages, in every language."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.core.calibration import Calibration
from agent.core.clues import PRIOR_SOURCE
from agent.core.evidence import DecisionSettings, decide
from agent.core.expecting import LAST, SLOT, STORE
from agent.core.second_look import SOURCES
from agent.core.types import Candidate, Look
from agent.explaining import lines
from tests.support.road import ROOT

LANGUAGES = sorted((ROOT / "agent" / "pages" / "text").glob("*.json"))


def evidence() -> tuple[tuple[str, float], ...]:
    curve = Calibration(bias=-9.0, similarity=16.0, margin=0.0, full=50.0, flatter=1.0, raised=1.0)
    look = Look((Candidate(1, 0.5, key=1 << 24),), sharpness=10.0, embedding=np.zeros(4, np.float32))
    return decide([look], curve, DecisionSettings(looks=1)).evidence


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_every_source_has_words(language: Path) -> None:
    texts = json.loads(language.read_text())
    words = texts.get("review", texts)
    sources = [source for source, _ in evidence()]
    assert "haze" in sources
    priors = [f"{PRIOR_SOURCE}{what}" for what in (SLOT, LAST, STORE)]
    for source in (*sources, *SOURCES, "barcode", *priors):
        assert words[f"source-{source}"], source


def test_a_hazy_look_is_explained_in_words() -> None:
    weights = [{"source": source, "log_odds": log_odds} for source, log_odds in evidence()]
    said = lines({"candidates": [{"clues": []}], "evidence": weights, "false_accept": 1.0})
    assert any(line.endswith("that it is small or blurred") for line in said)
