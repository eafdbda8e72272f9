"""Which address is tried next, and when; and the identifiers of devices."""

from __future__ import annotations

from itertools import product

import pytest

from agent.adapters.broker.route import RETRY, RIVAL, RIVAL_S, STEADY_S, Route
from agent.adapters.broker.settings import Address, client_id, parse_url


def route(count: int = 1) -> Route:
    return Route(count, 0.0, lambda: 1.0)


def test_addresses_are_tried_one_after_the_other_and_then_there_is_a_pause_that_grows() -> None:
    r = route(3)
    tried = []
    for _ in range(9):
        tried.append((r.place, r.due))
        r.lost(r.due, None)
    pauses = [RETRY.delay_s(n, 1.0) for n in range(2)]
    first, second = pauses[0], pauses[0] + pauses[1]
    assert tried == [(place, due) for due in (0.0, first, second) for place in range(3)]
    for _ in range(100):
        r.lost(0.0, None)
    assert r.due <= RETRY.limit_s


def test_after_a_good_connection_the_first_address_is_tried_again() -> None:
    r = route(3)
    r.lost(0.0, None)
    assert r.place == 1
    r.lost(100.0, STEADY_S)
    assert (r.place, r.due) == (0, 100.0 + RETRY.first_s)


def test_a_connection_that_ended_soon_is_one_that_failed() -> None:
    r = route()
    dues = []
    for _ in range(4):
        r.lost(0.0, STEADY_S - 1)
        dues.append(r.due)
    assert dues == [0.5, 1.0, 2.0, 4.0]


def test_the_same_address_can_be_tried_at_once() -> None:
    r = route(2)
    r.lost(0.0, None)
    r.again(5.0)
    assert (r.place, r.due) == (1, 5.0)


def test_two_with_one_identifier_keep_out_of_each_others_way_longer_and_longer() -> None:
    r = route(2)
    now, pauses, times = 0.0, [], []
    for _ in range(7):
        times.append(r.taken_over(now))
        pauses.append(r.due - now)
        now = r.due + 20
    assert times == [1, 2, 3, 4, 5, 6, 7]
    assert pauses == [30, 60, 120, 240, 480, RIVAL.limit_s, RIVAL.limit_s]
    assert r.rival(now)
    now += RIVAL_S
    assert not r.rival(now)
    assert r.taken_over(now) == 1, "it is forgotten after an hour"


def test_no_two_devices_have_one_identifier() -> None:
    names = ["a", "b", "a-b", "b-a", "a-", "-a", "a--b", "-", "a-b-a"]
    roots = {"/".join(parts) for parts in product(names, repeat=3)}
    assert len({client_id(root) for root in roots}) == len(roots)
    assert client_id("spotter/berlin/cam") == "spotter-berlin-cam"


ADDRESSES = {
    "mqtt://h": Address("mqtt://h", "h", 1883, False, ""),
    "mqtts://h/": Address("mqtts://h/", "h", 8883, True, ""),
    "ws://h": Address("ws://h", "h", 80, False, "/mqtt"),
    "wss://[::1]:9001/a/b": Address("wss://[::1]:9001/a/b", "::1", 9001, True, "/a/b"),
}


@pytest.mark.parametrize(("url", "address"), ADDRESSES.items())
def test_a_url_says_how_a_broker_is_reached(url: str, address: Address) -> None:
    assert parse_url(url) == address
