"""A real Ray cluster of this machine gives what the default engine gives; what goes wrong there is one line."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest

from agent.core.errors import UsageError
from agent.publishing import cluster
from tests.support.mosquitto import free_port
from tests.support.road import ROOT, picture, until
from tests.support.tflite_note import without_note
from tests.support.tiny_models import write_tiny_model

with_ray = [
    pytest.mark.skipif(not find_spec("ray"), reason="needs Ray: pip install 'spotter-agent[cluster]'"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight products with ten pictures each, two files among them that are none."""
    root = tmp_path_factory.mktemp("products")
    for product in range(8):
        folder = root / f"sku-{product}"
        folder.mkdir()
        for view in range(10):
            cv2.imwrite(str(folder / f"{view}.png"), picture(product, view))
    (root / "sku-3" / "4.png").write_bytes(b"")
    (root / "sku-5" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    return root


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """With a token of our own, so that Ray looks for none in anybody's home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def is_listening(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def running(environment: dict[str, str]) -> Iterator[str]:
    """The address of a cluster that runs by itself, as one of several machines does."""
    port = free_port()
    start = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus", "2"]
    head = subprocess.Popen(
        [*start, "--port", str(port), "--include-dashboard", "false", "--disable-usage-stats"],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: head.poll() is not None or is_listening(port), 60)
    yield f"127.0.0.1:{port}"
    head.terminate()
    head.wait()


def build(products: Path, model: Path, out: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "agent", "catalog", "build", str(products), "--model", str(model)]
    return [*command, "-o", str(out), "--json", "--no-cache", *more]


def call(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)


STORIES = {
    "DiesOnce": ("Answer", r"\(0, 1, 2\)"),
    "DiesAlways": ("DeviceError", "ray: pictures were given up after 4 tries: "),
    "IsNoModel": ("ModelError", "tiny.tflite: expected a model, found none$"),
    "LacksALibrary": ("DeviceError", "ray: a worker failed: .*No module named"),
    "OtherLibraries": ("DeviceError", r".* expected ai-edge-litert 0\.1, .* as here, found "),
}

NO_CLUSTER = {
    "nobody listens": ("127.0.0.1:1", "'127.0.0.1:1': no cluster: .*refused"),
    "a name that is none": ("no such host:6379", "'no such host:6379': no cluster: "),
    "a port that is none": ("127.0.0.1:99999", "'127.0.0.1:99999': no cluster: "),
    "no port": ("nonsense", "expected a cluster as HOST:PORT, found 'nonsense'"),
    "the address of a Ray client": ("ray://127.0.0.1:10001", "expected a cluster as HOST:PORT"),
}


class TestCluster:
    """On clusters of this machine."""

    pytestmark = with_ray

    def test_every_engine_gives_the_same_release_to_the_last_byte(
        self, running: str, products: Path, model: Path, environment: dict[str, str], tmp_path: Path
    ) -> None:
        engines = {
            "one process": ("--jobs", "1"),
            "two processes": ("--jobs", "2"),
            "a cluster that ends with it": ("--engine", "ray", "--jobs", "2"),
            "a cluster that runs": ("--engine", "ray", "--ray-address", running),
            "the same by RAY_ADDRESS, a chunk at a time": ("--engine", "ray", "--jobs", "1"),
        }
        said, contents = [], []
        for name, options in engines.items():
            more = {"RAY_ADDRESS": running} if "RAY_ADDRESS" in name else {}
            done = call(build(products, model, tmp_path / name, *options), environment | more)
            assert done.returncode == 0, done.stderr
            lines = without_note(done.stderr, together=True)
            assert [line.partition(":")[0] for line in lines] == ["left out", "left out"], "Ray is quiet"
            said.append((done.stdout, lines))
            files = [path for path in (tmp_path / name).iterdir() if path.name != "manifest.json"]
            contents.append({path.name: path.read_bytes() for path in files})
        assert json.loads(said[0][0])["references"] == 78
        assert all(one == said[0] for one in said)
        assert all(one == contents[0] for one in contents)

    @pytest.mark.parametrize("story", STORIES)
    def test_what_fails_there_is_tried_again_or_said_in_one_line(
        self, story: str, running: str, model: Path, environment: dict[str, str]
    ) -> None:
        done = call(
            [sys.executable, "-m", "tests.support.ray_child", story, running, str(model)], environment
        )
        kind, text = json.loads(done.stdout or f'["{done.returncode}", ""]')
        assert (kind, bool(re.match(STORIES[story][1], text))) == (STORIES[story][0], True), done
        assert text.isprintable()

    def test_a_cluster_that_does_not_take_our_token_is_one_line(
        self, running: str, products: Path, model: Path, environment: dict[str, str], tmp_path: Path
    ) -> None:
        other = environment | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
        command = build(products, model, tmp_path / "out", "--engine", "ray", "--ray-address", running)
        done = call(command, other)
        assert done.returncode == 1
        assert f"spotter: ray: '{running}': no cluster: it asks for a token" in done.stderr
        assert "Traceback" not in done.stderr
        assert list((tmp_path / "out").iterdir()) == []

    @pytest.mark.parametrize("story", NO_CLUSTER)
    def test_a_cluster_that_is_not_there_is_one_line(
        self, story: str, model: Path, environment: dict[str, str]
    ) -> None:
        address, reason = NO_CLUSTER[story]
        done = call(
            [sys.executable, "-m", "tests.support.ray_child", "none", address, str(model)], environment
        )
        kind, text = json.loads(done.stdout or f'["{done.returncode}", ""]')
        assert (kind, bool(re.match(f"ray: {reason}", text))) == ("DeviceError", True), done
        assert text.isprintable()

    def test_ctrl_c_ends_it_and_leaves_nothing_behind(
        self, products: Path, model: Path, environment: dict[str, str], tmp_path: Path
    ) -> None:
        run = subprocess.Popen(
            build(products, model, tmp_path / "out", "--engine", "ray"),
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        until((tmp_path / "out").exists, 60)
        time.sleep(1)  # in the middle of starting the cluster, the longest part
        os.killpg(run.pid, signal.SIGINT)
        out, err = run.communicate(timeout=300)
        assert run.returncode == 130, err
        assert out == ""
        assert "Traceback" not in err
        assert list((tmp_path / "out").iterdir()) == []


def test_without_ray_the_way_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'spotter-agent\[cluster\]'"):
        cluster.load_ray()
