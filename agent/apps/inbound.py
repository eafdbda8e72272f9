"""Receiving at a dock: what passes is counted, once, against the shipment that is open.

A camera is a dock. Without an open shipment parcels are told and counted nowhere. Time comes with the scenes:
while a camera is lost nothing times out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from agent.apps.watch import told
from agent.core.errors import InputError, quoted
from agent.core.gs1 import digital_link
from agent.core.inbound.epcis import Keeper, uri
from agent.core.inbound.facts import PARCEL, Teller
from agent.core.inbound.gate import Gate
from agent.core.inbound.naming import How, Lines, name
from agent.core.inbound.parcels import Parcels
from agent.core.inbound.session import Session, from_plain, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.core.inbound.naming import Named
    from agent.core.inbound.orders import Order
    from agent.core.inbound.parcels import Parcel
    from agent.core.inbound.session import ClosedBy
    from agent.core.inbound.settings import InboundSettings
    from agent.core.scene import Scene
    from agent.core.types import Event

_NO_LINES: Final = Lines()
_REMEMBERED: Final = 512
"""Parcels that were told and may still come back: those of an hour at a belt that never stands."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A parcel as it was counted, which may have to be taken back."""

    shipment: str  # empty: none was open
    named: Named
    told: Named
    passed_utc: float


