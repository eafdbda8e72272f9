"""What a store carries is read from a text file, or refused by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.assortment import MAX_BYTES, read_assortment
from agent.core.errors import ConfigError


def test_one_sku_a_line(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.write_bytes("\ufeff# 2026\r\nsku-1\r\n\r\n  Käse 7 \nsku-1\n".encode())
    assert read_assortment(file) == {"sku-1", "Käse 7"}


BAD = {
    "nothing in it": (
        b"# all of it\n\n",
        r"expected the SKUs that the store carries, one a line, found none",
    ),
    "another encoding": (b"sku-1\nK\xe4se\n", r":2: expected UTF-8, found byte 0xe4"),
    "a path": (b"sku-1\nmilk/1\n", r":2: expected no slash"),
    "no text": (b"a\0b\n", r":1: expected UTF-8 without NUL"),
    "a table": (b"x" * 500, r":1: expected at most 200 characters, found 500"),
    "far too much": (b"#" * (MAX_BYTES + 1), r"expected at most 16000000 bytes, found more"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_no_list_is_refused_by_file_and_line(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "store"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"decision.assortment: {file}.*{said}"):
        read_assortment(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="store: expected a file that can be read, found: No such file"):
        read_assortment(tmp_path / "store")
    with pytest.raises(ConfigError, match="expected a file that can be read, found: embedded null"):
        read_assortment(tmp_path / "a\0b")
