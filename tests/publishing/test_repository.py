"""What is published is what a TUF client of another make takes, and nothing that happens on the way breaks it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Timestamp
from tuf.ngclient import FetcherInterface, Updater

from agent.adapters.catalogue import open_catalogue, write_manifest
from agent.adapters.patching import apply_patch
from agent.adapters.products import ProductWriter
from agent.adapters.vectors import IndexBuilder
from agent.core.calibration import Calibration
from agent.core.errors import CatalogueError, DeviceError, InputError
from agent.core.manifest import FileEntry, Manifest, ModelEntry
from agent.core.matching import key_of
from agent.core.release import Release, parse_release
from agent.core.types import Product
from agent.publishing.keys import KeyRing, Passphrases, create_keys, open_keys, replace_key
from agent.publishing.repository import Published, publish

NOW = 1_767_225_600.0  # 2026-01-01
YEAR = 365 * 86_400.0
ROOT = Path(__file__).resolve().parents[2]


def drawn(folder: Path, seed: int = 0, products: int = 150, utc: float = 5.0) -> Path:
    """A real catalogue of random vectors: of the products, `seed` changes the last one."""
    folder.mkdir(parents=True)
    builder, table = IndexBuilder(64), ProductWriter(folder)
    for product in range(1, products + 1):
        noise = np.random.default_rng([product, seed if product == products else 0])
        rows = noise.normal(size=(4, 64))
        keys = [key_of(product, view) for view in range(4)]
        unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        builder.add(np.array(keys, np.uint64), unit)
        table.add(Product(product, f"sku-{product}", name=f"Product {product}"))
        for view, key in enumerate(keys):
            table.add_reference(key, f"images/sku-{product}/{view}.jpg")
    manifest = Manifest(
        created_utc=utc, model=ModelEntry("tiny", "ab" * 32, 64, "litert"), crop=1.0, dimension=64,
        calibration=Calibration(-1.0, 2.0, 3.0, "test"), products=products, references=4 * products,
        index=builder.save(folder), table=table.save(),
    )  # fmt: skip
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Seven, each with another last product."""
    root = tmp_path_factory.mktemp("catalogues")
    return [drawn(root / str(seed), seed) for seed in range(7)]


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return create_keys(tmp_path / "keys", Passphrases(), now_utc=NOW)


def put(catalogue: Path, dest: Path, ring: KeyRing, channel: str = "default", **more: object) -> Published:
    return publish(catalogue, dest, ring, channel=channel, **{"now_utc": NOW} | more)  # type: ignore[arg-type]


def snapshot_of(dest: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(dest)): path.read_bytes() for path in sorted(dest.rglob("*")) if path.is_file()
    }


class Disk(FetcherInterface):
    """Files of a directory, as a static host would show them."""

    def __init__(self, dest: Path) -> None:
        self.dest = dest

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield (self.dest / url).read_bytes()
        except FileNotFoundError:
            raise DownloadHTTPError(url, 404) from None


class Client:
    """A device that remembers: python-tuf's own client with a cache of its own."""

    def __init__(self, dest: Path, folder: Path, root: bytes) -> None:
        self.dest, self.folder, self.root = dest, folder, root
        folder.mkdir(parents=True, exist_ok=True)

    def latest(self, channel: str = "default", now_utc: float = NOW) -> Release | None:
        updater = Updater(
            str(self.folder), "metadata/", str(self.folder), "targets/", Disk(self.dest), bootstrap=self.root
        )
        updater._trusted_set.reference_time = datetime.fromtimestamp(now_utc, UTC)
        info = updater.get_targetinfo(f"{channel}/release.json")
        if info is None:
            return None
        return parse_release(Path(updater.download_target(info)).read_bytes(), "release.json")


@pytest.fixture
def client(tmp_path: Path, ring: KeyRing) -> Client:
    return Client(tmp_path / "www", tmp_path / "cache", ring.roots[0].to_bytes())


def rebuilt(release: Release, dest: Path, folder: Path) -> Path:
    """What a device without anything makes of it."""
    folder.mkdir()
    for blob in release.blobs:
        shutil.copy(dest / "blobs" / blob.sha256, folder / blob.name)
    return folder


def test_what_is_published_opens_on_a_device(
    catalogues: list[Path], ring: KeyRing, client: Client, tmp_path: Path
) -> None:
    report = put(catalogues[0], client.dest, ring, "stores/berlin-12", rollout_percent=5)
    release = client.latest("stores/berlin-12")
    assert release == report.release
    assert report.new
    assert (release.number, release.rollout_percent, release.created_utc) == (1, 5, NOW)
    assert report.added_bytes == release.size
    rebuilt(release, client.dest, tmp_path / "generation")
    opened = open_catalogue(tmp_path / "generation", release.fingerprint, release.dimension)
    assert opened.release == release.release
    opened.close()
    assert client.latest("default") is None


