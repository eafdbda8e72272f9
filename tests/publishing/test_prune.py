"""What old releases alone need is removed; never what a device may take, or be in the middle of."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from agent.adapters.catalogue import open_catalogue
from agent.core.errors import InputError
from agent.core.release import Release, parse_release
from agent.publishing.keys import KeyRing, Passphrases, create_keys, replace_key
from agent.publishing.prune import GRACE_S, Pruned, prune
from agent.publishing.repository import Published, publish
from tests.support.head_office import draw_catalogue

NOW = 1_767_225_600.0  # 2026-01-01
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return create_keys(tmp_path_factory.mktemp("ring") / "keys", Passphrases(), now_utc=NOW)


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Eight, with indexes large enough for patches."""
    folder = tmp_path_factory.mktemp("catalogues")
    return [draw_catalogue(folder / str(seed), seed=seed, products=120) for seed in range(8)]


class Shop:
    """A repository whose releases come one a day; files get the age that they would have."""

    def __init__(self, dest: Path, ring: KeyRing) -> None:
        self.dest, self.ring, self.day = dest, ring, 0

    def publish(self, catalogue: Path, channel: str = "default", keep: int | None = None) -> Published:
        known = set(self.dest.rglob("*"))
        self.day += 1
        report = publish(catalogue, self.dest, self.ring, channel=channel, now_utc=self.now_utc, keep=keep)
        for path in set(self.dest.rglob("*")) - known:
            os.utime(path, (self.now_utc, self.now_utc))
        return report

    @property
    def now_utc(self) -> float:
        return NOW + self.day * DAY_S

    def prune(self, keep: int, after_days: float = 0, grace_s: float = GRACE_S) -> Pruned:
        return prune(
            self.dest, self.ring, keep=keep, now_utc=self.now_utc + after_days * DAY_S, grace_s=grace_s
        )

    def blobs(self) -> set[str]:
        return {path.name for path in (self.dest / "blobs").iterdir()}

    def numbers(self, channel: str = "default") -> list[int]:
        files = (self.dest / "targets" / channel).glob("*.release.json")
        return sorted(parse_release(path.read_bytes(), path.name).number for path in files)


@pytest.fixture
def shop(tmp_path: Path, ring: KeyRing) -> Shop:
    return Shop(tmp_path / "www", ring)


def needs(release: Release) -> set[str]:
    return {
        name for blob in release.blobs for name in (blob.sha256, *(patch.sha256 for patch in blob.patches))
    }


def opens(shop: Shop, release: Release, folder: Path) -> None:
    folder.mkdir()
    for blob in release.blobs:
        shutil.copy(shop.dest / "blobs" / blob.sha256, folder / blob.name)
        assert hashlib.sha256((folder / blob.name).read_bytes()).hexdigest() == blob.sha256
    open_catalogue(folder, release.fingerprint, release.dimension).close()


def test_the_last_releases_stay_with_their_patches_and_the_others_go(
    shop: Shop, catalogues: list[Path], tmp_path: Path
) -> None:
    reports = [shop.publish(catalogue) for catalogue in catalogues]
    before = sum(path.stat().st_size for path in (shop.dest / "blobs").iterdir())
    pruned = shop.prune(keep=2, after_days=30)
    kept = [report.release for report in reports[-2:]]
    assert shop.blobs() == needs(kept[0]) | needs(kept[1])
    assert any(blob.patches for blob in kept[1].blobs)
    assert shop.numbers() == [7, 8]
    assert (pruned.releases, pruned.blobs > 0) == (6, True)
    assert pruned.freed_bytes == before - sum(path.stat().st_size for path in (shop.dest / "blobs").iterdir())
    opens(shop, kept[0], tmp_path / "a")
    opens(shop, kept[1], tmp_path / "b")
    assert shop.prune(keep=2, after_days=30) == Pruned(0, 0, 0)


def metadata(shop: Shop) -> set[str]:
    return {path.name for path in (shop.dest / "metadata").iterdir()}


