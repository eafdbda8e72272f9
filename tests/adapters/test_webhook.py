"""One request to a webhook: what is sent, how it is signed, and what each kind of server makes of it."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from agent.adapters.system import SystemClock
from agent.adapters.webhook import Webhook, WebhookSettings
from agent.core.errors import ConfigError
from agent.core.payload import encode
from agent.core.posts import Answer, Fate
from agent.core.settings import Secret
from tests.support import receiver as does
from tests.support.certificates import make_certificates, serving_tls
from tests.support.mosquitto import free_port
from tests.support.receiver import Receiver

BODY = b"[]"


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@contextmanager
def hook(url: str, **more: Any) -> Iterator[Webhook]:
    made = Webhook(WebhookSettings(url=url, **{"timeout_s": 2.0, **more}), SystemClock())
    try:
        yield made
    finally:
        made.close()


def post(url: str, body: bytes = BODY, **more: Any) -> Answer:
    with hook(url, **more) as made:
        return made.post(body, "application/json", "m1")


def test_what_is_sent(server: Receiver) -> None:
    said = post(f"{server.url}/events?shop=12&code=x%2Fy", b"[] ", token=Secret("abc.DEF-1"))
    assert said == Answer(Fate.TAKEN)
    (request,) = server.requests
    assert (request.path, request.body) == ("/events?shop=12&code=x%2Fy", b"[] ")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer abc.DEF-1"
    assert request.headers["webhook-id"] == "m1"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert "webhook-signature" not in request.headers
    assert request.headers["user-agent"].startswith("spotter/")


def test_a_login_in_the_url_is_sent_as_such_and_shown_nowhere(server: Receiver) -> None:
    url = server.url.replace("://", "://eve:s%40cret@") + "/T0/secret-path"
    server.plan = [does.status(500)]
    with hook(url) as made:
        said = made.post(BODY, "application/json", "m1")
        assert made.shown == server.url
    assert server.requests[0].headers["authorization"] == "Basic " + base64.b64encode(b"eve:s@cret").decode()
    assert "secret" not in said.reason + made.shown
    unreachable = post(f"http://eve:secret@127.0.0.1:{free_port()}/secret-path?code=secret")
    assert unreachable == Answer(Fate.AWAY, "no connection: Connection refused")


SECRETS = {
    "text": ("correct horse battery staple", b"correct horse battery staple"),
    "base64": ("whsec_" + base64.b64encode(bytes(range(32))).decode(), bytes(range(32))),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_the_library_of_standard_webhooks_verifies_it(server: Receiver, secret: tuple[str, bytes]) -> None:
    item = {"payload": {"site": "elsewhere", "device": "d", "n": "ä"}, "retain": False, "topic": "t"}
    post(server.url, b"[" + encode(item) + b"]", secret=Secret(secret[0]))
    (request,) = server.requests
    assert Verifier(secret[1]).verify(request.body, request.headers) == [item]
    with pytest.raises(WebhookVerificationError):
        Verifier(b"another").verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret[1]).verify(request.body + b" ", request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret[1]).verify(request.body, request.headers | {"webhook-timestamp": "1767225600"})


ANSWERS: dict[str, tuple[does.Behaviour, Answer]] = {
    "204": (does.taken, Answer(Fate.TAKEN)),
    "200 with a page": (does.status(200), Answer(Fate.TAKEN)),
    "400": (does.status(400), Answer(Fate.UNFIT, "it says that the events are wrong (status 400)")),
    "404": (
        does.status(404),
        Answer(Fate.SHUT, "nothing takes events there: check webhook.url (status 404)"),
    ),
    "500": (does.status(500), Answer(Fate.AWAY, "it is in trouble (status 500)")),
    "429 with seconds": (
        does.status(429, Retry_After="7"),
        Answer(Fate.AWAY, "it has had too many requests (status 429)", 7.0),
    ),
    "503 with what is neither seconds nor a date": (
        does.status(503, Retry_After="soon"),
        Answer(Fate.AWAY, "it is in trouble (status 503)"),
    ),
    "503 with a date that has passed": (
        does.status(503, Retry_After="Thu, 01 Jan 2026 00:00:00 GMT"),
        Answer(Fate.AWAY, "it is in trouble (status 503)"),
    ),
    "a server that hangs": (does.hang, Answer(Fate.AWAY, "no answer in time")),
    "a server that hangs up": (
        does.hang_up,
        Answer(Fate.AWAY, "no connection: 'Remote end closed connection without response'"),
    ),
    "a redirect": (
        does.status(307, Location="https://b.example/x?key=secret"),
        Answer(
            Fate.SHUT,
            "it sends us to another address at 'https://b.example': set webhook.url to that (status 307)",
        ),
    ),
    "a redirect to nowhere": (
        does.status(302, Location="http://["),
        Answer(Fate.SHUT, "it sends us to another address at nowhere: set webhook.url to that (status 302)"),
    ),
}


@pytest.mark.parametrize("case", ANSWERS.values(), ids=ANSWERS)
def test_an_answer(server: Receiver, case: tuple[does.Behaviour, Answer]) -> None:
    server.plan = [case[0]]
    assert post(server.url, timeout_s=0.5) == case[1]
    assert len(server.requests) == 1, "no redirect is followed, and nothing is repeated"


def test_a_server_that_drips_its_head_is_given_up(server: Receiver) -> None:
    """Each byte comes in time, and the answer never."""
    server.plan = [does.drip]
    said = post(server.url, timeout_s=0.5)
    assert said.fate is Fate.AWAY
    assert said.reason in {"no answer in time", "it took longer than it may"}


def test_a_date_to_wait_for(server: Receiver) -> None:
    server.plan = [does.status(503, Retry_After=formatdate(time.time() + 100, usegmt=True))]
    assert 80 < post(server.url).wait_s <= 101


def test_a_body_that_is_refused_before_it_was_read(server: Receiver) -> None:
    server.plan = [does.unread]
    said = post(server.url, b"[" + b" " * 5_000_000 + b"]")
    assert said.fate in {Fate.UNFIT, Fate.AWAY}, "the kernel may throw the answer away with the connection"


def test_a_connection_is_kept_and_made_anew_when_the_server_closed_it(server: Receiver) -> None:
    with hook(server.url) as made:
        for number in range(3):
            assert made.post(BODY, "application/json", str(number)).fate is Fate.TAKEN
        server.stop()
        assert made.post(BODY, "application/json", "3").fate is Fate.AWAY
        server.start()
        assert made.post(BODY, "application/json", "4").fate is Fate.TAKEN
    assert [request.headers["webhook-id"] for request in server.requests] == ["0", "1", "2", "4"]


def test_a_long_answer_does_not_hold_the_next_request_up(server: Receiver) -> None:
    server.plan = [lambda handler: handler.reply(200, b"x" * 3_000_000)]
    with hook(server.url) as made:
        assert made.post(BODY, "application/json", "1").fate is Fate.TAKEN
        assert made.post(BODY, "application/json", "2").fate is Fate.TAKEN


def test_certificates_are_verified(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with Receiver(serving_tls(certificates)) as server:
        assert post(server.url, ca=str(certificates / "ca.pem")).fate is Fate.TAKEN
        for ca in ("", str(certificates / "other.pem")):
            said = post(server.url, ca=ca)
            assert said.fate is Fate.AWAY
            assert said.reason.startswith("certificate not trusted: ")
        plain = post(server.url.replace("https", "http"))
        assert plain.fate is Fate.AWAY
        other_name = post(server.url.replace("127.0.0.1", "localhost"), ca=str(certificates / "ca.pem"))
        assert other_name.reason.startswith("certificate not trusted: Hostname mismatch")
        assert len(server.requests) == 1
    with pytest.raises(ConfigError, match=r"webhook\.ca: expected a PEM file"):
        Webhook(WebhookSettings(url="https://h", ca=str(tmp_path / "none.pem")), SystemClock())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no address": ({"url": "h/path"}, "url: expected http"),
    "another scheme": ({"url": "ftp://h/"}, "url: expected http"),
    "a fragment": ({"url": "http://h/#x"}, "url: expected http"),
    "a secret that is no base64": ({"secret": Secret("whsec_!")}, "secret: expected base64"),
    "a secret without bytes": ({"secret": Secret("whsec_")}, "secret: expected base64"),
    "two logins": ({"url": "http://a:b@h/", "token": Secret("x")}, "token: expected none beside a login"),
    "a token on two lines": ({"token": Secret("a\nb")}, "token: expected printable"),
    "an empty batch": ({"batch": 0}, "batch: expected a number"),
    "no patience": ({"timeout_s": 0.0}, "timeout_s: expected a number"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_settings_that_are_refused(case: tuple[dict[str, Any], str]) -> None:
    with pytest.raises(ValueError, match="^" + case[1]) as raised:
        WebhookSettings(**{"url": "http://h/", **case[0]})
    assert "a\nb" not in str(raised.value)


def test_stopping_ends_a_request_that_hangs(server: Receiver) -> None:
    class Stopping(SystemClock):
        def wait(self, seconds: float) -> bool:
            return True

    server.always = does.hang
    with hook(server.url) as made:
        made._http.pace._clock = Stopping()
        assert made.post(BODY, "application/json", "1").reason == "interrupted: Spotter is stopping"
