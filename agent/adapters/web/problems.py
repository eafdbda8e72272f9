"""What went wrong, as RFC 9457 says it: a sentence for the person who has to act, a status for programs."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

from agent.adapters.web.device import ConflictError, MissingError
from agent.core.api.openapi import PROBLEM
from agent.core.errors import (
    AgentError,
    BrokerError,
    CatalogueError,
    ConfigError,
    DeviceError,
    ModelError,
    SyncError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (MissingError, 404),
    (ConflictError, 409),
    ((CatalogueError), 503),
    ((ModelError), 503),
    ((ConfigError), 400),
    ((DeviceError), 503),
    ((SyncError), 503),
    ((BrokerError), 503),
    (AgentError, 400),
    (ValueError, 400),
)


class Refused(Exception):  # noqa: N818  nothing failed
    """A request is answered by a problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(data, status, dict(headers or {}), PROBLEM)


def refusal(error: AgentError | ValueError) -> Refused:
    """What an error of the device is to whoever asked."""
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    return Refused(status, str(error))