def test_what_was_signed_before_goes_after_the_grace_and_every_root_stays(
    shop: Shop, catalogues: list[Path], tmp_path: Path
) -> None:
    shop.ring = create_keys(tmp_path / "keys", Passphrases(), now_utc=NOW)
    for catalogue in catalogues[:2]:
        shop.publish(catalogue)
    shop.ring = replace_key(shop.ring, "online", Passphrases(), now_utc=shop.now_utc, revoked=False)
    shop.publish(catalogues[2])
    shop.publish(catalogues[3])
    numbers = sorted(int(name.split(".")[0]) for name in metadata(shop) if name.endswith(".targets.json"))
    assert len(numbers) >= 4
    roots = {"1.root.json", "2.root.json"}
    newest = numbers[-1]

    assert shop.prune(keep=9, after_days=7 - 2.1).metadata == 0, "the first was left less than a week ago"
    assert shop.prune(keep=9, after_days=7 - 0.9).metadata == 2 * (len(numbers) - 2)
    assert f"{numbers[-2]}.snapshot.json" in metadata(shop), "it was left six days ago"
    assert shop.prune(keep=9, after_days=7.1).metadata == 2
    assert metadata(shop) == roots | {
        "timestamp.json", f"{newest}.targets.json", f"{newest}.snapshot.json",
    }  # fmt: skip
    assert shop.publish(catalogues[4], keep=9).pruned == Pruned(0, 0, 0)


def test_a_release_stays_for_the_grace_after_the_next_one_came(shop: Shop, catalogues: list[Path]) -> None:
    reports = [shop.publish(catalogue) for catalogue in catalogues[:3]]
    # number 1 was left on day 2, number 2 on day 3
    assert shop.prune(keep=1, after_days=5.9) == Pruned(0, 0, 0)
    assert shop.prune(keep=1, after_days=6.1).releases == 1
    assert shop.blobs() == needs(reports[1].release) | needs(reports[2].release)
    assert shop.prune(keep=1, after_days=7.1).releases == 1
    assert shop.blobs() == needs(reports[2].release)


def test_publishing_goes_on_where_the_numbers_were(shop: Shop, catalogues: list[Path]) -> None:
    for catalogue in catalogues[:3]:
        shop.publish(catalogue)
    shop.prune(keep=1, after_days=30)
    report = shop.publish(catalogues[3])
    assert report.release.number == 4
    index = next(blob for blob in report.release.blobs if blob.name.startswith("index"))
    assert len(index.patches) == 1  # from the one that is left


def test_publish_prunes_when_told_to_and_never_otherwise(shop: Shop, catalogues: list[Path]) -> None:
    for catalogue in catalogues[:3]:
        assert shop.publish(catalogue).pruned is None
    assert shop.numbers() == [1, 2, 3]
    shop.day += 30
    report = shop.publish(catalogues[3], keep=2)
    assert report.pruned is not None
    assert report.pruned.releases == 2
    assert shop.numbers() == [3, 4]
    assert needs(report.release) <= shop.blobs()


def test_every_channel_keeps_its_own_and_what_they_share_stays(shop: Shop, catalogues: list[Path]) -> None:
    old = shop.publish(catalogues[0], "stores/berlin-12")
    for catalogue in catalogues[:4]:
        last = shop.publish(catalogue)
    shop.prune(keep=1, after_days=30)
    assert shop.numbers("stores/berlin-12") == [1]
    assert shop.blobs() == needs(old.release) | needs(last.release)


def test_the_signed_release_stays_though_a_newer_number_was_left_unsigned(
    shop: Shop, catalogues: list[Path]
) -> None:
    """The power went after the release was written and before it was signed."""
    first = shop.publish(catalogues[0])
    metadata = shutil.copytree(shop.dest / "metadata", shop.dest.with_name("metadata"))
    shop.publish(catalogues[1])
    shutil.rmtree(shop.dest / "metadata")
    shutil.copytree(metadata, shop.dest / "metadata")
    shop.prune(keep=1, after_days=30)
    assert needs(first.release) <= shop.blobs()
    assert shop.numbers() == [1, 2]