def test_patches_lead_from_the_last_five_releases(
    catalogues: list[Path], ring: KeyRing, client: Client, tmp_path: Path
) -> None:
    releases = [put(catalogue, client.dest, ring).release for catalogue in catalogues]
    assert [release.number for release in releases] == [1, 2, 3, 4, 5, 6, 7]
    newest = client.latest()
    assert newest == releases[-1]
    index = next(blob for blob in newest.blobs if blob.name.endswith(".usearch"))
    earlier = [
        next(blob.sha256 for blob in release.blobs if blob.name.endswith(".usearch"))
        for release in releases[1:6]
    ]
    assert [patch.from_sha256 for patch in index.patches] == earlier[::-1]
    blobs = client.dest / "blobs"
    for patch in index.patches:
        assert patch.size < index.size // 10
        assert hashlib.sha256((blobs / patch.sha256).read_bytes()).hexdigest() == patch.sha256
        entry = FileEntry(index.name, index.sha256, index.size)
        apply_patch(blobs / patch.from_sha256, blobs / patch.sha256, tmp_path / "out", entry)
    manifest = next(blob for blob in newest.blobs if blob.name == "manifest.json")
    assert manifest.patches == ()


def test_the_same_catalogue_again_changes_nothing(
    catalogues: list[Path], ring: KeyRing, tmp_path: Path
) -> None:
    dest = tmp_path / "www"
    put(catalogues[0], dest, ring)
    before = snapshot_of(dest)
    report = put(catalogues[0], dest, ring, now_utc=NOW + 86_400)
    assert (report.new, report.release.number, report.added_bytes) == (False, 1, 0)
    assert snapshot_of(dest) == before


def test_the_same_products_built_at_another_time_are_the_same_release(ring: KeyRing, tmp_path: Path) -> None:
    put(drawn(tmp_path / "a", products=5), tmp_path / "www", ring)
    report = put(drawn(tmp_path / "b", products=5, utc=99.0), tmp_path / "www", ring)
    assert (report.new, report.release.number) == (False, 1)


def test_a_rollout_widens_without_another_number(
    catalogues: list[Path], ring: KeyRing, client: Client
) -> None:
    put(catalogues[0], client.dest, ring, rollout_percent=0)
    for percent in (5, 50, 100):
        report = put(catalogues[0], client.dest, ring, rollout_percent=percent)
        release = client.latest()
        assert release == report.release
        assert (release.number, release.rollout_percent, report.new) == (1, percent, False)


def test_going_back_is_a_new_number(catalogues: list[Path], ring: KeyRing, client: Client) -> None:
    for catalogue in (catalogues[0], catalogues[1], catalogues[0]):
        release = put(catalogue, client.dest, ring).release
    assert (client.latest(), release.number) == (release, 3)


def test_channels_count_for_themselves_and_share_blobs(
    catalogues: list[Path], ring: KeyRing, client: Client
) -> None:
    put(catalogues[0], client.dest, ring, "default")
    put(catalogues[1], client.dest, ring, "default")
    report = put(catalogues[1], client.dest, ring, "stores/berlin-12")
    assert (report.release.number, report.added_bytes) == (1, 0)
    assert client.latest("default").number == 2
    assert client.latest("stores/berlin-12").number == 1


def test_a_blob_that_went_missing_is_put_back(catalogues: list[Path], ring: KeyRing, tmp_path: Path) -> None:
    dest = tmp_path / "www"
    blob = put(catalogues[0], dest, ring).release.blobs[0]
    (dest / "blobs" / blob.sha256).write_bytes(b"cut")
    assert put(catalogues[0], dest, ring).added_bytes == blob.size
    assert hashlib.sha256((dest / "blobs" / blob.sha256).read_bytes()).hexdigest() == blob.sha256


def test_signatures_are_renewed_before_they_expire(
    catalogues: list[Path], ring: KeyRing, client: Client
) -> None:
    put(catalogues[0], client.dest, ring)
    client.latest(now_utc=NOW + 1.9 * YEAR)
    with pytest.raises(RepositoryError, match="expired"):
        client.latest(now_utc=NOW + 2.1 * YEAR)
    report = put(catalogues[0], client.dest, ring, now_utc=NOW + 1.5 * YEAR)
    assert not report.new
    assert client.latest(now_utc=NOW + 3.4 * YEAR) == report.release


