"""A smaller network is taught by a larger one: it comes nearer, and the teacher stays as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tools.train.data import Group, Sampler
from tools.train.recipes import RECIPES, Schedule

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed (it is part of the extra `train`)",
)


@needs_torch
def test_a_pupil_comes_nearer_to_its_teacher_who_stays(tmp_path: Path) -> None:
    import torch

    from tools.train import run
    from tools.train.distil import WEIGHT, Lesson
    from tools.train.network import DEPTHS, Network

    torch.manual_seed(0)
    teacher, pupil = Network(0.5, 32), Network(0.25, 16)
    before = [value.clone() for value in teacher.parameters()]
    pictures = torch.rand(16, 3, 64, 64) * 2 - 1
    lesson = Lesson(pupil, teacher)
    assert {name for name, _ in lesson.named_parameters()} == {"linear.weight", "linear.bias"}
    optimiser = torch.optim.Adam([*pupil.parameters(), *lesson.parameters()], lr=1e-3)
    apart = []
    for _ in range(8):
        loss = lesson(pupil.means(pictures, DEPTHS), pictures)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        apart.append(loss.item() / WEIGHT)
    assert 0 <= apart[-1] < apart[0] / 2 < 1
    group = Group("grey", 1.0, 0.5)
    group.add(np.full((40, 40, 3), 90, np.uint8), "a")
    run.train(
        pupil,
        Sampler([group], 0),
        Schedule(pictures=8, batch=8, sides=((1.0, 64),)),
        tmp_path,
        "cpu",
        teacher,
    )
    assert all(torch.equal(one, other) for one, other in zip(before, teacher.parameters(), strict=True))


def test_a_pupil_is_not_trained_without_what_its_teacher_saw(capsys: pytest.CaptureFixture[str]) -> None:
    from tools.train.__main__ import main

    with pytest.raises(SystemExit):
        main(["small", "--unseen"])
    assert "expected base, the teacher of small was trained on those products" in capsys.readouterr().err


def test_who_teaches_ships_and_is_taught_by_nobody() -> None:
    teachers = [RECIPES[recipe.teacher] for recipe in RECIPES.values() if recipe.teacher]
    assert [teacher.name for teacher in teachers] == ["base"]
    assert all(teacher.teacher is None for teacher in teachers)
