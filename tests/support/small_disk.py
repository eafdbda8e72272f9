"""A small disk of its own, mounted, that can be filled and turned read-only. Needs root."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

SIZE_BYTES = 48 << 20


class Disk:
    """A small disk of its own, mounted."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self.path.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(self.path)],
            check=True,
            capture_output=True,
        )
        self._filler = self.path / "filler"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, left_bytes: int) -> None:
        """Until so much is free; others may write meanwhile."""
        self.empty()
        with self._filler.open("wb") as filler:
            for _ in range(100):
                with suppress(OSError):  # somebody was quicker: less is free now
                    os.posix_fallocate(filler.fileno(), 0, max(1, self.free_bytes - left_bytes))
                    return
        raise OSError(f"{self.path}: could not be filled")

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.path)], check=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
