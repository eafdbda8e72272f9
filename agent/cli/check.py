"""`spotter check`: would it run? Every part of the configuration is made; no camera or broker is asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.cli.options import add_config, add_json, add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.config import Settings
    from agent.core.expecting import Memory


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "check",
        "validate the configuration and all that it names, without asking a camera or the broker",
        "spotter check -c /etc/spotter/spotter.yaml",
        do,
    )
    add_config(parser)
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of the configuration file"
    )
    add_json(parser)


def do(args: argparse.Namespace) -> int:
    """Open what the configuration names and a disk holds; ConfigError or DeviceError says what is wrong."""
    from pathlib import Path

    from agent.config import json_schema, load_config

    if args.schema:
        print_json(json_schema())
        return 0
    from agent.applying import make_apps, proposers
    from agent.core.errors import masked_url
    from agent.parts import load_eyes, make_pipeline
    from agent.probing import try_probes
    from agent.state import check_state

    settings = load_config(args.config)
    _check_ways_out(settings, args.config)
    _check_pages(settings, args.config)
    _check_privacy(settings)
    check_state(Path(settings.state_dir))
    eyes, catalogue = load_eyes(settings)
    make_pipeline(settings, eyes, catalogue, proposers=proposers(make_apps(settings)))
    facts = {
        "config": args.config,
        "device": f"{settings.site}/{settings.device}",
        "model": eyes.spec.name,
        "runtime": eyes.runtime,
        "release": catalogue.release,
        "products": catalogue.manifest.products,
        "references": catalogue.manifest.references,
        "probes": try_probes(eyes, catalogue),
        **_assortment(settings, catalogue),
        "broker": ", ".join(masked_url(url) for url in settings.mqtt.urls),
        "cameras": {camera.id: masked_url(camera.source) for camera in settings.cameras},
    }
    if args.json:
        print_json({"ok": True, **facts})
    else:
        for name, value in facts.items():
            print(f"{name:11} {value}")
        print("ok", file=sys.stderr)
    return 0


def _assortment(settings: Settings, memory: Memory) -> dict[str, str]:
    """How much of what the store carries the catalogue has; nothing where no assortment is configured."""
    carried = settings.decision.carried
    if not carried:
        return {}
    held = sum(memory.by_sku(sku) is not None for sku in carried)
    return {"assortment": f"{held} of {len(carried)} SKUs are in the catalogue"}


def _check_pages(settings: Settings, name: str) -> None:
    """The certificate of the pages; whether their address can be had, the daemon says."""
    if settings.web is None or not settings.web.cert:
        return
    from agent.adapters.web.certificate import check_certificate
    from agent.core.errors import ConfigError

    try:
        check_certificate(settings.web)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _check_privacy(settings: Settings) -> None:
    """The models that find people: without them a daemon would not start."""
    from agent.people import make_finder

    make_finder(settings.privacy)


def _check_ways_out(settings: Settings, name: str) -> None:
    """What brokers, webhooks and cameras need of this device: certificates, packages for some cameras."""
    from agent.adapters.broker import Broker
    from agent.adapters.camera import open_camera
    from agent.adapters.sparkplug import load_codec
    from agent.adapters.system import SystemClock
    from agent.adapters.webhook import Webhook
    from agent.core.errors import ConfigError
    from agent.core.wire import Wire

    clock = SystemClock()
    wire = Wire(settings.mqtt.prefix, settings.site, settings.device)
    try:
        Broker(settings.mqtt, wire.root, wire.availability("offline"), clock).close(0.0)
    except ConfigError as error:
        raise ConfigError(f"{name}: mqtt: {error}") from None
    if settings.webhook is not None:
        try:
            Webhook(settings.webhook, clock)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from None
    if settings.sparkplug is not None:
        try:
            load_codec()
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from None
    for camera in settings.cameras:
        try:
            open_camera(camera, clock)
        except ConfigError as error:
            raise ConfigError(f"{name}: camera {camera.id!r}: {error}") from None
