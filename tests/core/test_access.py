"""Requests that a page of somebody else has a browser make are told from those of our own pages."""

from __future__ import annotations

import pytest

from agent.core.access import Role, foreign, host_refused, is_loopback, is_proxied, role_named

HOSTS = {
    "an address": ("192.0.2.7", True),
    "an address with a port": ("192.0.2.7:8080", True),
    "an address of IPv6": ("[fd00::2]:8080", True),
    "localhost": ("localhost:8080", True),
    "a name of ours": ("Till-1.local:8080", True),
    "a name of ours with the dot of the root": ("till-1.local.", True),
    "a name of somebody else": ("evil.example", False),
    "a name that begins as ours": ("till-1.local.evil.example", False),
    "a name that ends as ours": ("eviltill-1.local", False),
    "nothing": ("", False),
    "a name with a user": ("till-1.local@evil.example", False),
    "two names": ("till-1.local, evil.example", False),
    "a path": ("till-1.local/x", False),
    "a number that browsers read as an address": ("2130706433", False),
    "an address that is none": ("999.1.1.1", False),
    "a port that is none": ("till-1.local:99x", False),
}


@pytest.mark.parametrize(("host", "good"), HOSTS.values(), ids=HOSTS)
def test_a_host_is_one_of_ours_or_an_address(host: str, good: bool) -> None:
    assert (host_refused(host, {"till-1.local"}) == "") is good


OURS = {"host": "till:8080", "origin": "http://till:8080", "sec-fetch-site": "same-origin", "x-spotter": "1"}
REQUESTS = {
    "our page asks": ("GET", OURS, True),
    "our page changes something": ("POST", OURS, True),
    "a program asks": ("GET", {"host": "till"}, True),
    "a program changes something and says the witness": ("POST", {"host": "till", "x-spotter": "1"}, True),
    "a program forgets the witness": ("POST", {"host": "till"}, False),
    "a form of another site": ("POST", {**OURS, "origin": "http://evil.example"}, False),
    "a form of another site, of an old browser": ("POST", {"host": "till", "origin": "http://evil"}, False),
    "a form of a file on the disk": ("POST", {**OURS, "origin": "null"}, False),
    "another port of this machine": ("POST", {**OURS, "origin": "http://till:9090"}, False),
    "https in front of us is another origin": ("POST", {**OURS, "origin": "https://till:8080"}, False),
    "a picture on a page of another site": (
        "GET", {"host": "till", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, False,
    ),
    "a frame on a page of another site": (
        "GET",
        {"host": "till", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        False,
    ),
    "a link on a page of another site": (
        "GET",
        {"host": "till", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        True,
    ),
    "a form of a sister site that is sent as a navigation": (
        "POST",
        {"host": "till", "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document",
         "x-spotter": "1"},
        False,
    ),
    "an address that was typed": ("GET", {"host": "till", "sec-fetch-site": "none"}, True),
}  # fmt: skip


@pytest.mark.parametrize(("method", "headers", "good"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_made_by_our_page_or_by_none(method: str, headers: dict[str, str], good: bool) -> None:
    assert (foreign(method, "http", headers, ambient=True) == "") is good


def test_what_says_a_password_needs_no_witness() -> None:
    assert foreign("POST", "http", {"host": "till"}, ambient=False) == ""
    assert foreign("POST", "http", {"host": "till", "origin": "http://evil"}, ambient=False)


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
        ("192.0.2.1", False), ("0.0.0.0", False), ("::", False), ("", False), ("example.org", False),
    ],
)  # fmt: skip
def test_what_is_of_this_machine_alone(address: str, own: bool) -> None:
    assert is_loopback(address) is own


def test_whoever_stands_in_between_is_noticed_where_they_say_so() -> None:
    assert is_proxied({"host", "x-forwarded-for"})
    assert is_proxied({"forwarded"})
    assert not is_proxied({"host", "accept"})


def test_roles_are_an_order() -> None:
    assert Role.NOBODY < Role.KIOSK < Role.VIEWER < Role.OPERATOR
    assert role_named("viewer") is Role.VIEWER
    with pytest.raises(ValueError, match="expected one of nobody, kiosk, viewer, operator, found 'root'"):
        role_named("root")
