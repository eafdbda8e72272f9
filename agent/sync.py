"""One round of sync: ask, judge, fetch what is missing, try it, and only then use it.

    latest ─▶ judge ─▶ fetch (patch, or whole) ─▶ assemble ─▶ trial ─▶ activate
       │        │           │                                  │
    unchanged  refused     resumed next time                 refused, never again

Whatever happens before `activate`, the generation in use stays as it is.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from agent.core.errors import AgentError, CatalogueError, DeviceError, SyncError, VerifyError
from agent.core.release import admitted, parse_release, plan, refuse, target_of
from agent.core.syncing import Generation, Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.release import Blob, Fetch, Patch, Release
    from agent.core.syncing import Notes

log = logging.getLogger(__name__)


class Signed(Protocol):
    """What head office signed."""

    @property
    def data(self) -> bytes:
        """The release, as bytes."""

    @property
    def sha256(self) -> str:
        """Their digest."""

    @property
    def note(self) -> str:
        """What the operator should know although all went well; empty when nothing."""


class Server(Protocol):
    """Where releases come from: `adapters.server.IndexServer`."""

    @property
    def traffic_bytes(self) -> int:
        """Bytes sent and received so far."""

    def latest(self, past_utc: float, *, again: bool) -> Signed | None:
        """The signed release; None while it is the one that was settled, but for `again`.

        May raise SyncError and DeviceError.
        """

    def settle(self) -> None:
        """What `latest` returned needs no more attention."""

    def fetch(self, sha256: str, size: int, part: Path) -> None:
        """Make `part` this blob, going on behind what it has. SyncError, DeviceError."""

    def close(self) -> None:
        """Let the connection go."""


class Library(Protocol):
    """The generations on this disk: `adapters.library.Library`. Any method may raise DeviceError."""

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes from changing it."""

    def current(self) -> Generation | None:
        """The generation in use."""

    def notes(self) -> Notes:
        """What is remembered."""

    def remember(self, notes: Notes) -> None:
        """Remember it."""

    def held(self) -> dict[str, Path]:
        """Digest → file, of all that need not be fetched."""

    def forget_others(self, wanted: Collection[str]) -> None:
        """Remove blobs that came for something else."""

    def part(self, sha256: str) -> Path:
        """Where a blob is put while it comes."""

    def keep(self, sha256: str) -> Path:
        """The part is whole and verified."""

    def apply(self, old: Path, patch: Patch, blob: Blob) -> Path:
        """Make a blob of a file and a patch. VerifyError when it does not come out."""

    def make_room(self, sizes: Mapping[str, int]) -> None:
        """Refuse to begin what will not fit: digest → bytes of what is to come."""

    def whole(self, generation: Generation, blobs: Sequence[Blob]) -> bool:
        """Whether all its files are what they were."""

    def assemble(self, blobs: Sequence[Blob], files: dict[str, Path], signed: bytes) -> Path:
        """Put a catalogue directory together."""

    def name_for(self, number: int, sha256: str) -> str:
        """A free name for the folder of a generation."""

    def activate(self, generation: Generation) -> None:
        """What was assembled is now in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """Who takes releases: what decides whether a release is for this device."""

    device: str  # the same for ever, so that a staged release reaches it once
    channel: str
    fingerprint: str  # of its own model
    runtime: str = ""  # what models run on here: another may see otherwise
    models: bool = True  # whether a release may bring another model

    @property
    def eyes(self) -> str:
        """What a refusal holds for: with another model or runtime the same release may be fit."""
        return hashlib.sha256(f"{self.fingerprint}\n{self.runtime}".encode()).hexdigest()[:32]


class Sync:
    """Rounds against one server. Used by one thread."""

    def __init__(
        self, server: Server, library: Library, taker: Taker, trial: Callable[[Path], str], clock: Clock
    ) -> None:
        """`trial(folder)` opens a catalogue directory as recognising will, and gives its release id.

        A CatalogueError of it refuses the release for ever.
        """
        self._server = server
        self._library = library
        self._taker = taker
        self._trial = trial
        self._clock = clock
        self._standing: Outcome | VerifyError = Outcome(Result.UNCHANGED)
        self._held: Generation | None = None  # when that was concluded

    def round(self, *, insist: bool = False) -> Outcome:
        """One round. `insist`: try again at once what failed before, unless that is final.

        How it ended is in the notes of the library too, also when it raises.

        Raises:
            TransferError: something did not come; the next round goes on where this one stopped.
            VerifyError: what was signed, or what came, is not to be used.
            DeviceError: the disk failed or is full, or another process syncs at this moment.
        """
        began = self._server.traffic_bytes
        with self._library.alone():
            try:
                outcome = self._round(insist)
            except AgentError as error:
                cost = self._server.traffic_bytes - began
                with suppress(DeviceError):  # a disk that is full: what stopped the round is what is said
                    self._library.remember(self._library.notes().failed(str(error), cost))
                raise
            finally:
                self._server.close()
            cost, utc = self._server.traffic_bytes - began, self._clock.utc()
            self._library.remember(self._library.notes().ended(outcome, cost, utc))
        return outcome

    def _round(self, insist: bool) -> Outcome:
        held = self._library.current()
        moved = held != self._held  # by another process: what was concluded may be wrong by now
        signed = self._server.latest(self._library.notes().signed_utc, again=moved)
        self._held = held
        if signed is None:
            return self._stood()
        try:
            outcome = self._judged(signed, insist)
        except _UselessError as error:
            self._standing = VerifyError(str(error))
            self._server.settle()
            raise self._standing from None
        self._standing = replace(outcome, result=Result.UNCHANGED)
        self._held = self._library.current()
        self._server.settle()
        return outcome

    def _stood(self) -> Outcome:
        if isinstance(self._standing, VerifyError):
            raise VerifyError(str(self._standing))
        return self._standing

    def _judged(self, signed: Signed, insist: bool) -> Outcome:
        """Raises _UselessError when the release is never to be used here."""
        taker, notes, current = self._taker, self._library.notes(), self._library.current()
        try:
            release = parse_release(signed.data, target_of(taker.channel))
            held = notes.highest.get(taker.channel, 0)
            refuse(
                release,
                channel=taker.channel,
                held_number=held,
                fingerprint=taker.fingerprint,
                models=taker.models,
            )
        except VerifyError as error:
            raise _UselessError(str(error)) from None
        if current and current.sha256 == signed.sha256 and self._library.whole(current, release.blobs):
            self._library.forget_others(())  # of a round that was stopped when it was as good as done
            return Outcome(Result.UNCHANGED, warning=signed.note)
        if release.number <= notes.rolled_back.get(taker.channel, 0):
            why = f"release {release.number} was rolled back here: waiting for a newer one"
            return Outcome(Result.WAITING, why, signed.note)
        if not admitted(release, taker.device):
            share = f"{release.rollout_percent} % of the devices"
            return Outcome(
                Result.WAITING, f"release {release.number} is for {share}, not this one", signed.note
            )
        self._take(release, signed, insist)
        return Outcome(Result.TAKEN, warning=signed.note)

    def _take(self, release: Release, signed: Signed, insist: bool) -> None:
        library, taker = self._library, self._taker
        key = f"{signed.sha256[:32]} {taker.eyes}"
        notes = library.notes().offered(key)
        library.remember(notes)
        objection = notes.refused.get(key)
        if objection and objection.final:
            raise _UselessError(objection.reason)
        if not insist and notes.objection(key):
            raise VerifyError(notes.objection(key))
        try:
            folder = library.assemble(release.blobs, self._files(release), signed.data)
            self._try(folder, release)
        except VerifyError as error:
            final = isinstance(error, _UselessError)
            library.remember(library.notes().refusing(key, str(error), final=final))
            if final:
                library.forget_others(())
            raise
        name = library.name_for(release.number, signed.sha256)
        generation = Generation(name, release.channel, release.number, release.release, signed.sha256)
        library.remember(library.notes().taken(generation, release.created_utc))
        library.activate(generation)
        log.info("release %d of %s is in use: %s", release.number, release.channel, release.release)

    def _files(self, release: Release) -> dict[str, Path]:
        """Digest → file, of everything in the release."""
        library = self._library
        useful = {blob.sha256 for blob in release.blobs}
        for blob in release.blobs:
            useful.update(*((patch.sha256, patch.from_sha256) for patch in blob.patches))
        library.forget_others(useful)
        files = library.held()
        fetches = plan(release, frozenset(files))
        sizes = {fetch.blob.sha256: fetch.blob.size for fetch in fetches}
        sizes |= {fetch.patch.sha256: fetch.patch.size for fetch in fetches if fetch.patch}
        library.make_room(sizes)
        for fetch in fetches:
            files[fetch.blob.sha256] = self._fetched(fetch, files)
        return files

    def _fetched(self, fetch: Fetch, files: dict[str, Path]) -> Path:
        blob, patch = fetch.blob, fetch.patch
        if patch is not None:
            try:
                self._server.fetch(patch.sha256, patch.size, self._library.part(patch.sha256))
                self._library.keep(patch.sha256)
                return self._library.apply(files[patch.from_sha256], patch, blob)
            except SyncError as error:
                log.warning("patch of %s not used, all of it is fetched: %s", blob.name, error)
        self._server.fetch(blob.sha256, blob.size, self._library.part(blob.sha256))
        return self._library.keep(blob.sha256)

    def _try(self, folder: Path, release: Release) -> None:
        try:
            found = self._trial(folder)
        except CatalogueError as error:
            raise _UselessError(f"release {release.number}: {error}") from None
        if found != release.release:
            raise _UselessError(
                f"release {release.number}: expected catalogue {release.release}, found {found}"
            )


class _UselessError(VerifyError):
    """What was signed is itself wrong for this device: nothing that comes later mends it."""