@pytest.mark.parametrize("role", ["root", "online"])
def test_a_replaced_key_leaves_no_gap(
    role: str, catalogues: list[Path], ring: KeyRing, client: Client
) -> None:
    """Before the new root is there the timestamp holds under the old one, and afterwards under the new."""
    put(catalogues[0], client.dest, ring)
    put(catalogues[0], client.dest, ring, "other")
    client.latest()
    new = replace_key(ring, role, Passphrases(), now_utc=NOW, revoked=False)  # type: ignore[arg-type]
    report = put(catalogues[1], client.dest, new)
    root = client.dest / "metadata" / "2.root.json"
    data = root.read_bytes()
    if role == "online":
        root.unlink()
        fresh = Client(client.dest, client.folder.with_name("fresh"), client.root)
        assert fresh.latest() == report.release
        root.write_bytes(data)
    assert client.latest() == report.release
    assert client.latest("other").number == 1
    assert report.dropped == ()
    before = snapshot_of(client.dest)
    put(catalogues[1], client.dest, open_keys(ring.folder))
    assert snapshot_of(client.dest) == before


def test_a_publication_cut_off_before_the_new_root_is_made_good(
    catalogues: list[Path], ring: KeyRing, client: Client
) -> None:
    put(catalogues[0], client.dest, ring)
    new = replace_key(ring, "online", Passphrases(), now_utc=NOW, revoked=False)
    put(catalogues[1], client.dest, new)
    (client.dest / "metadata" / "2.root.json").unlink()
    report = put(catalogues[1], client.dest, new)
    timestamp = Metadata[Timestamp].from_file(str(client.dest / "metadata" / "timestamp.json"))
    assert set(timestamp.signatures) == {ring.key_of("online"), new.key_of("online")}
    assert client.latest() == report.release
    put(catalogues[2], client.dest, new)
    timestamp = Metadata[Timestamp].from_file(str(client.dest / "metadata" / "timestamp.json"))
    assert set(timestamp.signatures) == {new.key_of("online")}


def test_what_only_a_revoked_key_vouches_for_is_dropped(
    catalogues: list[Path], ring: KeyRing, client: Client
) -> None:
    put(catalogues[0], client.dest, ring)
    put(catalogues[0], client.dest, ring, "other")
    put(catalogues[1], client.dest, ring, "other")
    client.latest()
    new = replace_key(ring, "online", Passphrases(), now_utc=NOW, revoked=True)
    report = put(catalogues[1], client.dest, new)
    assert report.dropped == ("other",)
    assert report.release.number == 2
    assert client.latest() == report.release
    assert client.latest("other") is None
    assert put(catalogues[1], client.dest, new, "other").release.number == 3
    assert client.latest("other").number == 3


def test_several_replacements_between_two_publications(
    catalogues: list[Path], ring: KeyRing, client: Client
) -> None:
    put(catalogues[0], client.dest, ring)
    for role in ("online", "root", "online", "root"):
        ring = replace_key(ring, role, Passphrases(), now_utc=NOW, revoked=False)  # type: ignore[arg-type]
    report = put(catalogues[0], client.dest, ring)
    assert not report.new
    assert client.latest() == report.release


def test_a_passphrase_is_needed_where_there_is_one(catalogues: list[Path], tmp_path: Path) -> None:
    ring = create_keys(tmp_path / "locked", Passphrases(online="x"), now_utc=NOW)
    put(catalogues[0], tmp_path / "www", ring, passphrase=b"x")
    with pytest.raises(Exception, match="expected a key of this passphrase"):
        put(catalogues[1], tmp_path / "www", ring)


def other_keys(dest: Path, ring: KeyRing, folder: Path) -> KeyRing:
    return create_keys(folder / "others", Passphrases(), now_utc=NOW)


def old_keys(dest: Path, ring: KeyRing, folder: Path) -> KeyRing:
    """A copy of the keys from before a replacement that was published."""
    new = replace_key(ring, "online", Passphrases(), now_utc=NOW, revoked=False)
    put(folder / "catalogue", dest, new)
    return ring


def edited_targets(dest: Path, ring: KeyRing, folder: Path) -> KeyRing:
    path = dest / "metadata" / "1.targets.json"
    path.write_bytes(path.read_bytes().replace(b'"length":', b'"length":1'))
    return ring


def lost_snapshot(dest: Path, ring: KeyRing, folder: Path) -> KeyRing:
    (dest / "metadata" / "1.snapshot.json").unlink()
    return ring


def cut_timestamp(dest: Path, ring: KeyRing, folder: Path) -> KeyRing:
    os.truncate(dest / "metadata" / "timestamp.json", 100)
    return ring