class Inbound:
    """One dock."""

    def __init__(
        self,
        camera: str,
        settings: InboundSettings,
        kept: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        """`kept`: what an earlier run left behind; what cannot be read of it is passed over, see `problem`.

        `names`: of site and device, which make the place where parcels are read, for EPCIS.
        """
        self._camera = camera
        self._settings = settings
        self._parcels = Parcels(Gate.of(settings), settings.hidden_s, settings.settle_s)
        self._sessions: dict[str, Session] = {}  # shipment → session, oldest first
        self._counted: dict[str, _Counted] = {}  # parcel → how, oldest first
        self._keeper = _keeper(settings, camera, names)
        self.problem = ""  # why what was left behind is not used
        self._fresh = True
        self._kept: Mapping[str, Any] | None = None
        self._shipments: frozenset[str] = frozenset()
        if kept is not None:
            self._restore(kept)

    def update(self, scene: Scene) -> tuple[Event, ...]:
        """What is recognised, parcels that came in or went back, and how the shipment stands."""
        teller = Teller(self._camera, scene.at, scene.utc, self._keeper)
        passing = self._parcels.update(scene)
        events = self._begin(teller)
        for parcel in passing.returned:
            events += self._returned(parcel, teller, scene.utc)
        events += self._told(passing.settled, teller)
        session = self.open_session
        if session is not None:
            if passing.returned or passing.settled:
                events.append(teller.state(session))
            events += self._ended(session, teller, scene.utc)
        if events:
            self._remember()
        return (*told(scene), *events)

    def kept(self) -> Mapping[str, Any] | None:
        """The shipments."""
        return self._kept

    @property
    def settings(self) -> InboundSettings:
        """As it is configured. Any thread may read it."""
        return self._settings

    @property
    def open_session(self) -> Session | None:
        """The shipment that is received now."""
        return next((each for each in self._sessions.values() if each.is_open), None)

    @property
    def shipments(self) -> frozenset[str]:
        """Names of those that are known. Any thread may read it."""
        return self._shipments

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The open one and the latest closed ones, oldest first. For the thread that calls `update`."""
        return tuple(self._sessions.values())

    def open(self, order: Order, at: float, utc: float) -> tuple[Session, tuple[Event, ...]]:
        """Begin to receive a shipment.

        Raises:
            InputError: it was opened before, or another one is open.
        """
        known, other = self._sessions.get(order.shipment), self.open_session
        if known is not None:
            state = "open" if known.is_open else "closed"
            raise InputError(
                f"shipment {quoted(order.shipment)}: expected one that is new here, found it {state}"
            )
        if other is not None:
            raise InputError(
                f"shipment {quoted(order.shipment)}: expected no other one to be open at camera "
                f"{quoted(self._camera)}, found {quoted(other.shipment)}"
            )
        teller = Teller(self._camera, at, utc, self._keeper)
        events = self._begin(teller)
        events += self._told(self._parcels.settle_all(), teller)  # what passed before is not of this shipment
        session = Session(order, utc, utc)
        self._sessions[order.shipment] = session
        events += [teller.opened(session), teller.state(session)]
        self._remember()
        return session, tuple(events)

    def close(self, shipment: str, at: float, utc: float) -> tuple[Session, tuple[Event, ...]]:
        """End a shipment; `shipment` may be empty: the one that is open.

        Raises:
            InputError: there is none, or it is closed.
        """
        session = self._sessions.get(shipment) if shipment else self.open_session
        if session is None or not session.is_open:
            found = "it closed" if session else f"no {quoted(shipment)}" if shipment else "none"
            raise InputError(
                f"shipment: expected one that is open at camera {quoted(self._camera)}, found {found}"
            )
        teller = Teller(self._camera, at, utc, self._keeper)
        events = [*self._begin(teller), *self._closed(session, "command", teller, utc)]
        self._remember()
        return session, tuple(events)

    def _begin(self, teller: Teller) -> list[Event]:
        """After a start the broker is told what is known: it may have something else."""
        if not self._fresh:
            return []
        self._fresh = False
        return [teller.state(session) for session in self._sessions.values()]

    def _told(self, parcels: Iterable[Parcel], teller: Teller) -> list[Event]:
        """Parcels passed, and nothing more will be learned of them."""
        session = self.open_session
        shipment, order, lines = "", None, _NO_LINES
        if session is not None:
            shipment, order, lines = session.shipment, session.order, session.lines
        events = []
        for parcel in parcels:
            named = name(parcel, order, lines)
            if session is not None and named.identity and named.identity in session.identities:
                events.append(teller.about("duplicate", shipment, parcel, named))
                continue
            events.append(teller.about(PARCEL, shipment, parcel, named))
            counted = named if session is None else self._count(session, named, parcel.passed_utc)
            self._counted[parcel.id] = _Counted(shipment, counted, named, parcel.passed_utc)
            events += [
                *teller.doubts(parcel, named, session),
                *teller.kept(named, shipment, parcel.passed_utc),
            ]
        while len(self._counted) > _REMEMBERED:
            del self._counted[next(iter(self._counted))]
        return events

    def _count(self, session: Session, named: Named, utc: float) -> Named:
        """Against its lines. What was counted."""
        if self._settings.contents == "compared" and named.labelled:
            for piece in named.pieces:
                session.announce(piece)
            own = () if named.how is How.CONFLICT or not named.gtin else named.pieces[:1]
            named = replace(named, pieces=tuple(replace(piece, count=1) for piece in own))
        session.count(named, utc)
        return named

    def _returned(self, parcel: Parcel, teller: Teller, utc: float) -> list[Event]:
        """A parcel that was told went back: it is not there any more."""
        counted = self._counted.pop(parcel.id, None)
        if counted is None:
            return []  # it was a duplicate
        session = self._sessions.get(counted.shipment)
        if session is not None and session.is_open:
            session.count(counted.named, utc, times=-1)
        back = teller.kept_back(counted.told, counted.shipment, counted.passed_utc)
        return [teller.about("returned", counted.shipment, parcel, counted.told), *back]

    def _ended(self, session: Session, teller: Teller, utc: float) -> list[Event]:
        """A shipment whose time is over."""
        rest, full, since = self._settings.timeout_s, self._settings.complete_s, session.complete_utc
        if full and since is not None and utc - max(since, session.active_utc) >= full:
            return self._closed(session, "complete", teller, utc)
        if rest and utc - session.active_utc >= rest:
            return self._closed(session, "timeout", teller, utc)
        return []

    def _closed(self, session: Session, by: ClosedBy, teller: Teller, utc: float) -> list[Event]:
        events = self._told(self._parcels.settle_all(), teller)
        session.close(by, utc)
        events += [*teller.miscounted(session), teller.closed(session), *teller.kept_result(session)]
        events.append(teller.state(session))
        closed = [each for each in self._sessions.values() if not each.is_open]
        for old in closed[: max(0, len(closed) - self._settings.keep)]:
            del self._sessions[old.shipment]
            events.append(teller.gone(old.shipment))
        return events

    def _remember(self) -> None:
        self._kept = {"sessions": [plain(session) for session in self._sessions.values()]}
        self._shipments = frozenset(self._sessions)

    def _restore(self, kept: Mapping[str, Any]) -> None:
        try:
            for data in kept["sessions"]:
                session = from_plain(data)
                self._sessions[session.shipment] = session
            self._shipments = frozenset(self._sessions)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.problem = f"what was left of its shipments cannot be read: {quoted(error)}"


def _keeper(settings: InboundSettings, camera: str, names: Sequence[str]) -> Keeper | None:
    if settings.epcis is None:
        return None
    device = uri("urn:x-spotter", *names)
    number = settings.epcis.gln
    place = digital_link(("414", number), ("254", camera)) if number else uri(device, camera)
    return Keeper(place, device)
