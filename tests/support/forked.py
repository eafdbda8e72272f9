"""`spotter` as a shell runs it, in processes that are forked from one that has loaded the libraries.

Loading them takes 0.6 s of CPU, what most tests ask for 0.05. Each command still has a process of its own, with
its own standard streams, environment and exit code, which a signal may end. Ray must be loaded before usearch
is: `--engine ray` needs a Python of its own.

As a program it is the process that is forked: requests come as JSON over the socket that is its standard input,
with the descriptors of the command's output, of its errors, and of a pipe that its number and its exit code go
to. It ends with whoever asks.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
_MESSAGE_BYTES = 1 << 17  # arguments and environment
_lock = threading.Lock()
_asking: list[socket.socket] = []


class Forked:
    """One verb in a process of its own, spoken to as a `subprocess.Popen` is. Any thread may start one."""

    def __init__(self, arguments: Sequence[str], out: int, err: int) -> None:
        """What it prints goes to these descriptors."""
        self.args = arguments
        self.returncode: int | None = None
        told, tell = os.pipe()
        self._answer = os.fdopen(told, "rb", buffering=0)  # what `select` waits for is in no buffer
        request = json.dumps([arguments, dict(os.environ)]).encode()
        try:
            with _lock:
                socket.send_fds(_socket(), [request], [out, err, tell])
        finally:
            os.close(tell)
        self.pid = int(self._answer.readline())

    def poll(self) -> int | None:
        """The exit code, below zero where a signal ended it; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; subprocess.TimeoutExpired where that takes longer."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._answer], [], [], timeout)[0]:
            self.returncode = int(self._answer.readline())
            self._answer.close()
        return self.returncode


def forked(
    arguments: Sequence[str], timeout_s: float, errors: str = "strict"
) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end; what it printed is decoded with this handling of errors."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Forked(arguments, out.fileno(), err.fileno())
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
            process.wait()
        printed = []
        for file in (out, err):
            file.seek(0)
            printed.append(file.read().decode(errors=errors))
    return subprocess.CompletedProcess(arguments, code, *printed)


def _socket() -> socket.socket:
    """To the process that is forked, which is started when it is first needed."""
    if not _asking:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen([sys.executable, "-m", "tests.support.forked"], cwd=ROOT, stdin=theirs)
        _asking.append(ours)
        atexit.register(lambda: (ours.close(), process.wait()))
    return _asking[0]


def _load() -> None:
    """All of the agent, and with it what it imports."""
    import agent
    from agent.adapters.embedder import library_module

    import_module(library_module())
    for module in pkgutil.walk_packages(agent.__path__, "agent."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    gc.freeze()  # what is here for good is not looked through at the end of each: 0.05 s instead of 0.16


def _become_asked() -> list[str]:
    """Answer requests; return, in a process made for it, with the arguments of each."""
    asked = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        request, descriptors, *_ = socket.recv_fds(asked, _MESSAGE_BYTES, 3)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    out, err, tell = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked.close()
    number = os.fork()
    if number:
        os.write(tell, b"%d\n" % number)
        _, status = os.waitpid(number, 0)
        os.write(tell, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(tell)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in zip((nothing, out, err), range(3), strict=True):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    arguments, environment = json.loads(request)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


if __name__ == "__main__":
    _load()
    sys.argv[1:] = _become_asked()
    runpy.run_module("agent", run_name="__main__", alter_sys=True)
