"""What Prometheus is told is what the parts of the daemon say of themselves."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from agent.adapters.broker import Broker, BrokerSettings
from agent.adapters.outbox import Outbox
from agent.bookkeeping import Bookkeeper
from agent.observing import Observing
from agent.publisher import Publisher
from tests.support.command_post import WIRE, Post
from tests.support.road import Road


def test_it_gathers_from_every_part(tmp_path: Path) -> None:
    road = Road(tmp_path)
    road.build(products=3)
    post = Post(road, tmp_path / "state")
    outbox = Outbox(tmp_path / "other.db")
    outbox.put([WIRE.health("degraded", {"sync": "x"}, post.clock.utc())])
    broker = Broker(BrokerSettings(), WIRE.root, WIRE.availability("offline"), post.clock)
    publisher = Publisher(outbox, broker, WIRE, post.clock)
    books = Bookkeeper(outbox, post.mailbox, post.metrics, post.clock, 0, lambda _figures, _uptime: None)
    observing = Observing(
        site="test",
        device="dev-1",
        books=books,
        publisher=publisher,
        gate=post.gate,
        health=post.health,
        holding=post.holding,
        metrics=post.metrics,
    )

    def told() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(observing.exposition())
        return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}

    before = told()
    assert ("spotter_catalogue_products",) not in before, "nothing was told of it yet"
    assert before["spotter_camera_state", "cam", "offline"] == 1
    post.holding.say_index(None)
    post.gate.say("cam", "online", "")
    post.health.report("outbox", "the disk is full")
    post.metrics.count("frames.taken.cam", 5)
    post.metrics.time("step", 0.25)
    post.clock.ahead_s += 100
    after = told()
    assert after["spotter_catalogue_products",] == 3
    assert after["spotter_camera_state", "cam", "online"] == 1
    assert after["spotter_camera_state", "cam", "offline"] == 0
    assert after["spotter_problem", "outbox"] == 1
    assert after["spotter_frames_taken_total", "cam"] == 5
    assert after["spotter_frames_dropped_total", "cam"] == 0
    assert after["spotter_step_duration_seconds_bucket", "0.25"] == 1
    assert after["spotter_outbox_messages",] == 1
    assert after["spotter_broker_connected",] == 0
    assert after["spotter_uptime_seconds",] >= 100
    assert after["process_resident_memory_bytes",] > 10e6
    assert after["spotter_device_info", "test", "dev-1"] == 1
    broker.close(0.1)
    outbox.close()
