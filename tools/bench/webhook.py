"""What a webhook beside the broker costs a device: the disk, the CPU of each event, and whom it holds up.

The yardsticks are one outbox in place of two, and the same events without an envelope. The server is a
process of its own on loopback.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.adapters.outbox import Half, Outbox, OutboxSettings, Twofold
from agent.adapters.system import SystemClock
from agent.adapters.webhook import Webhook, WebhookSettings
from agent.core.settings import Secret
from agent.poster import Poster
from tools.bench._delivery import WIRE, fact, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.wire import Envelope

_SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(float(sys.argv[1]))
        self.send_response(204)
        self.end_headers()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
_TOGETHER = 5
"""Facts of one frame, stored and flushed together."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Two outboxes over one, CPU and rate of what is posted, and what `put` takes while a server hangs."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench webhook", description=__doc__)
    parser.add_argument("--facts", type=int, default=5000)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="spotter-bench-") as name:
        folder = Path(name)
        one, two = _stored(_one(folder / "one"), args.facts), _stored(_two(folder / "two"), args.facts)
        return {
            "message_bytes": len(fact(0, "cam0", 0.0).payload),
            "one_outbox": one,
            "two_over_one": {key: round(two[key] / one[key], 2) for key in one},
            "posted": {
                envelope: _posted(folder / envelope, args.facts, envelope)
                for envelope in ("plain", "cloudevents")
            },
            "put_us_while_it_hangs": _put_while_it_hangs(folder / "hangs"),
        }


def _one(folder: Path) -> Outbox:
    folder.mkdir()
    return Outbox(folder / "outbox.db")


def _two(folder: Path) -> Twofold:
    folder.mkdir()
    settings = OutboxSettings()
    return Twofold(folder / "outbox.db", Half(folder / "webhook.db", settings), settings)


def _stored(outbox: Outbox, facts: int) -> dict[str, float]:
    """Per fact that is put, flushed, sent and acknowledged, on every way that there is."""
    written, cpu_s = _written(), time.process_time()
    ways = [outbox, outbox.second] if isinstance(outbox, Twofold) else [outbox]
    for number in range(0, facts, _TOGETHER):
        outbox.put([fact(number + n, "cam0", 0.0) for n in range(_TOGETHER)])
        outbox.sync()
        for way in ways:
            way.delivered([stored.seq for stored in way.pending(limit=_TOGETHER)])
    outbox.close()
    return {
        "bytes_per_fact": round((_written() - written) / facts),
        "cpu_us_per_fact": round((time.process_time() - cpu_s) / facts * 1e6, 1),
    }


def _posted(folder: Path, facts: int, envelope: Envelope) -> dict[str, float]:
    """A backlog, to its end: CPU of this process alone, without what it cost to store."""
    both = _two(folder)
    with _Server() as url:
        poster = _poster(both, url, envelope)
        both.put([fact(number, "cam0", 0.0) for number in range(facts)])
        both.sync()
        began, cpu_s = time.monotonic(), _cpu_s()
        while both.second.depth()[0]:
            poster.step(0.1)
        took_s, cpu_s = time.monotonic() - began, _cpu_s() - cpu_s
    both.close()
    return {"facts_per_s": round(facts / took_s), "cpu_us_per_fact": round(cpu_s / facts * 1e6, 1)}


def _put_while_it_hangs(folder: Path) -> dict[str, float]:
    """Microseconds that putting the facts of a frame takes while a request waits for its answer."""
    both = _two(folder)
    with _Server(answers_after_s=3.0) as url:
        poster = _poster(both, url, "plain")
        both.put([fact(0, "cam0", 0.0)])
        both.sync()
        thread = threading.Thread(target=poster.step, args=(0.0,))
        thread.start()
        times = [took for number in range(1000) for took in _timed_put(both, number)]
        hung = thread.is_alive()
        thread.join()
    both.close()
    return {**spread(times, 1e-6), "all_while_it_hung": float(hung)}


def _timed_put(both: Twofold, number: int) -> Iterator[float]:
    facts = [fact(number * _TOGETHER + n, "cam0", 0.0) for n in range(_TOGETHER)]
    began = time.perf_counter()
    both.put(facts)
    yield time.perf_counter() - began


def _poster(both: Twofold, url: str, envelope: Envelope) -> Poster:
    settings = WebhookSettings(url=url, secret=Secret("a secret"))
    hook = Webhook(settings, SystemClock())
    return Poster(both.second, hook, WIRE, SystemClock(), lambda _reason: None, envelope=envelope)


class _Server:
    """Another process."""

    def __init__(self, answers_after_s: float = 0.0) -> None:
        self._after_s = answers_after_s

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(self._after_s)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        return f"http://127.0.0.1:{int(self._process.stdout.readline())}/"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def _written() -> int:
    """Bytes that this process gave to the kernel to write into files."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
