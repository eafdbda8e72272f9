"""One shop, and two devices in it: one that asks nobody on this machine for a password, and one that does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.web import Shop, Site, kept


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def site(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Open to this machine."""
    made = Site(shop, tmp_path_factory.mktemp("site")).wait()
    yield made
    made.close()


@pytest.fixture(scope="session")
def guarded(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """On all addresses, with a password for each role; nobody is to see the left of the picture."""
    camera = {"privacy": {"masks": [[0, 0, 0.5, 1]]}}
    made = Site(shop, tmp_path_factory.mktemp("guarded"), camera=camera, host="0.0.0.0", **kept()).wait()
    yield made
    made.close()
