"""Closed by default: who is let in, and what is done about those who are not."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from agent.adapters.system import own_addresses
from agent.adapters.web import WebSettings, hash_password
from agent.adapters.web.passwords import parse_kept
from agent.adapters.web.sessions import Sessions, session_key
from agent.cli.main import main
from agent.config import load_config
from agent.core.access import Role
from agent.core.errors import ConfigError
from agent.core.settings import Secret
from tests.support.road import until
from tests.support.web import PASSWORDS, Client, Site, kept

SECURE = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
LEAST = {
    "/api/status": "viewer",
    "/api/cameras": "viewer",
    "/api/cameras/cam/picture": "viewer",
    "/api/recognitions": "viewer",
    "/api/states": "viewer",
    "/metrics": "viewer",
    "/api/products": "kiosk",
    "/api/products/sku-00": "kiosk",
    "/api/products/sku-00/picture": "kiosk",
}
ORDER = ("", "kiosk", "viewer", "operator")


@pytest.fixture
def outside(guarded: Site) -> Client:
    """Asks from an address that is not of the loopback."""
    address = next((each for each in own_addresses() if ":" not in each), "")
    if not address:
        pytest.skip("this machine has no address beside its loopback")
    return Client(guarded.port, address)


@pytest.mark.parametrize(("path", "least"), LEAST.items())
def test_each_role_may_do_what_it_may(guarded: Site, outside: Client, path: str, least: str) -> None:
    until(lambda: guarded.ask(path, password=PASSWORDS["operator"]).status == 200, 10)
    for client in (guarded, outside):
        for role in ORDER:
            status = client.ask(path, password=PASSWORDS.get(role, "")).status
            may = ORDER.index(role) >= ORDER.index(least)
            assert status == (200 if may else 403 if role else 401), (path, role)


def test_commands_are_for_operators(guarded: Site) -> None:
    for role, status in (("", 401), ("kiosk", 403), ("viewer", 403), ("operator", 200)):
        answer = guarded.ask("/api/commands/identify", {}, password=PASSWORDS.get(role, ""))
        assert answer.status == status, (role, answer)


def test_nobody_off_the_machine_gets_a_picture_without_a_password(outside: Client) -> None:
    for path in ("/api/cameras/cam/picture", "/api/products/sku-00/picture", "/api/events"):
        answer = outside.ask(path)
        assert answer.status == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert b"\xff\xd8" not in answer.body


def test_pages_lead_to_the_password(outside: Client) -> None:
    answer = outside.ask("/")
    assert (answer.status, answer.headers["location"]) == (303, "/login?to=/")
    assert outside.ask("/login").status == 200
    assert outside.ask("/pages/shared.css").status == 200


def test_a_session_is_opened_and_ended(outside: Client) -> None:
    answer = outside.ask("/api/login", {"password": PASSWORDS["viewer"]})
    assert answer.json == {"role": "viewer"}
    said = answer.headers["set-cookie"]
    assert re.fullmatch(r"spotter=[\w.]+; HttpOnly; Max-Age=\d+; Path=/; SameSite=strict", said), said
    cookie = said.partition(";")[0]
    assert outside.ask("/", cookie=cookie).status == 200
    assert outside.ask("/api/status", cookie=cookie).status == 200
    assert outside.ask("/api/commands/identify", {}, cookie=cookie).status == 403
    assert "Max-Age=0" in outside.ask("/api/logout", {}, cookie=cookie).headers["set-cookie"]
    assert outside.ask("/api/status", cookie=cookie).status == 401


def test_passwords_cannot_be_guessed_quickly(guarded: Site, outside: Client) -> None:
    answers = [outside.ask("/api/login", {"password": f"guess {number}"}) for number in range(8)]
    assert [answer.status for answer in answers[:2]] == [401, 401]
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert outside.ask("/api/status", password="another guess").status == 429
    assert guarded.ask("/api/status", password=PASSWORDS["viewer"]).status == 200  # others go on


FOREIGN = {
    "a form of another site": ({"origin": "http://evil.example"}, 403),
    "a script of another site": ({"sec_fetch_site": "cross-site"}, 403),
    "a site on another port": ({"sec_fetch_site": "same-site"}, 403),
    "a document in a sandbox": ({"origin": "null"}, 403),
    "a form without the witness": ({"x_spotter": ""}, 403),
    "a name of somebody else that leads here": ({"host": "evil.example"}, 421),
    "a name of somebody else with our port": ({"host": "evil.example:80"}, 421),
}


@pytest.mark.parametrize(("headers", "status"), FOREIGN.values(), ids=FOREIGN)
def test_a_page_of_another_site_can_do_nothing(site: Site, headers: dict[str, str], status: int) -> None:
    answer = site.ask("/api/commands/pause", {"camera": "cam"}, **headers)
    assert answer.status == status
    assert answer.detail
    assert site.ask("/api/cameras").json["cameras"][0]["state"] == "online"


def test_a_page_of_another_site_can_read_nothing(site: Site) -> None:
    for path in ("/api/status", "/api/cameras/cam/picture", "/"):
        answer = site.ask(path, sec_fetch_site="cross-site", sec_fetch_mode="no-cors", sec_fetch_dest="image")
        assert answer.status == 403
        assert "access-control-allow-origin" not in site.ask(path).headers
    assert site.ask("/api/status", host="evil.example").status == 421


def test_whoever_comes_through_a_proxy_is_not_taken_for_this_machine(site: Site) -> None:
    for name in ("x_forwarded_for", "forwarded", "via"):
        assert site.ask("/api/status", **{name: "192.0.2.1"}).status == 401


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/nothing", "/pages/live.js", "/healthz", "/login"])
def test_every_answer_says_what_a_browser_may_do_with_it(site: Site, path: str) -> None:
    headers = site.ask(path).headers
    for name, value in SECURE.items():
        assert headers[name].startswith(value)
    assert "unsafe" not in headers["content-security-policy"]
    assert "server" not in headers


REFUSED = {
    "all addresses without a password": (
        {"host": "0.0.0.0"}, r"host: expected a password \(operator, viewer or kiosk\) beside '0.0.0.0', found none",
    ),
    "a name without a password": ({"host": "till-1.example"}, "host: expected a password"),
    "a password as it is": ({"operator": "correct horse"}, "operator: expected what `spotter password` prints"),
    "a hash that costs gigabytes": (
        {"viewer": "scrypt$20$32$1$" + "A" * 22 + "==$" + "A" * 43 + "="}, "viewer: expected parameters of scrypt",
    ),
    "a name with a port": ({"names": ["till:8080"]}, "names: expected names in lower case"),
    "a key without its certificate": ({"key": "key.pem"}, "cert: expected one beside a key"),
    "no port": ({"port": 0}, "port: expected a number from 1 to 65535"),
}  # fmt: skip


@pytest.mark.parametrize(("web", "why"), REFUSED.values(), ids=REFUSED)
def test_a_configuration_that_would_be_open_is_refused(web: dict[str, object], why: str) -> None:
    given = {
        k: Secret(v) if k in {"operator", "viewer"} else tuple(v) if k == "names" else v
        for k, v in web.items()
    }  # type: ignore[arg-type,call-overload]
    with pytest.raises(ValueError, match=why):
        WebSettings(**given)  # type: ignore[arg-type]


def test_the_daemon_does_not_start_open_to_the_network(site: Site, tmp_path: Path) -> None:
    config = tmp_path / "spotter.yaml"
    config.write_text(site.config.read_text().replace('"web": {', '"web": {"host": "0.0.0.0", '))
    with pytest.raises(ConfigError, match=r"web\.host: expected a password"):
        load_config(config)


def test_a_password_is_kept_as_what_scrypt_makes_of_it() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert "correct" not in first
    assert parse_kept(first).matches("correct horse")
    assert not parse_kept(first).matches("correct hors")
    with pytest.raises(ValueError, match="expected at least 8 characters, found 3"):
        hash_password("abc")


def test_the_verb_makes_what_the_configuration_keeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    assert main(["password"]) == 0
    assert parse_kept(capsys.readouterr().out.strip()).matches("correct horse")
    monkeypatch.setattr("sys.stdin", io.StringIO("abc\n"))
    assert main(["password"]) == 2
    said = capsys.readouterr()
    assert (said.out, "expected at least 8 characters, found 3" in said.err) == ("", True)


def settings(**roles: str) -> WebSettings:
    return WebSettings(**{role: Secret(text) for role, text in kept(**roles).items()})


def test_a_session_survives_a_restart_and_ends_with_its_password(tmp_path: Path) -> None:
    old = settings(operator="correct horse", viewer="battery staple")
    key = session_key(tmp_path / "web.key")
    assert (tmp_path / "web.key").stat().st_mode & 0o777 == 0o600
    cookie, lasts = Sessions(old, key).open(Role.OPERATOR, 1000.0)
    again = Sessions(old, session_key(tmp_path / "web.key"))
    assert again.role_of_cookie(cookie, 1000.0 + lasts - 1) is Role.OPERATOR
    assert again.role_of_cookie(cookie, 1000.0 + lasts) is Role.NOBODY
    mightier = cookie.replace("3.", "2.", 1)
    assert again.role_of_cookie(mightier, 1000.0) is Role.NOBODY
    assert again.role_of_cookie(cookie + "0", 1000.0) is Role.NOBODY
    other = settings(operator="another password", viewer="battery staple")
    assert Sessions(other, key).role_of_cookie(cookie, 1000.0) is Role.NOBODY
    assert Sessions(settings(viewer="battery staple"), key).role_of_cookie(cookie, 1000.0) is Role.NOBODY
