"""Processes that embed pictures end when whoever asked for them does, in whatever way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.mosquitto import wait_until
from tests.support.pictures import coded
from tests.support.tiny_models import write_tiny_model
from tests.support.tiny_pictures import drawn_picture

ASKING = """
import sys, time
from agent.adapters.embedder import EmbedderSettings, load_embedder, read_model
from agent.publishing.processes import process_workers
from agent.publishing.worker import Recipe, libraries

settings = EmbedderSettings(file=sys.argv[1])
model, spec = read_model(settings)
recipe = Recipe(model, spec, settings, 1.0, (), libraries(load_embedder(settings)))
picture = open(sys.argv[2], "rb").read()
if __name__ == "__main__":
    with process_workers(recipe, 2) as (submit, _ahead):
        for answer in [submit("embed", (picture,)) for _ in range(8)]:
            answer()
        print("at work", flush=True)
        time.sleep(600)
"""


def below(pid: int) -> set[int]:
    """Processes that this one started, and those that they did."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, edge = set(), {pid}
    while edge:
        edge = {child for child, parent in parents.items() if parent in edge}
        found |= edge
    return found


def runs(pid: int) -> bool:
    """One that ended and that nobody asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_that_is_killed_leaves_no_workers_behind(tmp_path: Path) -> None:
    script, picture = tmp_path / "asking.py", tmp_path / "picture.jpg"
    script.write_text(ASKING)
    picture.write_bytes(coded(drawn_picture(1), ".jpg"))
    command = [sys.executable, script, write_tiny_model(tmp_path), picture]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "at work\n"
        started = below(asking.pid)
        assert len(started) >= 3, "two workers, and what they are forks of"
        asking.kill()
    wait_until(lambda: not any(map(runs, started)))
