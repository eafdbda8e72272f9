"""The receiver in the README is one: it takes what Spotter signs, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from agent.adapters.system import SystemClock
from agent.adapters.webhook import Webhook, WebhookSettings
from agent.core.posts import Fate
from agent.core.settings import Secret
from agent.core.wire.posted import posted
from tests.core.test_wire import KNOWN, WIRE
from tests.support.mosquitto import free_port, wait_until
from tools.readme import README


def receiver() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if "Webhook-Signature" in block]
    return str(code)


def test_it_takes_what_is_signed_and_nothing_else(tmp_path: Path) -> None:
    port = free_port()
    fact = WIRE.recognition(KNOWN)
    body, content_type = posted([fact], WIRE.root, "plain")
    code = receiver()
    assert "8080" in code
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", code.replace("8080", str(port))],
            env={**os.environ, "WEBHOOK_SECRET": "a secret"},
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    try:

        def post(secret: str, sent: bytes = body) -> Fate:
            hook = Webhook(
                WebhookSettings(url=f"http://127.0.0.1:{port}/", secret=Secret(secret), timeout_s=5),
                SystemClock(),
            )
            said = hook.post(sent, content_type, "m1")
            hook.close()
            return said.fate

        wait_until(lambda: post("a secret") is Fate.TAKEN)
        assert post("another") is Fate.SHUT
        printed = (tmp_path / "out").read_text()
        assert printed.count(fact.topic) == 1
        assert KNOWN.product is not None
        assert KNOWN.product.sku in printed
    finally:
        process.kill()
        process.wait()
