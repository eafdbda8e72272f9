"""What is expected where a thing is: what belongs there, what was there, what the store carries."""

from __future__ import annotations

from agent.core.clues import PRIOR_LIMIT
from agent.core.expecting import Expectations, carries_nothing
from agent.core.types import Candidate, Clue, Look, Product, Region, Track


class Table:
    """Products 1 to 9, and one that this device learned."""

    def __init__(self, learned: int) -> None:
        self.rows = {no: Product(no, f"sku-{no}") for no in (*range(1, 10), learned)}
        self.left_out: set[int] = set()

    def product(self, no: int) -> Product:
        return self.rows[no]

    def by_sku(self, sku: str) -> Product | None:
        return next((each for each in self.rows.values() if each.sku == sku), None)

    def is_left_out(self, no: int) -> bool:
        return no in self.left_out


TAUGHT = 1 << 38
TABLE = Table(TAUGHT)


def track(*products: int, name: str = "left", turn: int = 0) -> Track:
    look = Look(tuple(Candidate(no, 0.5, key=no << 24) for no in products))
    return Track("a", "cam", Region((0, 0, 9, 9), name), 0.0, 0.0, 0.0, 0.0, 1, (look,), turn=turn)


def test_nothing_is_expected_without_a_reason() -> None:
    assert Expectations().priors(TABLE, track(1, 2)) == ()


def test_what_belongs_somewhere_is_expected_there_alone() -> None:
    expectations = Expectations({"left": "sku-3", "right": "of no catalogue"})
    assert expectations.priors(TABLE, track(1)) == (Clue("prior:slot", 3, PRIOR_LIMIT),)
    assert expectations.priors(TABLE, track(1, name="right")) == ()


def test_what_was_there_is_expected_again_but_not_twice() -> None:
    expectations = Expectations({"left": "sku-3"}, steady=True)
    for known, clues in (("sku-4", [("prior:slot", 3), ("prior:last", 4)]), ("sku-3", [("prior:slot", 3)])):
        expectations.answered(track(turn=0), known)
        said = expectations.priors(TABLE, track(turn=1))
        assert [(clue.source, clue.product) for clue in said] == clues


def test_what_the_device_was_told_to_forget_is_expected_no_more() -> None:
    table = Table(TAUGHT)
    expectations = Expectations({"left": "sku-3"}, steady=True)
    expectations.answered(track(turn=0), "sku-4")
    for forgotten, expected in (({3}, [4]), ({4}, [3]), ({3, 4}, [])):
        table.left_out = forgotten
        assert [clue.product for clue in expectations.priors(table, track(turn=1))] == expected


def test_what_the_store_does_not_carry_is_less_expected() -> None:
    expectations = Expectations({"left": "sku-3"}, carried={"sku-1", "sku-2"})
    assert expectations.priors(TABLE, track(1, 5, 2, 7, name="")) == (
        Clue("prior:store", 5, -PRIOR_LIMIT),
        Clue("prior:store", 7, -PRIOR_LIMIT),
    )


def test_what_belongs_there_or_was_taught_here_is_carried_whatever_the_list_says() -> None:
    expectations = Expectations({"left": "sku-3"}, carried={"sku-1"})
    assert expectations.priors(TABLE, track(1, 3, TAUGHT)) == (Clue("prior:slot", 3, PRIOR_LIMIT),)


def test_an_assortment_of_another_store_is_called_one() -> None:
    assert carries_nothing((), TABLE) == ""
    assert carries_nothing(("of another store", "sku-3"), TABLE) == ""
    told = carries_nothing(("d", "c", "b", "a"), TABLE)
    assert "expected SKUs of products in the catalogue, found none of its 4 there ('a', 'b', 'c')" in told
