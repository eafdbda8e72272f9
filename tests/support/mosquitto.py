"""A real mosquitto on a free loopback port, and a subscriber that keeps what it hears in order."""

from __future__ import annotations

import getpass
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.core.payload import content
from tests.support.judge import judge_heard
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

START_S = 10.0 * PATIENCE
"""Longest time until the broker listens, on a machine that does other things too."""


def wait_until(what: Callable[[], Any], timeout_s: float = 20.0, why: str = "") -> None:
    """Poll until `what()` is true; fail the test when it is not in time, on a machine that is quiet."""
    end = time.monotonic() + timeout_s * PATIENCE
    while not what():
        if time.monotonic() > end:
            pytest.fail(f"not within {timeout_s * PATIENCE:g} s: {why or what}")
        time.sleep(0.01)


def find_mosquitto() -> str:
    """Path of the program; Debian keeps it in /usr/sbin, which is not on everybody's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin") or ""


class Mosquitto:
    """`with Mosquitto(tmp_path) as broker:` — stop, kill and start again on the same port.

    Sessions and retained messages are saved under `folder` by `stop()` and, with `autosave_s`, now and then:
    `kill()` forgets what came later. `listener` and `general` are more lines of the configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        listener: Sequence[str] = (),
        general: Sequence[str] = (),
        users: dict[str, str] | None = None,
        autosave_s: int = 0,
    ) -> None:
        self.program = find_mosquitto()
        if not self.program:
            pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
        self.folder = folder
        self._lines = ["per_listener_settings false", "persistence true", f"persistence_location {folder}/"]
        self._lines += [
            f"user {getpass.getuser()}",
            "max_queued_messages 0",
            "log_type all",
            "log_dest stderr",
        ]
        if autosave_s:
            self._lines += [f"autosave_interval {autosave_s}"]
        if users is None:
            self._lines += ["allow_anonymous true"]
        else:
            self._lines += ["allow_anonymous false", f"password_file {folder}/users"]
            write_users(folder / "users", users)
        self._lines += general
        self._listener = list(listener)
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self) -> Mosquitto:
        for _ in range(5):  # somebody else may take the free port first
            self.port = free_port()
            try:
                self.start()
            except ConnectionError:
                continue
            return self
        pytest.fail(f"mosquitto does not start: {self.log()[-2000:]}")

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.kill()

    def start(self) -> None:
        """Listen on the port this broker has had since it was made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([*self._lines, f"listener {self.port} 127.0.0.1", *self._listener, ""]))
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([self.program, "-c", str(config)], stderr=log, stdout=log)
        end = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    raise ConnectionError(self.log()[-2000:]) from None
                time.sleep(0.01)

    def stop(self) -> None:
        """End in good order: everything is saved."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """The process hangs: the port is open and nobody answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    def _end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)
        self.process = None


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def write_users(path: Path, users: dict[str, str]) -> None:
    """A password file; needs `mosquitto_passwd`."""
    path.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
    path.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)


@dataclass(frozen=True)
class Heard:
    """A message as a subscriber received it."""

    topic: str
    payload: bytes
    retain: bool
    correlation: bytes = b""
    content_type: str = ""
    expiry_s: int = 0  # what is left of it
    attributes: Mapping[str, str] = field(default_factory=dict)  # user properties

    @property
    def content(self) -> Any:
        return content(self.payload)


class Subscriber:
    """`with Subscriber(broker.port, "spotter/#") as ear:` keeps what it hears in `ear.heard`.

    With `session` the broker keeps messages for it while it is away, under that client identifier.
    It comes back by itself when the broker does.
    """

    def __init__(
        self,
        port: int,
        *topics: str,
        session: str = "",
        username: str = "",
        password: str = "",
        limit_s: int = 20,
    ) -> None:
        self.heard: list[Heard] = []
        self.changed = threading.Condition()
        self._asked = 0
        self._topics = topics or ("#",)
        self._port = port
        self._session = session
        self._limit_s = limit_s
        self._ready = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=session, protocol=MQTTProtocolVersion.MQTTv5
        )
        if username:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Subscriber:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 86_400 if self._session else 0
        self._client.connect(
            "127.0.0.1", self._port, 30, clean_start=not self._session, properties=properties
        )
        self._client.loop_start()
        if not self._ready.wait(self._limit_s):
            pytest.fail("the subscriber was not let in")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, enough: Callable[[list[Heard]], Any], timeout_s: float = 20.0) -> list[Heard]:
        """What was heard so far, as soon as `enough(heard)`; fails the test when that takes too long."""
        with self.changed:
            if not self.changed.wait_for(lambda: enough(self.heard), timeout_s * PATIENCE):
                last = [(h.topic, h.payload[:60]) for h in self.heard[-5:]]
                pytest.fail(
                    f"not heard within {timeout_s * PATIENCE:g} s; {len(self.heard)} came, the last: {last}"
                )
            return list(self.heard)

    def wait_count(self, count: int, timeout_s: float = 20.0) -> list[Heard]:
        return self.wait_for(lambda heard: len(heard) >= count, timeout_s)

    def on(self, topic: str) -> list[Heard]:
        """What was heard on one topic so far."""
        with self.changed:
            return [h for h in self.heard if h.topic == topic]

    def send(
        self,
        topic: str,
        payload: bytes,
        *,
        answer_to: str = "",
        correlation: bytes = b"",
        retain: bool = False,
    ) -> None:
        """Publish; at return the broker has it."""
        properties: Any = Properties(PacketTypes.PUBLISH)
        if answer_to:
            properties.ResponseTopic = answer_to
        if correlation:
            properties.CorrelationData = correlation
        self._client.publish(topic, payload, 1, retain, properties).wait_for_publish(self._limit_s)

    def ask(self, root: str, name: str, **fields: Any) -> dict[str, Any]:
        """A command to the device with that root, and its answer; `back/#` must be subscribed to."""
        self._asked += 1
        back = f"back/{self._asked}"
        request = json.dumps({"id": f"{self._asked}", **fields}).encode()
        self.send(f"{root}/command/{name}", request, answer_to=back)
        wait_until(lambda: self.on(back), why=f"no answer to {name}")
        return dict(json.loads(self.on(back)[0].payload))

    def is_connected(self) -> bool:
        return self._client.is_connected()

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(topic, mqtt.SubscribeOptions(qos=1)) for topic in self._topics])

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        said = message.properties
        attributes = dict(getattr(said, "UserProperty", ()))
        judge_heard(message.topic, bytes(message.payload), attributes)
        with self.changed:
            self.heard.append(
                Heard(
                    message.topic,
                    bytes(message.payload),
                    message.retain,
                    getattr(said, "CorrelationData", b""),
                    getattr(said, "ContentType", ""),
                    getattr(said, "MessageExpiryInterval", 0),
                    attributes,
                )
            )
            self.changed.notify_all()
