"""Head office on the command line: keys, a release, its rollout, a server, as a person types them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from agent.cli.main import main
from tests.support.head_office import draw_catalogue

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_catalogue(tmp_path_factory.mktemp("catalogue") / "a")


def printed(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, object]:
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_keys_a_release_its_rollout_and_a_replaced_key(
    catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, www = tmp_path / "keys", tmp_path / "www"
    made = printed(capsys, "catalog", "keys", "create", keys, "--offline", tmp_path / "stick")
    assert made["version"] == 1
    publish = ("catalog", "publish", catalogue, "--to", www, "--keys", keys, "--channel", "stores/berlin-12")
    first = printed(capsys, *publish, "--rollout", "5")
    assert (first["number"], first["new"], first["rollout_percent"]) == (1, True, 5)
    wider = printed(capsys, *publish)
    assert (wider["number"], wider["new"], wider["rollout_percent"], wider["added_bytes"]) == (
        1,
        False,
        100,
        0,
    )
    rotated = printed(capsys, "catalog", "keys", "rotate", keys, "--offline", tmp_path / "stick")
    assert (rotated["version"], rotated["root"]) == (2, made["root"])
    assert rotated["online"] != made["online"]
    assert printed(capsys, *publish)["publish_again"] == []
    key = str(rotated["online"])[:16]
    assert (
        main(
            [str(word) for word in ("catalog", "keys", "revoke", keys, key, "--offline", tmp_path / "stick")]
        )
        == 0
    )
    assert "new devices get" in capsys.readouterr().out
    assert main([str(word) for word in ("catalog", "publish", catalogue, "--to", www, "--keys", keys)]) == 0
    assert "only a revoked key vouched for channel stores/berlin-12" in capsys.readouterr().err


def test_old_releases_are_pruned_by_hand_and_while_publishing(
    catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, www = tmp_path / "keys", tmp_path / "www"
    printed(capsys, "catalog", "keys", "create", keys)
    publish = ("--to", www, "--keys", keys)
    assert printed(capsys, "catalog", "publish", catalogue, *publish)["pruned"] is None
    second, third = (draw_catalogue(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    kept = printed(capsys, "catalog", "publish", second, *publish, "--keep", "1")
    assert kept["pruned"] == {"releases": 0, "blobs": 0, "freed_bytes": 0, "metadata": 0}  # within the grace
    printed(capsys, "catalog", "publish", third, *publish)
    prune = ("catalog", "prune", www, "--keys", keys, "--keep", "1", "--grace", "0")
    pruned = printed(capsys, *prune)
    assert pruned["releases"] == 2
    assert pruned["blobs"] == 6
    assert pruned["metadata"] == 4, "targets and snapshot of the first two publications"
    assert main([str(word) for word in prune]) == 0
    assert (
        "0 old releases and 0 blobs removed, 0 bytes, and 0 old files of metadata" in capsys.readouterr().out
    )


def test_passphrases_come_from_the_environment(
    catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOTTER_ONLINE_PASSPHRASE", "battery staple")
    main(["catalog", "keys", "create", str(tmp_path / "keys")])
    publish = [
        "catalog",
        "publish",
        str(catalogue),
        "--to",
        str(tmp_path / "www"),
        "--keys",
        str(tmp_path / "keys"),
    ]
    assert main(publish) == 0
    monkeypatch.delenv("SPOTTER_ONLINE_PASSPHRASE")
    capsys.readouterr()
    assert main(publish) == 78
    assert "expected a key of this passphrase" in capsys.readouterr().err
    assert "battery" not in (tmp_path / "keys" / "root.json").read_text()


WRONG = {
    "a channel upwards": (["--channel", "../x"], 2, "channel: expected up to four names"),
    "a rollout above all": (["--rollout", "101"], 2, "expected a whole number from 0 to 100"),
    "a rollout that is none": (["--rollout", "some"], 2, "expected a whole number from 0 to 100"),
    "keys that are not there": (
        ["--keys", "nowhere"],
        78,
        "expected keys made by `spotter catalog keys create`",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_said_in_one_line(
    case: str, catalogue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, expected, message = WRONG[case]
    main(["catalog", "keys", "create", str(tmp_path / "keys")])
    capsys.readouterr()
    try:
        code = main(
            [
                "catalog",
                "publish",
                str(catalogue),
                "--to",
                str(tmp_path / "www"),
                "--keys",
                str(tmp_path / "keys"),
                *words,
            ]
        )
    except SystemExit as left:
        code = int(left.code or 0)
    assert code == expected
    assert message in capsys.readouterr().err
    assert not (tmp_path / "www").exists()


def test_a_published_directory_is_served_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "file.json").write_bytes(b"{}")
    child = subprocess.Popen(
        [sys.executable, "-m", "agent", "catalog", "serve", str(tmp_path / "www"), "--port", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert child.stdout is not None
    url = re.search(r"http://\S+/", child.stdout.readline())
    assert url
    with urllib.request.urlopen(url.group() + "file.json", timeout=10) as answer:
        assert answer.read() == b"{}"
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 130
    assert '"GET /file.json HTTP/1.1" 200' in errors


@pytest.mark.parametrize(
    "verb", [["publish"], ["prune"], ["serve"], ["keys", "create"], ["keys", "rotate"], ["keys", "revoke"]]
)
def test_help_ends_in_an_example(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["catalog", *verb, "--help"])
    assert f"example:\n  spotter catalog {' '.join(verb)}" in capsys.readouterr().out
