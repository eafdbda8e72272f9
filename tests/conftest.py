"""Fixtures that every room may use."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # for `tests.support` and `tools`

from tests.support.judge import judging_what_is_made, taken_problems  # noqa: E402

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells start what runs in the background so; processes that tests stop by Ctrl-C would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests, files with slow ones go first: begun last, they would be waited for."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photographs and models; tests that need them skip where they are absent."""
    path = Path(os.environ.get("SPOTTER_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"real photographs are not here: {path} does not exist (set SPOTTER_DATA)")
    return path


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep between runs goes to a folder of this run, also from the processes they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def judge() -> Iterator[None]:
    """No message leaves a `Wire` of this process unjudged."""
    with judging_what_is_made():
        yield


@pytest.fixture(autouse=True)
def every_message_is_valid() -> Iterator[None]:
    """A test fails whose messages, made or heard, are not what their schema says."""
    yield
    assert taken_problems() == []
