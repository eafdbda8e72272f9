"""What a store carries: a text file with one SKU a line.

Empty lines and those that begin with `#` are left out; a SKU may be there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.core.errors import ConfigError, quoted
from agent.core.product_rules import sku_problem

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 16_000_000
"""200,000 SKUs of 80 letters: no store carries more."""


def read_assortment(path: Path) -> frozenset[str]:
    """The SKUs in the file.

    Raises:
        ConfigError: naming file and line, what was expected and what was found.
    """
    where = f"decision.assortment: {path}"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: no path at all, as one with NUL is
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{where}: expected a file that can be read, found: {why}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{where}: expected at most {MAX_BYTES} bytes, found more")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{where}:{number}: expected UTF-8, found byte 0x{raw[error.start]:02x}") from None
    found = set()
    for number, line in enumerate(text.split("\n"), 1):
        sku = line.strip()
        if not sku or sku.startswith("#"):
            continue
        if reason := sku_problem(sku):
            raise ConfigError(f"{where}:{number}: {reason}: {quoted(sku[:80])}")
        found.add(sku)
    if not found:
        raise ConfigError(f"{where}: expected the SKUs that the store carries, one a line, found none")
    return frozenset(found)