def swapped_metadata(dest: Path, ring: KeyRing, folder: Path) -> KeyRing:
    shutil.copy(dest / "metadata" / "1.targets.json", dest / "metadata" / "1.snapshot.json")
    return ring


def edited_release(dest: Path, ring: KeyRing, folder: Path) -> KeyRing:
    path = next(path for path in (dest / "targets" / "default").iterdir() if len(path.name) > 20)
    path.write_bytes(path.read_bytes().replace(b'"number": 1', b'"number": 9'))
    return ring


SPOILT = {
    "another's repository": (other_keys, "expected the root of .*others, found another one"),
    "keys from before a replacement": (old_keys, "expected at most root 1"),
    "targets that were edited": (edited_targets, "expected metadata signed by the keys of"),
    "a snapshot that is gone": (lost_snapshot, "1.snapshot.json: cannot be read"),
    "a timestamp that is cut": (cut_timestamp, "timestamp.json: expected metadata, found"),
    "metadata of another kind": (swapped_metadata, "expected snapshot, found 'targets'"),
    "a release that was edited": (edited_release, "expected the release that was signed"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_nothing_is_signed_that_these_keys_did_not_sign(
    case: str, catalogues: list[Path], ring: KeyRing, tmp_path: Path
) -> None:
    spoil, expected = SPOILT[case]
    dest = tmp_path / "www"
    shutil.copytree(catalogues[0], tmp_path / "catalogue")
    put(catalogues[0], dest, ring)
    keys = spoil(dest, ring, tmp_path)
    before = snapshot_of(dest)
    with pytest.raises(InputError, match=expected) as caught:
        put(catalogues[1], dest, keys)
    assert "\n" not in str(caught.value)
    assert snapshot_of(dest) == before


def test_a_catalogue_that_does_not_open_is_refused(
    catalogues: list[Path], ring: KeyRing, tmp_path: Path
) -> None:
    shutil.copytree(catalogues[0], tmp_path / "damaged")
    path = next((tmp_path / "damaged").glob("*.usearch"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for catalogue in (tmp_path / "damaged", tmp_path / "nowhere"):
        with pytest.raises(CatalogueError):
            put(catalogue, tmp_path / "www", ring)
    assert not (tmp_path / "www").exists()


@pytest.mark.parametrize("wrong", [{"channel": "../x"}, {"rollout_percent": 101}, {"rollout_percent": -1}])
def test_a_wrong_argument_is_refused(
    wrong: dict[str, object], catalogues: list[Path], ring: KeyRing, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="expected"):
        put(catalogues[0], tmp_path / "www", ring, **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "www").exists()


def test_two_publications_at_once_are_one_too_many(
    catalogues: list[Path], ring: KeyRing, tmp_path: Path
) -> None:
    (tmp_path / "www").mkdir()
    held = os.open(tmp_path / "www", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="another publication is writing to it"):
        put(catalogues[0], tmp_path / "www", ring)
    os.close(held)
    put(catalogues[0], tmp_path / "www", ring)


def test_a_place_that_is_a_file_is_said(catalogues: list[Path], ring: KeyRing, tmp_path: Path) -> None:
    (tmp_path / "www").write_bytes(b"")
    with pytest.raises(DeviceError, match="cannot be published"):
        put(catalogues[0], tmp_path / "www", ring)


PROGRAM = """
import sys
from pathlib import Path
from agent.publishing.keys import open_keys
from agent.publishing.repository import publish
for turn in range(1000):
    publish(Path(sys.argv[2 + turn % 2]), Path(sys.argv[1]), open_keys(Path(sys.argv[4])),
            channel="default", now_utc=1767225600.0 + turn)
    print(turn, flush=True)
"""


def test_a_killed_publisher_leaves_what_a_device_takes(
    catalogues: list[Path], ring: KeyRing, client: Client, tmp_path: Path
) -> None:
    put(catalogues[0], client.dest, ring)
    highest = 1
    arguments = [str(client.dest), str(catalogues[1]), str(catalogues[0]), str(ring.folder)]
    dice = np.random.default_rng(1)
    for turn in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(dice.uniform(0, 0.15))
        child.kill()
        child.communicate()
        release = client.latest()
        assert release.number >= highest
        highest = release.number
        folder = rebuilt(release, client.dest, tmp_path / f"generation-{turn}")
        open_catalogue(folder, release.fingerprint, release.dimension).close()
    assert put(catalogues[2], client.dest, ring).release.number > highest
    assert not list((client.dest / "blobs").glob(".*"))
