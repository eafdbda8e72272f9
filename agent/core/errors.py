"""Every error Spotter raises on purpose, grouped by who must act.

    AgentError
    ├── UsageError          whoever typed the command: an argument is wrong (exit 2)
    ├── ConfigError         the operator: a file they wrote is wrong (exit 78, systemd does not restart)
    │   ├── ModelError      … the model or its spec
    │   └── CatalogueError  … the catalogue directory: manifest, index or products table
    ├── InputError          whoever sent it: one image, row or message is refused, the rest goes on
    ├── DeviceError         hardware or OS: that part restarts with back-off, others are unaffected
    ├── SyncError
    │   ├── TransferError   the way there: retry
    │   └── VerifyError     the bytes: keep what we hold, alarm, never the same digest again
    └── BrokerError         the MQTT broker: facts stay in the outbox

A message is one line that names the file, the field, what was expected and what was found.
Misuse of an API is not here: that is `ValueError` or `RuntimeError`.
"""

from __future__ import annotations

import re

OUTSIDE_LIMIT = 255
"""Characters kept of text that comes from outside when it is quoted in an error or a log line."""


class AgentError(Exception):
    """Anything Spotter refuses or fails at, in one line for the person who has to act."""


class UsageError(AgentError):
    """An argument of a command is wrong, or one is missing."""


class ConfigError(AgentError):
    """A file the operator wrote or installed is wrong; starting again will not help."""


class ModelError(ConfigError):
    """The model file, its spec, or the delegate that should run it."""


class CatalogueError(ConfigError):
    """The catalogue directory: its manifest, its index or its products table."""


class InputError(AgentError):
    """One image, row or message from outside is refused; whatever surrounds it goes on."""


class DeviceError(AgentError):
    """A camera, disk or other hardware failed; the part that uses it is restarted with back-off."""


class SyncError(AgentError):
    """The catalogue could not be brought up to date; the device goes on with what it holds."""


class TransferError(SyncError):
    """The bytes did not arrive; trying again may help."""


class VerifyError(SyncError):
    """The bytes arrived and are not what was signed; trying the same again will not help."""


class BrokerError(AgentError):
    """The broker is away or refuses us; facts wait in the outbox."""


def quoted(outside: object) -> str:
    r"""Text from outside made safe to show: one line, no control characters, bounded.

    `quoted("a\nb")` → `'a\\nb'`
    """
    text = repr(outside)
    return text if len(text) <= OUTSIDE_LIMIT else f"{text[:OUTSIDE_LIMIT]}… ({len(text)} characters)"


def masked_url(url: str) -> str:
    """The URL with its password replaced, for logs and errors; also one that is wrongly written.

    `masked_url("rtsp://eve:secret@cam/1")` → `'rtsp://eve:***@cam/1'`
    `masked_url("http://cam/shot?user=eve&pwd=secret")` → `'http://cam/shot?user=eve&pwd=***'`
    """
    head, separator, rest = url.partition("://")
    if not separator:
        return url
    # The last @ of all: a password with a / or ? that nobody quoted must not be shown either.
    user, at, host = rest.rpartition("@")
    name, colon, password = user.partition(":")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    only_a_port = "@" not in authority and re.match(r"\d+([/?#]|$)", password)
    if at and colon and not only_a_port:
        rest = f"{name}:***@{host}"
    return _SECRET_VALUE.sub(r"\g<1>***", f"{head}://{rest}")


_SECRET_VALUE = re.compile(r"([?&][^=&]*(?:pass|pwd|token|secret|key|auth)[^=&]*=)[^&#]*", re.IGNORECASE)
