"""The table of what Home Assistant shows of a device: each component reads messages that are there anyway.

A new one is one entry here: which messages, how its value is read from them, and what Home Assistant takes it
for. Where the address of the messages has parameters, there is one for each camera, or for each of its slots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.watched import App, Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to show."""

    version: str
    machine: str  # what the board calls itself
    serial: str = ""  # of the board, where it has one
    cameras: Mapping[str, Watched] = field(default_factory=dict)
    synced: bool = False  # releases come from a server
    metrics_s: int = 0  # from one message on /metrics to the next; 0: there are none
    things: bool = False  # things without a name are kept
    measured: bool = False  # the board knows how hot it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One entity, for each place that the address of its messages has parameters for."""

    key: str  # unique among those of one place
    platform: Literal["sensor", "binary_sensor", "event"]
    name: str  # shown behind the name of the device, and of the camera
    kind: str  # of the messages that it reads, see `definitions.py`
    value: str  # expression (Jinja): the content of the message, `it` → the state
    attributes: str = ""  # expression: `it` → a mapping to show beside the state
    more: Mapping[str, Any] = field(default_factory=dict)  # other keys, see Home Assistant's documentation
    app: App = ""  # of cameras with this application alone
    newest: bool = False  # of several topics the one whose attribute `opened` is the latest

    @property
    def template(self) -> str:
        """What Home Assistant makes the state with."""
        return self._rendered(self.value, "this.state", "")

    @property
    def attributes_template(self) -> str:
        """What it makes them with."""
        return self._rendered(self.attributes, "this.attributes", " | to_json")

    def _rendered(self, new: str, old: str, behind: str) -> str:
        """Where several topics are read, they are retained, and heard in any order after a start."""
        if self.newest:
            return f"{_IT_OR_NOTHING}{{{{ (({new}) if {_NEWEST} else {old}){behind} }}}}"
        return f"{_IT}{{{{ {new}{behind} }}}}"

    def there(self, facts: Facts) -> bool:
        """Whether the device says it at all."""
        kinds = {"metrics": facts.metrics_s > 0, "unknown": facts.things}
        keys = {"synced": facts.synced, "temperature": facts.measured}
        return kinds.get(self.kind, True) and keys.get(self.key, True)


_INSIDE: Final = {"ent_cat": "diagnostic"}

_IT: Final = "{% set it = value_json.data | default(value_json) %}"
"""In front of each template: `it` is our content, also where an envelope of CloudEvents is around it."""

_IT_OR_NOTHING: Final = (
    "{% set it = value_json.data | default(value_json) if value_json is defined else {} %}"
)
"""The same where a message may take back what was retained."""

_NEWEST: Final = "it.opened is defined and it.opened >= this.attributes.get('opened', '')"
"""`this` is the entity as it stands."""

_LINES: Final = "(it.lines | selectattr('state', 'in', {states}) | sum(attribute='{column}'))"


def _pieces(column: str, *states: str) -> str:
    return _LINES.format(states=list(states), column=column)


_MISSING: Final = f"{_pieces('expected', 'open', 'short')} - {_pieces('received', 'open', 'short')}"
_OVER: Final = (
    f"{_pieces('received', 'over')} - {_pieces('expected', 'over')} + "
    "(it.unexpected | sum(attribute='received'))"
)
_DOCK: Final[Mapping[str, Any]] = {"kind": "inbound", "app": "inbound", "newest": True}
_ABOUT: Final = "'opened': it.opened, 'shipment': it.shipment"

_WHAT: Final = "((it.name or it.sku) if it.verdict == 'known' else '(' ~ it.verdict ~ ')')[:255]"
"""In brackets what is no product: the bare word `unknown` means to Home Assistant that there is no state. A
longer state than 255 characters it does not take."""

_DETAILS: Final = (
    "'sku': it.sku, 'gtin': it.gtin, 'product': it.name, 'verdict': it.verdict, "
    "'probability': it.probability, 'reason': it.reason, 'region': it.region, "
    "'track': it.track, 'time': it.time, 'late': it.late | default(false)"
)
"""Without the options that were weighed: what an entity shows is stored with each change. `name` and `state`
are words of Home Assistant's own: it passes such attributes over."""

