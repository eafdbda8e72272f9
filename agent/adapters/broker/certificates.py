"""Certificates of an encrypted connection: read for each one, so that what was renewed on the disk counts."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.core.errors import ConfigError

if TYPE_CHECKING:
    from agent.adapters.broker.settings import BrokerSettings

_EVERY_S: Final = 10.0
"""How often it is looked whether the files were renewed: three `stat` calls."""

_Signature = tuple[tuple[int, int, int], ...]


class Certificates:
    """The files that the settings name. Certificates are verified, always; there is no switch."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._files = [name for name in (settings.ca, settings.cert, settings.key) if name]
        self._used: _Signature = ()  # of the files as they were last read
        self._looked_at = 0.0
        self.problem = ""
        """Why files that were renewed are not used; empty when all is well."""

    def context(self, now: float) -> ssl.SSLContext:
        """What they are now, for one connection.

        Raises:
            ConfigError: naming the certificate file that is missing or is not one.
        """
        settings, files = self._settings, self._settings.ca
        self._looked_at = now
        self._used = self._signature()  # before they are read: what changes meanwhile has changed
        try:
            context = ssl.create_default_context(cafile=settings.ca or None)
            if settings.cert:
                files = f"{settings.cert}, {settings.key}" if settings.key else settings.cert
                # Without a password of ours OpenSSL would ask the terminal for one.
                context.load_cert_chain(settings.cert, settings.key or None, password="")
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                f"{files}: expected a readable certificate in PEM form, found: {reason}"
            ) from error
        self.problem = ""
        return context

    def renewed(self, now: float) -> bool:
        """Whether other files lie there than those of the connection, and good ones. Looks now and then."""
        if not self._used or now - self._looked_at < _EVERY_S:
            return False
        self._looked_at = now
        if self._signature() == self._used:
            self.problem = ""
            return False
        used = self._used
        try:
            self.context(now)
        except ConfigError as error:
            self._used, self.problem = used, f"renewed, and not used yet: {error}"
            return False
        return True

    def _signature(self) -> _Signature:
        found = []
        for name in self._files:
            try:
                state = Path(name).stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        return tuple(found)
