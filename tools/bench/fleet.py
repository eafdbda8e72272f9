"""Many devices on one broker: what arrives, how soon, what is lost, and how they come back after an outage.

Each device is what the daemon is made of behind its decisions: wire, outbox with a file of its own, publisher
and the threads of both; many of them share a process. Facts are made at a steady rate, and heard by consumers
in processes of their own, which count by the ids. The storm kills the broker, starts it again, and lets all
devices come back at once, while facts go on.

The files are on a disk in memory where there is one: devices have a disk each, and one for all of them would
be what is measured. What makes the facts shares the processes of the devices, so they cost a little less.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.bench._delivery import ROOT, spread
from tools.bench._fleet import FLEET, wire_of
from tools.bench._fleet_ear import clear
from tools.shop_demo.processes import start_broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.shop_demo.processes import Program

FILES_OF_A_DEVICE = 12
"""Descriptors: database, log and shared memory, each twice; the log once more; one socket, two of a bell."""

_QUIET_S = 2.0
"""For so long a phase is let run before the broker is killed."""


def measure(argv: list[str]) -> dict[str, Any]:
    """Messages a second, latencies, losses, and what a device and the broker take."""
    args = _parser().parse_args(argv)
    per_process = -(-args.devices // args.processes)
    _allow_files(max(per_process * FILES_OF_A_DEVICE, args.devices) + 100)
    memory = Path("/dev/shm")  # where it is, it is the usual place
    base = args.folder or (str(memory) if os.access(memory, os.W_OK) else None)
    with tempfile.TemporaryDirectory(prefix="spotter-fleet-", dir=base) as name:
        return _Run(args, Path(name)).all_of_it()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.bench fleet", description=__doc__)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--rate", type=float, default=1.0, help="facts a second of each device")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the steady part")
    parser.add_argument("--away", type=float, default=5.0, help="seconds without a broker; 0: no storm")
    parser.add_argument("--processes", type=int, default=8, help="that the devices share")
    parser.add_argument("--consumers", type=int, default=1, help="more than one: a shared subscription")
    parser.add_argument("--folder", help="where the outboxes are")
    parser.add_argument(
        "--broker", metavar="URL", help="one that is there (no storm); else a mosquitto is started"
    )
    parser.add_argument("--username", default="", help="login at that broker")
    parser.add_argument("--password-file", default="", help="its password")
    parser.add_argument("--ca", default="", help="certificates that its own is signed by, PEM")
    return parser


class _Run:
    """One measurement, from an empty folder on."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self._args = args
        self._folder = folder
        self._broker: Program | None = None
        self._port = 0
        args.processes = min(args.processes, args.devices)
        url = args.broker
        if not url:
            self._broker, self._port = start_broker(folder)
            url = f"mqtt://127.0.0.1:{self._port}"
        password = Path(args.password_file).read_text().strip() if args.password_file else ""
        self._way = {"url": url, "username": args.username, "password": password, "ca": args.ca}

    def all_of_it(self) -> dict[str, Any]:
        """The figures."""
        args, ends = self._args, list[_Child]()
        try:
            ears = [self._ear(number) for number in range(args.consumers)]
            ends += ears
            for ear in ears:
                ear.heard()  # it has subscribed
            workers = [self._worker(number) for number in range(args.processes)]
            ends += workers
            for worker in workers:
                worker.heard()  # its devices are made
            began = time.time()
            _tell(workers, "connect")
            online = [at for worker in workers for at in worker.heard()["online_at"].values()]
            figures = {
                "devices": len(online),
                "rate": args.rate,
                "consumers": args.consumers,
                "all_online_s": round(max(online) - began, 2),
                "steady": self._phase(workers, ears, args.seconds),
            }
            if args.away and self._broker is not None:
                figures["storm"] = self._storm(workers, ears)
            return figures
        finally:
            for child in ends:
                child.end()
            if self._broker is None:
                clear(self._way, [wire_of(number) for number in range(args.devices)])
            else:
                self._broker.stop()

    def _phase(self, workers: Sequence[_Child], ears: Sequence[_Child], seconds: float) -> dict[str, Any]:
        cpu_s, began = _cpu_s(self._broker), time.monotonic()
        _tell(workers, "go")
        time.sleep(seconds)
        reports = _ask(workers, "stop")
        took_s, cpu_s = time.monotonic() - began, _cpu_s(self._broker) - cpu_s
        return _summed(reports, _ask(ears, "report"), took_s) | _of_broker(self._broker, cpu_s, took_s)

    def _storm(self, workers: Sequence[_Child], ears: Sequence[_Child]) -> dict[str, Any]:
        assert self._broker is not None
        began = time.monotonic()
        _tell(workers, "go")
        time.sleep(_QUIET_S)
        os.kill(self._broker.pid, signal.SIGKILL)
        time.sleep(self._args.away)
        self._broker.stop()
        self._broker, _ = start_broker(self._folder, self._port)
        back = time.time()
        time.sleep(_QUIET_S)
        reports = _ask(workers, "stop")  # waits until all are back, and have told everything
        done_s = time.time() - back
        figures = _summed(reports, _ask(ears, "report"), time.monotonic() - began)
        back_s = sorted(at - back for report in reports for at in report["online_at"].values())
        return {
            "devices_back": len(back_s),
            "back_s": spread(back_s, 1.0, 2),
            "all_told_s": round(done_s, 2),
            **figures,
        }

    def _worker(self, number: int) -> _Child:
        args = self._args
        mine = range(number, args.devices, args.processes)
        folder = self._folder / f"worker-{number}"
        folder.mkdir()
        plan = {"devices": list(mine), "folder": str(folder), "rate": args.rate, "broker": self._way}
        return _Child("tools.bench._fleet", plan)

    def _ear(self, number: int) -> _Child:
        share = "$share/bench/" if self._args.consumers > 1 else ""
        plan = {
            "name": f"{FLEET}-ear-{number}",
            "topics": f"{share}{FLEET}/+/+/+/recognition",
            "broker": self._way,
        }
        return _Child("tools.bench._fleet_ear", plan)