def test_a_rollout_that_widened_is_one_release(shop: Shop, catalogues: list[Path]) -> None:
    for catalogue in catalogues[:2]:
        shop.publish(catalogue)
    for percent in (10, 50):
        publish(
            catalogues[2],
            shop.dest,
            shop.ring,
            channel="default",
            now_utc=shop.now_utc,
            rollout_percent=percent,
        )
    shop.prune(keep=2, after_days=30)
    assert shop.numbers() == [2, 3, 3]


def test_a_blob_that_was_lately_written_stays_whoever_needs_it(shop: Shop, catalogues: list[Path]) -> None:
    shop.publish(catalogues[0])
    stray = shop.dest / "blobs" / ("0" * 64)
    stray.write_bytes(b"of a publication that broke off")
    os.utime(stray, (shop.now_utc, shop.now_utc))
    assert shop.prune(keep=1, after_days=6) == Pruned(0, 0, 0)
    assert shop.prune(keep=1, after_days=8) == Pruned(0, 1, 31)


def test_what_is_not_ours_stays(shop: Shop, catalogues: list[Path]) -> None:
    shop.publish(catalogues[0])
    for path in (
        shop.dest / "blobs" / "README",
        shop.dest / "targets" / "notes.json",
        shop.dest / "index.html",
    ):
        path.write_text("{}")
        os.utime(path, (NOW, NOW))
    assert shop.prune(keep=1, after_days=30) == Pruned(0, 0, 0)


def cut_release(shop: Shop) -> None:
    path = min((shop.dest / "targets" / "default").glob("?*.release.json"))
    os.truncate(path, 100)


def foreign_release(shop: Shop) -> None:
    path = min((shop.dest / "targets" / "default").glob("?*.release.json"))
    (shop.dest / "targets" / "other").mkdir()
    shutil.copy(path, shop.dest / "targets" / "other" / path.name)


def other_keys(shop: Shop) -> None:
    shop.ring = create_keys(shop.dest.with_name("others"), Passphrases(), now_utc=NOW)


def no_repository(shop: Shop) -> None:
    shutil.rmtree(shop.dest / "metadata")


SPOILT = {
    "a release that cannot be read": (cut_release, "while it is there, nothing is removed"),
    "a release in the folder of another channel": (
        foreign_release,
        "expected a release of other, found one of default",
    ),
    "other keys": (other_keys, "expected the root of"),
    "no repository": (no_repository, "expected a directory made by `spotter catalog publish`"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_nothing_is_removed_where_something_is_wrong(case: str, shop: Shop, catalogues: list[Path]) -> None:
    for catalogue in catalogues[:3]:
        shop.publish(catalogue)
    spoil, expected = SPOILT[case]
    spoil(shop)
    before = shop.blobs()
    with pytest.raises(InputError, match=expected) as caught:
        shop.prune(keep=1, after_days=30)
    assert "\n" not in str(caught.value)
    assert shop.blobs() == before


def test_a_release_that_only_a_revoked_key_vouches_for_goes_by_its_number(
    shop: Shop, catalogues: list[Path], tmp_path: Path
) -> None:
    shop.ring = create_keys(tmp_path / "keys", Passphrases(), now_utc=NOW)
    for catalogue in catalogues[:2]:
        shop.publish(catalogue, "other")
    shop.publish(catalogues[2])
    shop.ring = replace_key(shop.ring, "online", Passphrases(), now_utc=NOW, revoked=True)
    shop.prune(keep=1, after_days=30)
    assert shop.numbers("other") == [2]
    assert shop.publish(catalogues[3], "other").release.number == 3


def test_a_publication_at_the_same_time_keeps_the_lock(shop: Shop, catalogues: list[Path]) -> None:
    shop.publish(catalogues[0])
    held = os.open(shop.dest, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="another publication is writing to it"):
        shop.prune(keep=1)
    os.close(held)


@pytest.mark.parametrize("keep", [0, -1])
def test_to_keep_nothing_is_refused(keep: int, shop: Shop, catalogues: list[Path]) -> None:
    shop.publish(catalogues[0])
    with pytest.raises(ValueError, match="keep: expected"):
        shop.prune(keep=keep)
    with pytest.raises(ValueError, match="keep: expected"):
        shop.publish(catalogues[1], keep=keep)
