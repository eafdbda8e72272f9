"""`spotter asyncapi`: the AsyncAPI document of what a device says and takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.options import add_verb, print_json

if TYPE_CHECKING:
    import argparse

    from agent.cli.options import Verbs
    from agent.core.wire import Envelope


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        "asyncapi",
        "print every topic, message and command as an AsyncAPI 3 document (JSON)",
        "spotter asyncapi -c /etc/spotter/spotter.yaml",
        do,
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="with the broker and the topics of this configuration"
    )


def do(args: argparse.Namespace) -> int:
    """Print it."""
    from agent import __version__
    from agent.adapters.broker import BrokerSettings, parse_url
    from agent.config import load_config
    from agent.core.wire.asyncapi import document

    device: dict[str, str] = {}
    envelope: Envelope = "plain"
    url = BrokerSettings().urls[0]
    if args.config:
        settings = load_config(args.config)
        device = {"prefix": settings.mqtt.prefix, "site": settings.site, "device": settings.device}
        url, envelope = settings.mqtt.urls[0], settings.envelope
    address = parse_url(url)
    host = f"[{address.host}]" if ":" in address.host else address.host
    server = {"host": f"{host}:{address.port}", "protocol": url.partition("://")[0]}
    if address.path:
        server["pathname"] = address.path
    print_json(document(__version__, server, device, envelope))
    return 0
