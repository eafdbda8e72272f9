"""The whole configuration: one YAML file becomes one frozen `Settings`, made of each module's own slice."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agent.adapters.assortment import read_assortment
from agent.adapters.broker import BrokerSettings
from agent.adapters.camera import CameraSettings
from agent.adapters.embedder import EmbedderSettings  # noqa: TC001  msgspec reads the annotations
from agent.adapters.outbox import OutboxSettings
from agent.adapters.server import SyncSettings  # noqa: TC001  likewise
from agent.adapters.web import WebSettings  # noqa: TC001  likewise
from agent.adapters.webhook import WebhookSettings  # noqa: TC001  likewise
from agent.apps.kiosk import KioskSettings  # noqa: TC001  likewise
from agent.apps.shelf import ShelfSettings  # noqa: TC001  likewise
from agent.core.changes import ChangeSettings
from agent.core.commands import CommandSettings
from agent.core.errors import ConfigError, quoted
from agent.core.evidence import DecisionSettings
from agent.core.inbound.settings import InboundSettings  # noqa: TC001  likewise
from agent.core.privacy import PeopleSettings, PrivacySettings
from agent.core.regions import PROPOSED, RegionSettings
from agent.core.review import ReviewSettings
from agent.core.second_look import SecondLookSettings
from agent.core.settings import setting
from agent.core.sightings import SightingSettings
from agent.core.topics import check_camera, check_prefix, check_topic_part
from agent.core.tracking import TrackingSettings
from agent.core.wire import Envelope  # noqa: TC001  likewise
from agent.core.wire.home_assistant import HomeAssistantSettings  # noqa: TC001  likewise
from agent.core.wire.sparkplug import SparkplugSettings  # noqa: TC001  likewise
from agent.metrics import MetricsSettings
from agent.planograms import read_planogram, site_planogram
from agent.settings_fill import fill
from agent.settings_fill import json_schema as _json_schema
from agent.yamlfile import MAX_BYTES, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.planogram import Planogram

LIVE_KEYS = frozenset({"cameras", "decision", "second_look", "tracking", "log"})
"""Top-level keys that a running daemon takes over when it re-reads its configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSettings:
    """Where the catalogue lies."""

    path: str = setting("directory that `spotter catalog build` wrote")


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings(BrokerSettings):
    """The broker, and the root of every topic."""

    prefix: str = setting("first part of every topic", "spotter")

    def __post_init__(self) -> None:
        BrokerSettings.__post_init__(self)
        check_prefix("prefix", self.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEntry(CameraSettings):
    """One camera: where its pictures come from, and where in them products are looked for."""

    regions: RegionSettings = setting("where in the picture products are looked for", RegionSettings())
    changes: ChangeSettings = setting("when a region counts as unchanged", ChangeSettings())
    shelf: ShelfSettings | None = setting("a shelf whose slots are watched, in place of regions", None)
    inbound: InboundSettings | None = setting("parcels that pass are received against a shipment", None)
    privacy: PrivacySettings = setting("what of the picture nobody is to see", PrivacySettings())
    kiosk: KioskSettings | None = setting(
        "the camera sees what customers hold up; with regions of mode motion or detector", None
    )

    def __post_init__(self) -> None:
        CameraSettings.__post_init__(self)
        check_camera("id", self.id)
        used = [name for name in ("shelf", "inbound", "kiosk") if getattr(self, name) is not None]
        if len(used) > 1:
            raise ValueError(
                f"{used[1]}: expected at most one of shelf, inbound and kiosk, found {' and '.join(used)}"
            )
        if self.shelf is not None and self.regions != RegionSettings():
            raise ValueError("regions: expected none beside shelf, whose slots are the regions, found some")
        if used and self.shelf is None and self.regions.mode not in PROPOSED:
            modes = " or ".join(sorted(PROPOSED))
            raise ValueError(f"{used[0]}: expected regions.mode {modes}, found {self.regions.mode}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is written to standard error (the journal, under systemd)."""

    level: Literal["debug", "info", "warning", "error"] = setting("least severe level shown", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything in the file."""

    site: str = setting("store or warehouse: the second part of every topic")
    device: str = setting("name of this device, unique within the site: the third part of every topic")
    state_dir: str = setting("directory for what must survive a restart", "/var/lib/spotter")
    model: EmbedderSettings = setting("the embedding model")
    catalogue: CatalogueSettings | None = setting(
        "the products to recognise, until a release is synced", None
    )
    sync: SyncSettings | None = setting("the server that releases of the catalogue come from", None)
    mqtt: MqttSettings = setting("the broker", MqttSettings())
    envelope: Envelope = setting(
        "`cloudevents`: all JSON messages but answers are CloudEvents 1.0; `cloudevents-binary`: with their "
        "attributes as user properties, where the connection is one of MQTT 5",
        "plain",
    )
    home_assistant: HomeAssistantSettings | None = setting("Home Assistant, which shows this device", None)
    sparkplug: SparkplugSettings | None = setting("Sparkplug B, where this device is an edge node", None)
    outbox: OutboxSettings = setting(
        "the disk queue in front of the broker, and of a webhook", OutboxSettings()
    )
    webhook: WebhookSettings | None = setting("an address that every fact is posted to as well", None)
    metrics: MetricsSettings = setting("numbers on /metrics", MetricsSettings())
    commands: CommandSettings = setting("what others may tell this device", CommandSettings())
    web: WebSettings | None = setting("pages and an API over HTTP; none without it", None)
    cameras: tuple[CameraEntry, ...] = setting("at least one camera")
    decision: DecisionSettings = setting("when a product is named", DecisionSettings())
    unknown: SightingSettings = setting("what is kept of things without a name", SightingSettings())
    review: ReviewSettings = setting("what is kept of decisions, for a person to look at", ReviewSettings())
    second_look: SecondLookSettings = setting(
        "closer looks at what the first look leaves undecided", SecondLookSettings()
    )
    tracking: TrackingSettings = setting("when two sightings are the same thing", TrackingSettings())
    privacy: PeopleSettings = setting("people and faces in pictures that are kept or shown", PeopleSettings())
    log: LogSettings = setting("logging", LogSettings())

    def __post_init__(self) -> None:
        check_topic_part("site", self.site)
        check_topic_part("device", self.device)
        if self.catalogue is None and self.sync is None:
            raise ValueError(
                "catalogue: expected the products to recognise, or sync to get them, found neither"
            )
        if not Path(self.state_dir).is_absolute():
            raise ValueError(f"state_dir: expected an absolute path, found {quoted(self.state_dir)}")
        if not self.cameras:
            raise ValueError("cameras: expected at least one camera, found none")
        ids = [camera.id for camera in self.cameras]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"cameras: expected each id once, found {twice[0]!r} twice")


def load_config(path: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the configuration file.

    Raises:
        ConfigError: naming file, line, key, what was expected and what was found.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{name}: expected a readable configuration file, found: {error.strerror}"
        ) from None
    return parse_config(raw, name, environment)


def parse_config(raw: bytes, name: str, environment: Mapping[str, str] | None = None) -> Settings:
    """`load_config` of bytes; `name` stands in the errors."""
    document = parse_yaml(raw, name)
    if not isinstance(document.data, dict):
        raise document.error((), "expected a mapping of settings")
    where = os.environ if environment is None else environment
    settings = fill(document, Settings, where)
    beside, decision = Path(name).parent, settings.decision
    listed = read_assortment(beside / decision.assortment) if decision.assortment else decision.carried
    # re-reading sees the file change, as it does those of a shelf
    decision = replace(decision, assortment="", carried=tuple(sorted(set(listed))))
    cameras = tuple(_whole(camera, settings, beside, where) for camera in settings.cameras)
    return replace(settings, decision=decision, cameras=cameras)


def _whole(
    camera: CameraEntry, settings: Settings, beside: Path, environment: Mapping[str, str]
) -> CameraEntry:
    """The camera with what files say of its shelf, or the release: re-reading sees them change."""
    shelf = camera.shelf
    if shelf is None:
        return camera
    empty = tuple(str(beside / path) for path in shelf.empty)
    if shelf.of_release:
        plan = _released(settings, shelf.of_release) or shelf.plan
        return replace(camera, shelf=replace(shelf, plan=plan, empty=empty))
    plan = shelf.plan or read_planogram(beside / shelf.planogram, environment)
    return replace(camera, shelf=replace(shelf, planogram="", plan=plan, empty=empty))


def _released(settings: Settings, name: str) -> Planogram | None:
    """The planogram of this name that the catalogue brought; None: none did yet, which `/health` says."""
    from agent.adapters.site_data import planograms_held  # it knows indexes, which verbs may not need

    catalogue = Path(settings.catalogue.path) if settings.catalogue is not None else None
    held = planograms_held(Path(settings.state_dir), catalogue, synced=settings.sync is not None)
    for where, data in held:
        with suppress(ConfigError):  # not among those, or made by mistake: an older one is better than none
            return site_planogram(data, name, where)
    return None


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration file, for editors."""
    return {"title": "Spotter configuration", **_json_schema(Settings)}


def changed_keys(old: Settings, new: Settings) -> frozenset[str]:
    """Top-level keys whose values differ."""
    return frozenset(f.name for f in fields(Settings) if getattr(old, f.name) != getattr(new, f.name))


def read_again(path: str | os.PathLike[str], running: Settings) -> tuple[Settings, frozenset[str]]:
    """The configuration as the file has it now, and the top-level keys that differ from the running one.

    Raises:
        ConfigError: it is wrong, or something changed that only a restart takes over.
    """
    new = load_config(path)
    changed = changed_keys(running, new)
    if fixed := sorted(changed - LIVE_KEYS):
        raise ConfigError(f"{os.fspath(path)}: these need a restart: {', '.join(fixed)}")
    return new, changed
