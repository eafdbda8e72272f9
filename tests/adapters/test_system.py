"""What the kernel tells of the machine, and what is made of nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.system import temperature_c


@pytest.mark.parametrize(
    ("zones", "hottest"),
    [
        ([], None),
        ([b""], None),
        ([b"-\n"], None),
        ([b"-274000\n", b"2147483647\n"], None),
        ([b"48300\n"], 48.3),
        ([b"-5000\n", b"61250\n", b"x", b"60000\n"], 61.25),
    ],
    ids=["none", "empty", "no number", "not of this world", "one", "the hottest of those that say something"],
)
def test_the_hottest_part_is_told(zones: list[bytes], hottest: float | None, tmp_path: Path) -> None:
    (tmp_path / "cooling_device0").mkdir()
    (tmp_path / "thermal_zone9").mkdir()  # one that is switched off
    for number, content in enumerate(zones):
        folder = tmp_path / f"thermal_zone{number}"
        folder.mkdir()
        (folder / "temp").write_bytes(content)
    assert temperature_c(tmp_path) == hottest
