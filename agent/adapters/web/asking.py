"""A question, read by the table of `core/api`, within its rate, and answered in a worker."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import to_thread
from starlette.responses import Response

from agent.adapters.web.device import Picture
from agent.adapters.web.problems import Refused, refusal
from agent.core.access import Role
from agent.core.api import read_query
from agent.core.api.openapi import PICTURES
from agent.core.api.operation import CSV, JSON
from agent.core.errors import AgentError, quoted
from agent.core.payload import encode
from agent.core.requests import REQUEST_LIMIT_BYTES
from agent.core.strict_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from agent.adapters.web.device import Asker, Device
    from agent.adapters.web.limits import Limits
    from agent.core.api import Operation
    from agent.core.clock import Clock

log = logging.getLogger(__name__)

KEPT_S: Final = 60
"""So long a browser shows a picture again without asking: every letter draws a list of products anew."""

_QUESTIONS_AT_ONCE: Final = 3
_COMMANDS_AT_ONCE: Final = 2
"""Workers. Recognising needs the processor more; commands wait for each other, and must not keep questions
waiting too."""

_WAITING: Final = 32
"""Requests that may wait for a worker; the next ones are told to come again."""


class Asking:
    """Answers operations."""

    def __init__(self, device: Device, limits: Limits, clock: Clock) -> None:
        self._device = device
        self._limits = limits
        self._clock = clock
        self._workers = {
            False: anyio.CapacityLimiter(_QUESTIONS_AT_ONCE),
            True: anyio.CapacityLimiter(_COMMANDS_AT_ONCE),
        }

    def admit(self, asker: Asker, operation: Operation) -> None:
        """Refuse whoever may not, or has asked too often."""
        if asker.role < operation.role:
            needed = f"the role {operation.role.name.lower()}"
            if asker.role is Role.NOBODY:
                raise Refused(
                    401, f"expected the password of {needed}, found none", {"www-authenticate": "Bearer"}
                )
            raise Refused(403, f"expected {needed}, found {asker.role.name.lower()}")
        wait = self._limits.wait_s(
            asker.peer, operation.name, operation.per_minute, operation.burst, self._clock.monotonic()
        )
        if wait:
            many = f"{operation.burst} at once and {operation.per_minute:g} a minute"
            detail = f"expected at most {many}, found one more: wait {wait:.1f} s"
            raise Refused(429, detail, {"retry-after": str(int(wait) + 1)})

    async def arguments(self, request: Request, operation: Operation) -> dict[str, Any]:
        """What is said, read strictly."""
        try:
            pairs = [*request.path_params.items(), *request.query_params.multi_items()]
            if operation.form is None:
                return read_query(operation.fields, pairs)
            if operation.document:
                beside = read_query(operation.in_address, pairs)
                name, given = operation.document, await self._document(request)
                return {**beside, name: operation.form.fields[name].read(name, given)}
            return operation.form.read(await self._said(request, operation))
        except ValueError as error:
            raise Refused(400, str(error)) from None

    async def do(self, operation: Operation, arguments: Mapping[str, Any], asker: Asker) -> Any:
        """Have the device answer."""
        workers = self._workers[operation.method == "POST" and bool(operation.command)]
        if workers.statistics().tasks_waiting >= _WAITING:
            raise Refused(503, "too much is asked at this moment: ask again", {"retry-after": "1"})
        work = partial(self._device.do, operation.name, arguments, asker)
        try:
            return await to_thread.run_sync(work, limiter=workers)
        except (AgentError, ValueError) as error:
            log.debug("%s: %s", operation.name, error)
            raise refusal(error) from None

    async def answer(self, request: Request, operation: Operation) -> Response:
        """All of it."""
        asker: Asker = request.scope["asker"]
        self.admit(asker, operation)
        arguments = await self.arguments(request, operation)
        found = await self.do(operation, arguments, asker)
        if isinstance(found, Picture):
            return _picture(request, found, operation.media, kept=operation.kept)
        return Response(encode(found), media_type=JSON)

    async def _said(self, request: Request, operation: Operation) -> dict[str, Any]:
        """The body as an object; a picture becomes the field that it fills."""
        media = _media(request)
        if media == JSON:
            body = await _body(request)
            return parse_object(body, REQUEST_LIMIT_BYTES) if body else {}
        if operation.picture and media in PICTURES:
            given = {
                name: _number(text) for name, text in request.query_params.multi_items()
            }  # beside a picture the rest stands in the address
            return {**given, operation.picture: b64encode(await _body(request)).decode()}
        expected = ", ".join((JSON, *(PICTURES if operation.picture else ())))
        raise Refused(415, f"Content-Type: expected {expected}, found {quoted(media)}")

    async def _document(self, request: Request) -> dict[str, Any] | str:
        """The body as a file of its own: an object, or a text."""
        media = _media(request)
        if media not in {JSON, CSV}:
            raise Refused(415, f"Content-Type: expected {JSON}, {CSV}, found {quoted(media)}")
        body = await _body(request)
        if media == JSON:
            return parse_object(body, REQUEST_LIMIT_BYTES)
        try:
            return body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("the body: expected UTF-8, found other bytes") from None


def _media(request: Request) -> str:
    """What the body is said to be."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(request: Request) -> bytes:
    """All of the body, which ends where it is too large; `protocol.py` sees to it that it comes."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:12]) > REQUEST_LIMIT_BYTES:
        raise Refused(413, f"expected at most {REQUEST_LIMIT_BYTES} bytes, found {length[:12]}")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > REQUEST_LIMIT_BYTES:
            raise Refused(413, f"expected at most {REQUEST_LIMIT_BYTES} bytes, found more")
        parts.append(part)
        await asyncio.sleep(0)
    return b"".join(parts)


def _number(text: str) -> Any:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text


def _picture(request: Request, found: Picture, media: str, *, kept: bool) -> Response:
    tag = f'"{found.tag}"'
    headers = {"etag": tag, "cache-control": f"private, max-age={KEPT_S}" if kept else "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(found.data, headers=headers, media_type=media)


def dumped(body: Mapping[str, Any]) -> str:
    """One line of JSON, for a server-sent event."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