@dataclass(slots=True)
class _Child:
    """A process that is told words, and answers in lines of JSON."""

    module: str
    plan: dict[str, Any]
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", self.module, json.dumps(self.plan)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"{self.module}: expected an answer, found its end (code {self.process.wait()})"
            )
        return dict(json.loads(line))

    def end(self) -> None:
        """It ends with its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def _tell(children: Sequence[_Child], word: str) -> None:
    for child in children:
        child.tell(word)


def _ask(children: Sequence[_Child], word: str) -> list[dict[str, Any]]:
    _tell(children, word)
    return [child.heard() for child in children]


def _summed(
    reports: Sequence[dict[str, Any]], ears: Sequence[dict[str, Any]], took_s: float
) -> dict[str, Any]:
    told = set(_each(reports, "ids"))
    heard = list(_each(ears, "ids"))
    ages_ms = list(_each(ears, "ages_ms"))
    devices = sum(report["devices"] for report in reports)
    cpu_s = sum(report["cpu_s"] for report in reports)
    return {
        "facts": len(told),
        "messages_per_s": round(len(heard) / took_s),
        "lost": len(told - set(heard)),
        "duplicates": len(heard) - len(set(heard)),
        "given_up_by_outboxes": sum(report["dropped"] for report in reports),
        "in_order": all(ear["in_order"] for ear in ears),
        "put_to_heard_ms": spread(ages_ms, 1.0, 1),
        "payload_bytes": reports[0]["payload_bytes"],
        "packet_bytes": reports[0]["packet_bytes"],
        "per_device": {
            "cpu_us_per_fact": round(cpu_s / len(told) * 1e6, 1),
            "cpu_percent_of_a_core": round(100 * cpu_s / took_s / devices, 3),
            "memory_mb": round(sum(report["grown_mb"] for report in reports) / devices, 2),
        },
    }


def _each(reports: Sequence[dict[str, Any]], key: str) -> Iterator[Any]:
    for report in reports:
        yield from report[key]


def _of_broker(broker: Program | None, cpu_s: float, took_s: float) -> dict[str, Any]:
    if broker is None:
        return {}
    pages = int(Path(f"/proc/{broker.pid}/statm").read_text().split()[1])
    memory_mb = round(pages * resource.getpagesize() / 1e6, 1)
    return {"broker": {"cpu_percent_of_a_core": round(100 * cpu_s / took_s, 1), "memory_mb": memory_mb}}


def _cpu_s(broker: Program | None) -> float:
    if broker is None:
        return 0.0
    fields = Path(f"/proc/{broker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _allow_files(count: int) -> None:
    """Let this process and its children have so many descriptors, as far as the system lets them.

    Raises:
        OSError: it does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and count > hard:
        raise OSError(
            f"expected {count} open files to be allowed, found {hard}: raise `ulimit -Hn`, or --processes"
        )
    if soft != resource.RLIM_INFINITY and count > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
