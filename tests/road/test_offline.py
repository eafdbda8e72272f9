"""A store that was offline for six weeks, and a board that wakes up in 1970: it recognises all the while."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest

from agent.adapters.embedder import EmbedderSettings, load_embedder
from tests.support import static_host as does
from tests.support.daemon_at import command
from tests.support.head_office import HeadOffice, draw_catalogue
from tests.support.mosquitto import Mosquitto, Subscriber
from tests.support.road import ONE_LOOK, Daemon, Road, photos_camera, recognitions, spotter, until
from tests.support.static_host import StaticHost

DAY_S = 86_400


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_offline_for_six_weeks_and_back(tmp_path: Path) -> None:
    """What is wrong is on `/health`, and goes when it is right again; nobody restarts anything."""
    (tmp_path / "www").mkdir()
    with Mosquitto(tmp_path / "broker") as broker, StaticHost(tmp_path / "www") as host:
        road = Road(tmp_path, broker.port)
        eyes = load_embedder(EmbedderSettings(file=str(road.model)))
        catalogues = [
            draw_catalogue(tmp_path / str(seed), seed, fingerprint=eyes.fingerprint, dimension=eyes.dimension)
            for seed in range(2)
        ]
        in_ten_days = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
        office = HeadOffice(host.folder, expires=in_ten_days)
        (tmp_path / "root.json").write_bytes(office.root_bytes)
        camera = photos_camera(road.draw_photos(), loop=True, fps=10)
        sync = {"url": host.url, "root": str(tmp_path / "root.json"), "interval_s": 1}
        settings = road.settings(camera, decision=ONE_LOOK, sync=sync)
        del settings["catalogue"]
        road.config.write_text(json.dumps(settings))
        first = office.publish(catalogues[0], 1).release
        assert spotter("sync", "-c", str(road.config)).returncode == 0

        clock = tmp_path / "ahead"
        set_clock(clock, -time())
        host.always["metadata/timestamp.json"] = does.status(503)
        with Subscriber(broker.port, "spotter/test/dev-1/#") as heard:

            def health() -> dict[str, Any]:
                found = [json.loads(m.payload) for m in heard.heard if m.topic.endswith("/health")]
                return dict(found[-1]) if found else {}

            def recognises_with(release: str) -> None:
                so_far = len(recognitions(heard.heard))
                until(lambda: len(recognitions(heard.heard)) > so_far + 5, 30, daemon.text)
                assert recognitions(heard.heard)[-1]["release"] == release

            def says(words: str) -> None:
                until(lambda: words in str(health().get("causes")), 30, daemon.text)
                assert health()["state"] == "degraded"

            with Daemon(road.config, tmp_path / "daemon.log", command(road.config, clock)) as daemon:
                says("expected status 200, found 503")
                recognises_with(first)

                host.always.clear()
                says("clock: expected a time after")
                recognises_with(first)

                set_clock(clock, 42 * DAY_S)
                says("expired")
                recognises_with(first)

                office.expires = office.root.expires = in_ten_days + timedelta(days=400)
                office.rotate("root")
                second = office.publish(catalogues[1], 2).release
                until(lambda: health()["state"] == "ok", 30, daemon.text)
                recognises_with(second)
                assert daemon.stop() == 0
            assert "Traceback" not in daemon.text()


def set_clock(file: Path, ahead_s: float) -> None:
    """At once: the daemon reads it all the time."""
    file.with_suffix(".new").write_text(str(ahead_s))
    file.with_suffix(".new").replace(file)
