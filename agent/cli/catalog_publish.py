"""`spotter catalog publish`, `serve` and `keys`: from a catalogue directory to what devices sync from."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli import catalog_prune
from agent.cli.options import Progress, add_json, add_verb, print_json, whole

if TYPE_CHECKING:
    from agent.cli.options import Verbs
    from agent.publishing.keys import KeyRing, Passphrases
    from agent.publishing.repository import Published

_ROOT_RENEWAL_S = 365 * 86_400
"""A root that ends within a year is spoken of at each publication."""

_PASSPHRASES = "Passphrases are taken from SPOTTER_ROOT_PASSPHRASE and SPOTTER_ONLINE_PASSPHRASE"


def add_publish(inner: Verbs) -> None:
    """Describe `publish`."""
    parser = add_verb(
        inner,
        "publish",
        "sign a catalogue as the release of a channel, in a directory that any web server can show",
        "spotter catalog publish catalogue --to www --channel stores/berlin-12 --keys keys",
        do_publish,
    )
    parser.add_argument("catalogue", type=Path, metavar="CATALOGUE", help="directory of `catalog build`")
    parser.add_argument("--to", type=Path, required=True, metavar="DEST", help="directory to publish in")
    parser.add_argument(
        "--channel", type=_channel, default="default", help="who it is for (default: default)"
    )
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="of `catalog keys create`")
    parser.add_argument(
        "--rollout",
        type=_percent,
        default=100,
        metavar="PERCENT",
        help="share of the devices that take it; publish again to widen it (default: 100)",
    )
    catalog_prune.add_keep(parser, required=False)
    add_json(parser)


def add_serve(inner: Verbs) -> None:
    """Describe `serve`."""
    parser = add_verb(
        inner,
        "serve",
        "show a published directory over HTTP: for development and small fleets",
        "spotter catalog serve www --host 0.0.0.0 --port 8443 --cert cert.pem --key key.pem",
        do_serve,
    )
    parser.add_argument("dest", type=Path, metavar="DEST", help="directory of `catalog publish`")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=_port, default=8080, help="0: one that is free, which is printed (default: 8080)"
    )
    parser.add_argument("--cert", type=Path, metavar="FILE", help="certificate chain (PEM): serves over TLS")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key, when not in --cert")


def add_keys(inner: Verbs) -> None:
    """Describe `keys`."""
    keys = inner.add_parser("keys", help="make and replace the keys that releases are signed with")
    verbs = keys.add_subparsers(dest="keys_what", required=True, metavar="WHAT")
    create = add_verb(
        verbs,
        "create",
        f"make an offline root key, an online key, and root.json for the devices. {_PASSPHRASES}",
        "spotter catalog keys create keys --offline /media/stick",
        do_create,
    )
    rotate = add_verb(
        verbs,
        "rotate",
        "replace a key that is to retire; publish afterwards, and no device sees a gap",
        "spotter catalog keys rotate keys --role online --offline /media/stick",
        do_rotate,
    )
    revoke = add_verb(
        verbs,
        "revoke",
        "replace a key that was lost or stolen; publish every channel afterwards",
        "spotter catalog keys revoke keys 1f3a5c7e9b2d4f60 --offline /media/stick",
        do_revoke,
    )
    for parser in (create, rotate, revoke):
        parser.add_argument("folder", type=Path, metavar="DIR", help="directory of the keys")
        parser.add_argument(
            "--offline", type=Path, metavar="DIR", help="where root keys lie (default: with the others)"
        )
        add_json(parser)
    rotate.add_argument("--role", choices=("online", "root"), default="online", help="(default: online)")
    revoke.add_argument("key", metavar="KEY", help="its id, or the beginning of it")


def do_publish(args: argparse.Namespace) -> int:
    """Publish, and say what devices will see."""
    from agent.adapters.system import SystemClock
    from agent.publishing.keys import open_keys
    from agent.publishing.repository import publish

    now_utc = SystemClock().utc()
    report = publish(
        args.catalogue,
        args.to,
        open_keys(args.keys),
        channel=args.channel,
        now_utc=now_utc,
        rollout_percent=args.rollout,
        passphrase=_passphrases().of("online"),
        keep=args.keep,
        grace_s=catalog_prune.grace_s(args),
        progress=Progress("patches"),
    )
    for channel in report.dropped:
        print(f"warning: only a revoked key vouched for channel {channel}: publish it again", file=sys.stderr)
    if report.root_expires_utc - now_utc < _ROOT_RENEWAL_S:
        print(
            "warning: the root ends within a year: `spotter catalog keys rotate --role root`", file=sys.stderr
        )
    if args.json:
        print_json(_summary(report))
    else:
        release = report.release
        number = f"number {release.number}{'' if report.new else ' as before'}"
        print(
            f"{args.to}: channel {release.channel}, {number}, release {release.release}, "
            f"{release.size:,} bytes, for {release.rollout_percent} % of the devices; "
            f"{report.added_bytes:,} bytes added"
        )
        if report.pruned:
            print(f"{args.to}: {catalog_prune.sentence(report.pruned)}")
    return 0


def do_serve(args: argparse.Namespace) -> int:
    """Serve until it is stopped; a line for each request on stderr."""
    from agent.publishing.serve import make_server

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with make_server(args.dest, args.host, args.port, cert=args.cert, key=args.key, log=log) as server:
        host = f"[{args.host}]" if ":" in args.host else args.host
        scheme = "https" if args.cert else "http"
        print(f"{args.dest}: served on {scheme}://{host}:{server.port}/", flush=True)
        server.serve_forever()
    return 0


def do_create(args: argparse.Namespace) -> int:
    """Make keys."""
    from agent.adapters.system import SystemClock
    from agent.publishing.keys import create_keys

    ring = create_keys(args.folder, _passphrases(), now_utc=SystemClock().utc(), offline=args.offline)
    _show(args, ring)
    return 0


def do_rotate(args: argparse.Namespace) -> int:
    """Replace a key that is still trusted."""
    return _replace(args, "", revoked=False)


def do_revoke(args: argparse.Namespace) -> int:
    """Replace a key that is no longer trusted."""
    return _replace(args, args.key, revoked=True)


def _replace(args: argparse.Namespace, key: str, *, revoked: bool) -> int:
    from agent.adapters.system import SystemClock
    from agent.publishing.keys import open_keys, replace_key, role_of

    ring = open_keys(args.folder)
    role = role_of(ring, key) if key else args.role
    now_utc = SystemClock().utc()
    ring = replace_key(ring, role, _passphrases(), now_utc=now_utc, revoked=revoked, offline=args.offline)
    _show(args, ring)
    return 0


def _show(args: argparse.Namespace, ring: KeyRing) -> None:
    place = args.offline or args.folder
    facts = {
        "version": ring.root.version,
        "root": ring.key_of("root"),
        "online": ring.key_of("online"),
        "expires": ring.root.expires.strftime("%Y-%m-%d"),
    }
    if args.json:
        print_json(facts)
        return
    print(f"root key    {facts['root']}  in {place}: keep it offline, and a copy of it elsewhere")
    print(f"online key  {facts['online']}  in {args.folder}")
    print(f"root {facts['version']}, until {facts['expires']}: new devices get {args.folder / 'root.json'}")


def _summary(report: Published) -> dict[str, object]:
    release = report.release
    return {
        "channel": release.channel,
        "number": release.number,
        "new": report.new,
        "release": release.release,
        "rollout_percent": release.rollout_percent,
        "bytes": release.size,
        "added_bytes": report.added_bytes,
        "patches": {
            blob.name: [patch.size for patch in blob.patches] for blob in release.blobs if blob.patches
        },
        "publish_again": list(report.dropped),
        "pruned": catalog_prune.summary(report.pruned) if report.pruned else None,
    }


def _passphrases() -> Passphrases:
    from agent.publishing.keys import Passphrases

    return Passphrases(
        root=os.environ.get("SPOTTER_ROOT_PASSPHRASE"), online=os.environ.get("SPOTTER_ONLINE_PASSPHRASE")
    )


def _channel(text: str) -> str:
    from agent.core.release import check_channel

    try:
        check_channel("channel", text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _percent(text: str) -> int:
    return whole(text, 0, 100)


def _port(text: str) -> int:
    return whole(text, 0, 65_535)
