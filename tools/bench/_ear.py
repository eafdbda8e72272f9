"""As a program, what `_delivery.Ear` starts: a subscriber that counts until its input ends."""

from __future__ import annotations

import json
import select
import sys
import time
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tools.shop_demo.ear import Ear

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.shop_demo.ear import Heard


def main(port: int) -> None:
    """Say `ready`, hear until the input ends and it has been quiet for a second, and print what it was."""
    heard: list[tuple[Heard, float]] = []
    with Ear(port, "spotter/#") as ear:
        print("ready", flush=True)
        while True:
            message = ear.next(1.0)
            if message is not None:
                heard.append((message, time.time()))
            elif select.select([sys.stdin], [], [], 0)[0]:
                break
    print(json.dumps(_summed(heard)))


def _summed(heard: Iterable[tuple[Heard, float]]) -> dict[str, Any]:
    tracks: dict[str, list[int]] = defaultdict(list)
    ages_s: dict[str, list[float]] = defaultdict(list)
    late: dict[str, int] = defaultdict(int)
    lost: dict[str, int] = {}
    for message, at in heard:
        name = message.topic.split("/", 3)[-1]
        if name == "lost":
            lost[message.payload["id"]] = message.payload["count"]
        elif name.endswith("/recognition"):
            tracks[name].append(int(message.payload["track"], 16))
            late[name] += message.payload.get("late", False)
            ages_s[name].append(at - datetime.fromisoformat(message.payload["time"]).timestamp())
    return {
        "lost": sum(lost.values()),
        "topics": {
            name: {
                "messages": len(found),
                "different": len(set(found)),
                "in_order": list(dict.fromkeys(found)) == sorted(set(found)),
                "late": late[name],
                "ages_s": ages_s[name],
            }
            for name, found in tracks.items()
        },
    }


if __name__ == "__main__":
    main(int(sys.argv[1]))