COMPONENTS: Final = (
    Component(
        key="problem",
        platform="binary_sensor",
        name="Problem",
        kind="health",
        value="'OFF' if it.state == 'ok' else 'ON'",
        attributes="{'health': it.state, 'causes': it.causes}",
        more={"dev_cla": "problem", **_INSIDE},
    ),
    Component(
        key="release",
        platform="sensor",
        name="Catalogue",
        kind="index",
        value="it.release",
        attributes="{'channel': it.channel, 'number': it.number, 'model': it.model, 'products': it.products, "
        "'references': it.references, 'learned': it.learned, 'last_sync_result': it.last_sync_result, "
        "'note': it.note, 'error': it.error}",
        more={"ic": "mdi:book-open-variant", **_INSIDE},
    ),
    Component(
        key="synced",
        platform="sensor",
        name="Catalogue up to date",
        kind="index",
        value="it.last_sync",
        more={"dev_cla": "timestamp", **_INSIDE},
    ),
    Component(
        key="waiting",
        platform="sensor",
        name="Waiting messages",
        kind="metrics",
        value="it['values']['outbox.waiting']",  # `it.values` is a method of every mapping
        more={"stat_cla": "measurement", "ic": "mdi:tray-full", **_INSIDE},
    ),
    Component(
        key="lost",
        platform="sensor",
        name="Lost messages",
        kind="metrics",
        value="it['values']['outbox.dropped']",
        more={"stat_cla": "total_increasing", "ic": "mdi:tray-remove", **_INSIDE},
    ),
    Component(
        key="memory",
        platform="sensor",
        name="Memory",
        kind="metrics",
        value="it['values']['memory.resident_mb']",
        more={"dev_cla": "data_size", "stat_cla": "measurement", "unit_of_meas": "MB", **_INSIDE},
    ),
    Component(
        key="temperature",
        platform="sensor",
        name="Temperature",
        kind="metrics",
        value="it['values']['temperature.hottest_c']",
        more={"dev_cla": "temperature", "stat_cla": "measurement", "unit_of_meas": "°C", **_INSIDE},
    ),
    Component(
        key="things",
        platform="sensor",
        name="Things without a name",
        kind="unknown",
        value="it.things",
        attributes="{'seen': it.seen, 'since': it.since}",
        more={"stat_cla": "measurement", "ic": "mdi:help-box-multiple-outline"},
    ),
    Component(
        key="status",
        platform="binary_sensor",
        name="Connection",
        kind="camera_status",
        value="'ON' if it.state == 'online' else 'OFF'",
        attributes="{'status': it.state, 'reason': it.reason}",
        more={"dev_cla": "connectivity", **_INSIDE},
    ),
    Component(
        key="product",
        platform="sensor",
        name="Last product",
        kind="recognition",
        value=_WHAT,
        attributes="{" + _DETAILS + "}",
        more={"ic": "mdi:barcode-scan"},
    ),
    Component(
        key="recognition",
        platform="event",
        name="Recognition",
        kind="recognition",
        value="{'event_type': 'gone' if it.phase == 'end' else it.verdict, " + _DETAILS + "} | to_json",
        more={"evt_typ": ["known", "ambiguous", "unknown", "gone"], "ic": "mdi:barcode-scan"},
    ),
    Component(
        key="correct",
        platform="sensor",
        name="Shelf correct",
        kind="shelf",
        app="shelf",
        value="none if it.share_correct is none else (it.share_correct * 100) | round(1)",
        attributes="{'bay': it.bay, 'slots': it.slots, 'correct': it.correct, 'wrong': it.wrong, "
        "'empty': it.empty, 'not_seen': it.unknown, 'misplaced': it.misplaced[:50]}",
        more={"stat_cla": "measurement", "unit_of_meas": "%", "ic": "mdi:bookshelf"},
    ),
    Component(
        key="out_of_stock",
        platform="sensor",
        name="Out of stock",
        kind="shelf",
        app="shelf",
        value="it.empty",
        attributes="{'missing': it.missing[:50], 'low': it.low[:50]}",
        more={"stat_cla": "measurement", "ic": "mdi:tray-alert"},
    ),
    Component(
        key="shipment",
        platform="sensor",
        name="Shipment",
        value="'open' if it.state == 'open' else 'exact' if it.exact else 'short' if not it.complete "
        f"else 'over' if {_OVER} > 0 else 'in doubt'",
        attributes="{" + _ABOUT + ", 'closed': it.closed, 'closed_by': it.closed_by, "
        "'parcels': it.parcels, 'expected': it.expected, 'received': it.received, "
        "'unnamed': it.unnamed, 'conflicts': it.conflicts}",
        more={"ic": "mdi:truck-check"},
        **_DOCK,
    ),
    Component(
        key="missing",
        platform="sensor",
        name="Missing pieces",
        value=_MISSING,
        attributes="{" + _ABOUT + ", 'lines': (it.lines "
        "| selectattr('state', 'in', ['open', 'short']) | list)[:50]}",
        more={"stat_cla": "measurement", "ic": "mdi:package-variant-minus"},
        **_DOCK,
    ),
    Component(
        key="over",
        platform="sensor",
        name="Surplus pieces",
        value=_OVER,
        attributes="{" + _ABOUT + ", 'lines': (it.lines | selectattr('state', 'eq', 'over') "
        "| list)[:50], 'unexpected': it.unexpected[:50]}",
        more={"stat_cla": "measurement", "ic": "mdi:package-variant-plus"},
        **_DOCK,
    ),
)
