"""What happens is told to whoever looks as it happens, and nobody who is slow holds up anybody."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

from agent.adapters.web import Asker, Note
from agent.adapters.web.stream import READERS, Hub, Reader
from agent.core.access import Role
from tests.support.web import PASSWORDS, Client, Site


def heard(client: Client, many: int, *more: str) -> Iterator[tuple[str, Any]]:
    """Events with their names."""
    with socket.create_connection((client.host, client.port), 20) as sock:
        lines = "".join(f"{line}\r\n" for line in ("Host: localhost", *more))
        sock.sendall(f"GET /api/events HTTP/1.1\r\n{lines}\r\n".encode())
        file = sock.makefile("rb")
        assert b" 200 " in file.readline()
        name = ""
        for line in file:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])
                many -= 1
                if not many:
                    return


def test_whoever_looks_is_told_how_things_are_and_then_what_happens(site: Site) -> None:
    notes = list(heard(site, 30))
    names = [name for name, _ in notes]
    assert names[:3] == ["status", "states", "scene"]
    assert {"scene", "told", "status"} <= set(names)
    scene = next(body for name, body in notes if name == "scene" and body["things"])
    assert (scene["camera"], scene["width"], scene["height"]) == ("cam", 240, 240)
    thing = scene["things"][0]
    assert thing["verdict"] in {"known", "ambiguous", "unknown", "undecided"}
    assert thing["box"] == [0, 0, 240, 240]
    told = next(body for name, body in notes if name == "told")
    assert told["topic"] == "spotter/test/dev-1/cam/recognition"


def test_the_picture_of_a_scene_is_the_one_that_is_sent(site: Site) -> None:
    for name, body in heard(site, 200):
        if name == "scene":
            tag = site.ask("/api/cameras/cam/picture").headers["etag"].strip('"')
            if tag == str(body["picture"]):
                return
    raise AssertionError("no picture had the number of its scene")


def test_a_kiosk_hears_nothing_of_what_the_cameras_see(guarded: Site) -> None:
    with socket.create_connection((guarded.host, guarded.port), 3) as sock:
        sock.sendall(
            f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {PASSWORDS['kiosk']}\r\n\r\n".encode()
        )
        said = b""
        try:
            while part := sock.recv(65_536):
                said += part
        except TimeoutError:
            pass
    assert said.startswith(b"HTTP/1.1 200")
    assert b"event:" not in said


class Happenings:
    """The device, as far as the stream goes: a test makes things happen."""

    def __init__(self) -> None:
        self.hear: Callable[[Note], None] | None = None
        self.left = 0

    def follow(self, hear: Callable[[Note], None]) -> Callable[[], None]:
        self.hear = hear

        def leave() -> None:
            self.hear = None
            self.left += 1

        return leave

    def tick(self) -> list[Note]:
        return []

    def do(self, operation: str, arguments: Any, asker: Asker) -> Any:
        raise NotImplementedError

    def metrics(self) -> str:
        return ""

    def unready(self) -> str:
        return ""


def note(number: int, slot: str = "") -> Note:
    return Note("told" if not slot else "scene", "recognition", {"number": number}, slot)


def test_only_the_latest_of_what_a_camera_shows_waits() -> None:
    async def look() -> list[Note]:
        reader = Reader(Role.VIEWER)
        for number in range(1000):
            reader.put(note(number, "scene/a"))
            reader.put(note(number, "scene/b"))
        return await reader.take(1.0)

    assert [each.body["number"] for each in asyncio.run(look())] == [999, 999]


def test_a_reader_that_does_not_keep_up_is_sent_away() -> None:
    async def look() -> tuple[bool, list[Note]]:
        reader = Reader(Role.VIEWER)
        for number in range(1000):
            reader.put(note(number))
        return reader.ended, await reader.take(1.0)

    assert asyncio.run(look()) == (True, [])


def test_nobody_is_listened_to_while_nobody_looks() -> None:
    device = Happenings()

    async def look() -> bytes:
        hub = Hub(device)
        assert device.hear is None
        said: list[bytes] = []
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message.get("body", b""))
            if b'"number":7' in message.get("body", b""):
                gone.set()

        serving = asyncio.create_task(hub.serve(Role.VIEWER, receive, send, [note(6)]))
        await asyncio.sleep(0.05)
        assert device.hear is not None
        await asyncio.to_thread(device.hear, note(7))
        await asyncio.wait_for(serving, 5)
        return b"".join(said)

    said = asyncio.run(look())
    assert said.index(b'"number":6') < said.index(b'"number":7')
    assert (device.hear, device.left) == (None, 1)


def test_there_is_an_end_to_those_who_may_look_at_once() -> None:
    async def look() -> tuple[bool, bool]:
        hub = Hub(Happenings())

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {}

        async def send(message: Any) -> None:
            return None

        before = hub.full
        serving = [asyncio.create_task(hub.serve(Role.VIEWER, receive, send, [])) for _ in range(READERS)]
        await asyncio.sleep(0.05)
        full = hub.full
        hub.close()
        await asyncio.wait_for(asyncio.gather(*serving), 5)
        return before, full

    assert asyncio.run(look()) == (False, True)
