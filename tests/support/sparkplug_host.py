"""A Sparkplug host as far as tests need one: follows one edge node as the specification has hosts do it.

It fails the test where the node breaks the rules: a gap in `seq`, data of what was not born, a name beside an
alias, a retained message, a death whose number is not that of the birth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agent.adapters.sparkplug import load_codec
from agent.core.wire.sparkplug import BD_SEQ, REBIRTH, Metric, Namespace, Payload, Type
from tests.support.mosquitto import Heard, Subscriber

CODEC = load_codec()


@dataclass
class Host:
    """`take` what was heard; the rest is what is known from it."""

    names: Namespace
    numbers: list[int] = field(default_factory=list)  # bdSeq of each birth of the node
    alive: set[str] = field(default_factory=set)  # cameras; "" is the node
    values: dict[str, Any] = field(default_factory=dict)  # "camera:name" → the latest
    history: list[tuple[str, Any]] = field(default_factory=list)  # the same, all of them
    births: int = 0
    _aliases: dict[int, str] = field(default_factory=dict)
    _seq: int = 0
    _taken: int = 0

    def follow(self, ear: Subscriber) -> Host:
        """Take in what this subscriber has heard since the last time."""
        with ear.changed:
            new, self._taken = ear.heard[self._taken :], len(ear.heard)
        for heard in new:
            self.take(heard)
        return self

    def take(self, heard: Heard) -> None:
        namespace, group, kind, node, *camera = heard.topic.split("/")
        assert (namespace, group, node) == ("spBv1.0", self.names.group, self.names.node)
        assert not heard.retain
        if kind.endswith("CMD"):
            return  # what hosts say
        name = camera[0] if camera else ""
        payload = CODEC.decode(heard.payload)
        if kind == "NDEATH":
            (metric,) = payload.metrics
            assert (metric.name, metric.type, payload.seq) == (BD_SEQ, Type.INT64, None)
            if metric.value == self.numbers[-1]:  # else of a session before this one
                self.alive.clear()
            return
        if kind == "NBIRTH":
            assert payload.seq == 0
            self._aliases, self.alive = {}, set()
            self.numbers.append(int(next(m.value for m in payload.metrics if m.name == BD_SEQ) or 0))
            self.births += 1
            assert [m.value for m in payload.metrics if m.name == REBIRTH] == [False]
        else:
            assert payload.seq == (self._seq + 1) % 256, f"a gap before {heard.topic}"
        self._seq = payload.seq or 0
        if kind == "DDEATH":
            self.alive.remove(name)
        elif kind.endswith("BIRTH"):
            self.alive.add(name)
            for metric in payload.metrics:
                assert metric.type is not None
                if metric.alias is not None:
                    assert metric.alias not in self._aliases
                    self._aliases[metric.alias] = f"{name}:{metric.name}"
                self._know(f"{name}:{metric.name}", metric.value)
        else:
            assert name in self.alive, f"data of what was not born: {heard.topic}"
            for metric in payload.metrics:
                assert not metric.name
                self._know(self._aliases[metric.alias or 0], metric.value)

    def ask(self, ear: Subscriber) -> None:
        """Ask for the births once more."""
        ear.send(
            self.names.topic("NCMD"), CODEC.encode(Payload(1.0, (Metric(REBIRTH, Type.BOOLEAN, True, 1.0),)))
        )

    def _know(self, name: str, value: Any) -> None:
        self.values[name] = value
        self.history.append((name, value))
