"""The files of the pages, read once: a name that is not among them leads nowhere, whatever dots it has."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response

from agent.adapters.web.problems import Refused
from agent.core.access import Role

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

    from agent.adapters.web.device import Asker

_MEDIA: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}

PAGES: Final[dict[str, tuple[str, Role]]] = {
    "/": ("live.html", Role.VIEWER),
    "/kiosk": ("kiosk.html", Role.KIOSK),
    "/setup": ("setup.html", Role.OPERATOR),
    "/review": ("review.html", Role.OPERATOR),
    "/login": ("login.html", Role.NOBODY),
}
"""Path → its file, and who may open it."""


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent."""

    data: bytes
    media: str
    tag: str


class Pages:
    """All of them, some 100 KB."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._read(files("agent") / "pages", "")

    @property
    def paths(self) -> list[str]:
        """Pages that there are."""
        return [path for path, (name, _) in PAGES.items() if name in self._files]

    def open_to(self, role: Role) -> list[str]:
        """Pages that a role may open, but for the one that asks for a password."""
        return [path for path in self.paths if Role.NOBODY < PAGES[path][1] <= role]

    def page(self, request: Request, path: str) -> Response:
        """A page, or the way to the password."""
        name, least = PAGES[path]
        asker: Asker = request.scope["asker"]
        if asker.role < least:
            return RedirectResponse(f"/login?to={path}", 303)
        return self._sent(request, name)

    def file(self, request: Request) -> Response:
        """A style, a script or a text: there is no secret in them."""
        return self._sent(request, request.path_params["name"])

    def _sent(self, request: Request, name: str) -> Response:
        file = self._files.get(name)
        if file is None:
            raise Refused(404, "there is no such page")
        tag = f'"{file.tag}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers={**headers, "content-type": file.media})

    def _read(self, folder: Traversable, head: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                self._read(entry, f"{head}{entry.name}/")
            elif (media := _MEDIA.get(entry.name.rpartition(".")[2])) is not None:
                data = entry.read_bytes()
                self._files[head + entry.name] = File(data, media, hashlib.sha256(data).hexdigest()[:16])
