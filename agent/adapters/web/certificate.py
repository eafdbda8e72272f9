"""What the pages show themselves with over https."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from agent.core.errors import ConfigError

if TYPE_CHECKING:
    from agent.adapters.web.settings import WebSettings


def check_certificate(settings: WebSettings) -> None:
    """Refuse a certificate that cannot be used.

    Raises:
        ConfigError: it, or its key, cannot be read, is none, or they do not belong together.
    """
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.cert, settings.key or None, password=lambda: "")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError(f"web.cert: {settings.cert}: cannot be used: {error}") from None
