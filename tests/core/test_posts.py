"""What goes into the next request to a webhook, and what each answer means."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf

import pytest

from agent.core.posts import ASIDE_S, AWAY_WAIT, LONGEST_S, SHUT_WAIT, Answer, Fate, Posts, answer

TAKEN = Answer(Fate.TAKEN)
AWAY = Answer(Fate.AWAY, "away")
SHUT = Answer(Fate.SHUT, "shut")
UNFIT = Answer(Fate.UNFIT, "unfit")

STATUSES = {
    200: (Fate.TAKEN, ""),
    202: (Fate.TAKEN, ""),
    204: (Fate.TAKEN, ""),
    301: (Fate.SHUT, "sends us to another address"),
    308: (Fate.SHUT, "sends us to another address"),
    400: (Fate.UNFIT, "the events are wrong"),
    401: (Fate.SHUT, "refuses the login"),
    403: (Fate.SHUT, "refuses this device"),
    404: (Fate.SHUT, "nothing takes events there"),
    405: (Fate.SHUT, "no POST"),
    408: (Fate.AWAY, "waited too long"),
    410: (Fate.SHUT, "no events any more"),
    413: (Fate.UNFIT, "too large"),
    415: (Fate.SHUT, "content type"),
    418: (Fate.SHUT, "refuses the request"),
    422: (Fate.UNFIT, "the events are wrong"),
    429: (Fate.AWAY, "too many requests"),
    500: (Fate.AWAY, "in trouble"),
    501: (Fate.SHUT, "no POST"),
    503: (Fate.AWAY, "in trouble"),
    599: (Fate.AWAY, "in trouble"),
}


@pytest.mark.parametrize(("status", "meaning"), STATUSES.items())
def test_what_a_status_means(status: int, meaning: tuple[Fate, str]) -> None:
    said = answer(status, "https://b.example")
    assert said.fate is meaning[0]
    assert meaning[1] in said.reason
    assert (f"(status {status})" in said.reason) == (said.fate is not Fate.TAKEN)


def test_a_pause_that_is_asked_for_is_granted_within_a_day() -> None:
    assert answer(429, wait_s=30.0).wait_s == 30.0
    assert answer(503, wait_s=1e9).wait_s == LONGEST_S
    assert answer(410).wait_s == 3600.0
    assert answer(410, wait_s=7200.0).wait_s == 7200.0
    posts = Posts(50)
    posts.answered([1], answer(429, wait_s=30.0), 100.0, 0.0)
    assert (posts.room(129.9), posts.room(130.0)) == (0, 1)


def test_requests_grow_from_one_to_the_limit_and_begin_with_one_after_trouble() -> None:
    posts, sizes = Posts(20), []
    for _ in range(6):
        sizes.append(posts.room(0.0))
        assert posts.answered([1], TAKEN, 0.0, 0.0)
    assert sizes == [1, 2, 4, 8, 16, 20]
    assert not posts.answered([*range(20)], AWAY, 0.0, 0.0)
    assert posts.room(inf) == 1


@pytest.mark.parametrize(("said", "wait"), [(AWAY, AWAY_WAIT), (SHUT, SHUT_WAIT)])
def test_pauses_double_up_to_a_limit_and_an_answer_ends_them(said: Answer, wait: object) -> None:
    posts, now, pauses = Posts(20), 0.0, []
    for _ in range(12):
        posts.answered([1], said, now, 1.0)
        pauses.append(posts.due - now)
        now = posts.due
    assert pauses[:3] == [wait.first_s, 2 * wait.first_s, 4 * wait.first_s]
    assert pauses[-1] == wait.limit_s
    assert (posts.reason, posts.failures, posts.shut) == (said.reason, 12, said is SHUT)
    posts.answered([1], TAKEN, now, 1.0)
    assert (posts.reason, posts.failures, posts.room(now)) == ("", 0, 2)


class Server:
    """Takes events, but those that `refuses(event)`; what `Posts` makes of that, driven as the poster does it."""

    def __init__(self, events: int, refuses: Callable[[int], bool]) -> None:
        self.waiting = list(range(1, events + 1))
        self.refuses = refuses
        self.taken: list[int] = []
        self.asked = 0
        self.now = 0.0
        self.posts = Posts(50)

    def turn(self) -> None:
        posts = self.posts
        self.now = max(self.now, posts.due)
        batch = [e for e in self.waiting if not posts.passes(e, self.now)][: posts.room(self.now)]
        if not batch:
            if not posts.exhausted():
                self.now += 1.0
            return
        self.asked += 1
        said = UNFIT if any(self.refuses(e) for e in batch) else TAKEN
        if posts.answered(batch, said, self.now, 0.5):
            self.taken += batch
            self.waiting = [e for e in self.waiting if e not in batch]

    def until(self, done: Callable[[], bool], turns: int = 2000) -> None:
        for _ in range(turns):
            if done():
                return
            self.turn()
        pytest.fail(f"waiting {self.waiting[:9]}, {self.asked} asked, {self.now:.0f} s")


BAD = {
    "one in the middle of a backlog": {57},
    "the very first": {1},
    "the last": {200},
    "two side by side": {57, 58},
    "ten side by side, at the beginning": set(range(1, 11)),
    "every seventh": set(range(7, 200, 7)),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_refused_holds_up_nothing_else(bad: set[int]) -> None:
    server = Server(200, bad.__contains__)
    server.until(lambda: set(server.waiting) == bad)
    assert server.taken == sorted(set(range(1, 201)) - bad), "the others in their order, each once"
    assert server.posts.aside(server.now) <= len(bad)


def test_what_was_refused_is_tried_again_within_the_hour() -> None:
    bad = {3}
    server = Server(9, bad.__contains__)
    server.until(lambda: set(server.waiting) == bad)
    server.until(lambda: server.posts.aside(server.now) == 1)
    bad.clear()
    before = server.now
    server.until(lambda: not server.waiting, 5000)
    assert server.now - before <= ASIDE_S
    assert server.posts.aside(server.now) == 0


def test_an_address_that_refuses_everything_is_asked_ever_more_rarely_and_nothing_is_out_of_order() -> None:
    everything = True
    server = Server(400, lambda _: everything)
    server.until(lambda: server.now > 86_400.0, 5000)
    assert server.asked < 400, "a request in four minutes"
    assert server.posts.aside(server.now) == 0, "nobody knows that it is the events"
    assert server.posts.reason == "unfit"
    everything = False
    server.until(lambda: not server.waiting)
    out_of_order = sum(a > b for a, b in zip(server.taken, server.taken[1:], strict=False))
    assert out_of_order <= 1, "the one that happened to be tried first"


def test_a_good_address_that_turns_bad_sets_one_event_aside_and_no_more() -> None:
    everything = False
    server = Server(200, lambda _: everything)
    server.until(lambda: len(server.taken) > 60)
    everything = True
    for _ in range(100):
        server.turn()
    assert server.posts.aside(server.now) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_answered_nothing_is_forgotten_and_what_is_taken_is_in_order(seed: int) -> None:
    rng = random.Random(seed)
    posts, waiting, taken, now = Posts(10), list(range(1, 300)), list[int](), 0.0
    refused: set[int] = set()
    while waiting:
        now = max(now, posts.due)
        batch = [e for e in waiting if not posts.passes(e, now)][: posts.room(now)]
        if not batch:
            now += 0.0 if posts.exhausted() else 60.0
            continue
        said = rng.choice([TAKEN, TAKEN, TAKEN, AWAY, SHUT, UNFIT])
        refused |= set(batch) if said is UNFIT else set()
        if posts.answered(batch, said, now, rng.random()):
            assert batch == sorted(batch)
            taken += batch
            waiting = [e for e in waiting if e not in batch]
    assert sorted(taken) == list(range(1, 300))
    never_refused = [e for e in taken if e not in refused]
    assert never_refused == sorted(never_refused)
