"""The state directory: who may use it, and whether they can."""

from __future__ import annotations

import os
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from agent.adapters.system import Lock
from agent.core.errors import ConfigError, DeviceError

if TYPE_CHECKING:
    from pathlib import Path


def lock_state(folder: Path) -> Lock:
    """Make the state directory where it is missing, and hold it: two daemons would send each fact twice.

    Raises:
        ConfigError: another process holds it.
        DeviceError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Lock(folder / "lock")
    except BlockingIOError:
        raise ConfigError(
            f"state_dir: expected a directory of this process alone, found {folder} in use by another"
        ) from None
    except OSError as error:
        raise DeviceError(
            f"state_dir: expected a directory that can be written, found {folder}: {error.strerror}"
        ) from None


def check_state(folder: Path) -> None:
    """Refuse a state directory that this user could not make or write; nothing is made or left behind.

    Raises:
        DeviceError: it cannot be made or written, or a file in it belongs to somebody else.
    """
    where = folder
    try:
        where = next(path for path in (folder, *folder.parents) if path.exists())
        TemporaryFile(dir=where).close()  # has no name: not even a kill leaves it behind
        for file in (
            *folder.glob("outbox.db*"),
            *folder.glob("webhook.db*"),
            *folder.glob("overlay/overlay.db*"),
            *folder.glob("unknown/unknown.db*"),
            *folder.glob("lock"),
        ):
            where = file
            file.open("r+b").close()
    except OSError as error:
        raise DeviceError(
            f"state_dir: expected {folder} to be writable for user {os.getuid()}, "
            f"found {where}: {error.strerror}"
        ) from None


def check_user(folder: Path) -> None:
    """Refuse to change, as root, the state of a daemon that runs as another user.

    What root makes there that user can neither read nor replace: one round of root stopped all later ones.

    Raises:
        DeviceError: it is another user's.
    """
    try:
        owner = (folder / "lock").stat().st_uid  # made by every daemon when it starts
    except OSError:
        return  # none has run here, or it will be met and said by what comes next
    if os.geteuid() == 0 and owner != 0:
        raise DeviceError(
            f"state_dir: expected user {owner} to change {folder}, who runs the daemon, found root: "
            "what root makes there the daemon cannot replace; README.md says how to be that user"
        )
