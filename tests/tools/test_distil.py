"""A network is taught by others: it comes nearer to them, they stay as they are and are trained once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.support.training import needs_torch
from tools.train.data import Group, Sampler, drawn
from tools.train.recipes import RECIPES, SMOKE, Recipe, Schedule


@needs_torch
def test_a_pupil_comes_nearer_to_its_teachers_who_stay(tmp_path: Path) -> None:
    import torch

    from tools.train import run
    from tools.train.distil import WEIGHT, Lesson
    from tools.train.network import DEPTHS, Network

    torch.manual_seed(0)
    teachers, pupil = [Network(0.5, 32), Network(0.25, 24)], Network(0.25, 16)
    before = [value.clone() for teacher in teachers for value in teacher.parameters()]
    pictures = torch.rand(16, 3, 64, 64) * 2 - 1
    lesson = Lesson(pupil, teachers)
    assert {name for name, _ in lesson.named_parameters()} == {"linear.weight", "linear.bias"}
    assert lesson.linear.out_features == 56
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
        teachers,
    )
    after = [value for teacher in teachers for value in teacher.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@needs_torch
def test_those_who_teach_are_trained_first_and_once(tmp_path: Path) -> None:
    from tools.train.chain import Place, copied, made

    schedule = Schedule(pictures=16, batch=8, sides=((1.0, 64),))
    first = replace(SMOKE, name="first", dimension=16, side=64, schedule=schedule)
    second = replace(first, name="second", teachers=(first,))
    third = replace(first, name="third", teachers=(first, second))
    groups = list(drawn(4, 0))
    place = Place(data=tmp_path, work=tmp_path / "work", device="cpu", threads=1)
    path = made(third, groups, place)
    taught = {name: place.work / name / "finished.pt" for name in ("first", "second")}
    finished = {name: file.stat().st_mtime_ns for name, file in taught.items()}
    (place.work / "third" / "checkpoint.pt").unlink()
    assert made(third, groups, place) == path == place.work / "third" / "third.tflite"
    assert {name: file.stat().st_mtime_ns for name, file in taught.items()} == finished
    shipped = copied(path, tmp_path / "out")
    assert shipped.read_bytes() == path.read_bytes()
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "third.tflite",
        "third.json",
        "third-log.csv",
    }


def test_what_is_left_out_of_a_model_is_left_out_of_those_who_teach_it() -> None:
    from tools.train.__main__ import _arguments, _changed

    asked = ["base", "--unseen", "--pictures", "480", "--seed", "3"]
    changed = _changed(RECIPES["base"], _arguments(asked))
    chain = [changed, *changed.teachers, *changed.teachers[1].teachers]
    assert [each.name for each in chain] == [
        "base-unseen",
        "first-base-unseen",
        "first-small-unseen",
        "first-base-unseen",
    ]
    assert {(each.schedule.pictures, each.schedule.seed) for each in chain} == {(480, 3)}


def test_the_first_who_teaches_is_taught_by_nobody() -> None:
    def taught(recipe: Recipe, above: tuple[str, ...] = ()) -> None:
        assert recipe.name not in above
        for each in recipe.teachers:
            taught(each, (*above, recipe.name))

    for recipe in RECIPES.values():
        taught(recipe)
        assert recipe.teachers, "what ships is taught"
