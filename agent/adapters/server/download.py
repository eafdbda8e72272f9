"""One blob to disk: resumed where it broke off, and exactly what its digest says at the end.

The digest decides. Nothing else that a server says is believed: not the length, not which part it sends.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from agent.core.clock import Backoff
from agent.core.errors import DeviceError, TransferError, VerifyError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from agent.adapters.server.http import Answer, Http
    from agent.adapters.server.settings import LineSettings
    from agent.core.clock import Clock

    Progress = Callable[[int, int], None]

_TRIES = 4
"""Broken transfers taken up again in one round, counted anew …"""

_PROGRESS_BYTES = 65_536
"""… whenever so much more has come: less is what a server sends that wants to keep us busy."""

_GRACE_S = 60.0
"""Added to the time that the slowest bearable transfer takes."""

_AGAIN = Backoff(first_s=0.5, limit_s=10.0)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


class _BrokenOffError(TransferError):
    """The transfer ended early: the rest may come at the next try."""


class Downloader:
    """Fetches blobs of one server. Used by one thread."""

    def __init__(
        self, http: Http, settings: LineSettings, clock: Clock, progress: Progress | None = None
    ) -> None:
        """`progress(come, size)` is called as the bytes of a file come, those of earlier times counted."""
        self._http = http
        self._progress = progress
        self._clock = clock
        self._slowest = settings.min_bytes_per_s
        self._etag = ""

    def fetch(self, sha256: str, size: int, part: Path, path: str = "") -> None:
        """Make `part` the file of this digest and size, going on behind the bytes that it has already.

        `path` is where the server has it; the blob of that digest by default.

        At return it is verified and survives a power cut. When this fails `part` holds what came, for next
        time.

        Raises:
            TransferError: it did not come.
            VerifyError: it came and has another digest; `part` is gone.
            DeviceError: the disk failed or is full.
        """
        path = path or f"blobs/{sha256}"
        try:
            if _size(part) > size:
                part.unlink()
            pieced = self._fill(path, size, part)
            found = _digest(part)
            if found != sha256 and pieced:  # the pieces may be of different files
                part.unlink()
                self._fill(path, size, part)
                found = _digest(part)
            if found != sha256:
                part.unlink()
        except OSError as error:
            raise DeviceError(f"{part}: cannot be written: {error.strerror}") from None
        if found != sha256:
            raise VerifyError(f"{path}: expected the content of this digest, found {found}")

    def _fill(self, path: str, size: int, part: Path) -> bool:
        """Until `part` has `size` bytes. Whether they came in more than one piece."""
        tries, pieced = 0, _size(part) > 0
        self._etag = ""
        while (have := _size(part)) < size or not part.exists():
            pieced = pieced or have > 0
            try:
                self._append(path, size, part)
            except _BrokenOffError:
                tries = 0 if _size(part) >= have + _PROGRESS_BYTES else tries + 1
                if tries >= _TRIES or self._clock.wait(_AGAIN.delay_s(tries, 0.5)):
                    raise
        return pieced

    def _append(self, path: str, size: int, part: Path) -> None:
        """One question and its answer."""
        have = _size(part)
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and self._etag:
            headers["If-Range"] = self._etag
        deadline_s = _GRACE_S + (size - have) / self._slowest
        try:
            with self._http.get(path, headers, deadline_s) as answer:
                start = _start_of(answer, have, size)
                if start != have:
                    part.unlink(missing_ok=True)  # the server cannot go on where we are
                if start < 0:
                    return
                _check_length(answer, size - start)
                etag = answer.header("ETag")
                self._etag = etag if etag.startswith('"') else ""  # a weak one says nothing of bytes
                with part.open("r+b" if start else "wb") as file:
                    file.seek(start)
                    self._copy(answer, file, start, size)
        except TransferError as error:
            if isinstance(error, _RefusedError):
                raise
            raise _BrokenOffError(str(error)) from None

    def _copy(self, answer: Answer, file: BinaryIO, start: int, size: int) -> None:
        """The body to the file, and all of it to the disk."""
        expected, came = size - start, 0
        try:
            for chunk in answer.chunks:
                came += len(chunk)
                if came > expected:
                    raise _RefusedError(f"{answer.url}: expected {expected} bytes, found more")
                file.write(chunk)
                if self._progress is not None:
                    self._progress(start + came, size)
        finally:
            file.flush()
        if came < expected:
            raise TransferError(f"{answer.url}: expected {expected} bytes, found an end after {came}")
        os.fsync(file.fileno())


class _RefusedError(TransferError):
    """The server's answer is of no use; the same question gets the same answer."""


def _start_of(answer: Answer, have: int, size: int) -> int:
    """Where the body begins in the blob; -1 when the answer is of no use but one without a range may be.

    Raises:
        _RefusedError: no answer to this question is of use.
    """
    if answer.status == 200:
        return 0
    if have and answer.status == 416:
        return -1
    if have and answer.status == 206:
        match = _CONTENT_RANGE.fullmatch(answer.header("Content-Range"))
        if match and int(match[1]) == have and int(match[2]) == size - 1 and match[3] in {"*", str(size)}:
            return have
        return -1
    raise _RefusedError(f"{answer.url}: expected status 200, found {answer.status}")


def _check_length(answer: Answer, expected: int) -> None:
    length = answer.length()
    if length is not None and length != expected:
        kind = quoted(answer.header("Content-Type"))
        raise _RefusedError(f"{answer.url}: expected {expected} bytes, found {length} of type {kind}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
