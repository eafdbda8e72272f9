"""Rounds of sync with everything real: signed releases, an HTTP host, a disk. Only the clock is moved by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from agent.core.errors import ConfigError, DeviceError, SyncError, TransferError, VerifyError
from agent.core.patching import LENGTH_BYTES
from agent.core.release import Blob, Patch, dump_release
from agent.core.syncing import Outcome, Result
from tests.support import static_host as does
from tests.support.certificates import make_certificates, serving_tls
from tests.support.device import Device
from tests.support.head_office import FINGERPRINT, HeadOffice, draw_catalogue, sha256
from tests.support.static_host import StaticHost


class World:
    """Head office, a host and a device that holds release 1 of catalogue A."""

    def __init__(self, folder: Path, host: StaticHost, catalogues: Path) -> None:
        self.folder, self.host = folder, host
        self.office = HeadOffice(host.folder)
        (folder / "root.json").write_bytes(self.office.root_bytes)
        self.a, self.b, self.c = (catalogues / name for name in "abc")
        self.device = Device(folder / "state", host, folder / "root.json")

    def hold(self, number: int = 1) -> None:
        self.office.publish(self.a, number)
        assert self.device.round().result == Result.TAKEN


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A, B and C: the same products, other vectors and names."""
    folder = tmp_path_factory.mktemp("catalogues")
    for seed, name in enumerate("abc"):
        draw_catalogue(folder / name, seed)
    return folder


@pytest.fixture
def world(tmp_path: Path, catalogues: Path) -> Iterator[World]:
    (tmp_path / "www").mkdir()
    with StaticHost(tmp_path / "www") as host:
        yield World(tmp_path, host, catalogues)


def test_a_new_device_takes_the_release(world: World) -> None:
    world.office.publish(world.a, 1)
    assert world.device.round() == Outcome(Result.TAKEN)
    assert world.device.number == 1
    notes = world.device.library.notes()
    assert (notes.highest, notes.error, notes.note) == ({"default": 1}, "", "")
    assert notes.last_sync_utc is not None
    assert sorted(path.name for path in (world.device.state / "incoming").iterdir()) == []


def test_a_newer_release_replaces_it_and_two_are_kept(world: World) -> None:
    for number, catalogue in enumerate((world.a, world.b, world.c), 1):
        world.office.publish(catalogue, number)
        assert world.device.round().result == Result.TAKEN
        assert world.device.number == number
    assert sorted(path.name for path in (world.device.state / "generations").iterdir()) == ["2", "3"]


def test_an_unchanged_poll_is_one_small_question(world: World) -> None:
    world.hold()
    world.host.asked.clear()
    assert world.device.round().result == Result.UNCHANGED
    assert [path for path, _, _ in world.host.asked] == ["metadata/timestamp.json"]
    assert world.device.library.notes().last_bytes < 600


@pytest.mark.parametrize("restarted", [True, False], ids=["after a restart", "without ETags"])
def test_an_unchanged_poll_costs_little(world: World, restarted: bool) -> None:
    world.hold()
    world.host.etags = False
    if restarted:
        world.device.restart()
    assert world.device.round().result == Result.UNCHANGED
    assert world.device.library.notes().last_bytes < 2000


def test_another_channel_of_the_same_server_changes_nothing(world: World) -> None:
    world.hold()
    world.office.publish(world.b, 7, "stores/berlin-12")
    assert world.device.round().result == Result.UNCHANGED
    assert world.device.number == 1


def test_what_did_not_change_is_not_fetched(world: World) -> None:
    world.hold()
    manifest = world.a / "manifest.json"
    other = world.folder / "other"
    shutil.copytree(world.a, other)
    (other / "manifest.json").write_bytes(manifest.read_bytes().replace(b"5.0", b"5.0"))
    world.host.asked.clear()
    world.office.publish(other, 2)
    assert world.device.round().result == Result.TAKEN
    assert not [path for path, _, _ in world.host.asked if path.startswith("blobs/")]
    assert world.device.number == 2


def test_a_patch_is_fetched_instead_of_the_whole(world: World) -> None:
    world.hold()
    release = world.office.publish(world.b, 2, patches_from=world.a)
    world.host.asked.clear()
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 2
    asked = {path.removeprefix("blobs/") for path, _, _ in world.host.asked}
    smaller = [blob for blob in release.blobs if blob.patches and blob.patches[0].size < blob.size]
    assert smaller
    assert all(blob.sha256 not in asked and blob.patches[0].sha256 in asked for blob in smaller)


PATCH_TROUBLE: dict[str, does.Behaviour] = {
    "a patch that is gone": does.status(404),
    "a patch with other bytes": does.wrong_bytes,
    "a patch that is a page": does.as_html,
}


@pytest.mark.parametrize("behaviour", PATCH_TROUBLE.values(), ids=PATCH_TROUBLE)
def test_without_the_patch_all_of_it_is_fetched(world: World, behaviour: does.Behaviour) -> None:
    world.hold()
    release = world.office.publish(world.b, 2, patches_from=world.a)
    for blob in release.blobs:
        for patch in blob.patches:
            world.host.always[f"blobs/{patch.sha256}"] = behaviour
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 2


def test_a_patch_that_makes_something_else_is_not_used(world: World) -> None:
    world.hold()
    right = world.office.release(world.b, 2, patches_from=world.a)
    wrong = world.office.release(world.c, 2, patches_from=world.a)
    patches = {blob.name.split("-")[0]: blob.patches for blob in wrong.blobs}
    blobs = tuple(replace(blob, patches=patches[blob.name.split("-")[0]]) for blob in right.blobs)
    world.office.put(dump_release(replace(right, blobs=blobs)))
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 2


def test_over_tls_with_an_authority_of_ones_own(world: World) -> None:
    certificates = make_certificates(world.folder)
    with StaticHost(world.host.folder, tls=serving_tls(certificates)) as host:
        world.device.host = host
        world.device.restart(ca=str(certificates / "ca.pem"))
        world.hold()
        world.office.publish(world.b, 2, patches_from=world.a)
        assert world.device.round().result == Result.TAKEN
        assert world.device.round().result == Result.UNCHANGED
        world.office.publish(world.c, 3)
        world.device.restart(ca=str(certificates / "other.pem"))
        with pytest.raises(TransferError, match="certificate not trusted"):
            world.device.round()
    assert world.device.number == 2


# -- hostile releases ---------------------------------------------------------------------------------------

Bend = Callable[[World], None]
HOSTILE: dict[str, tuple[Bend, type[SyncError], str]] = {}


def hostile(name: str, error: type[SyncError], says: str) -> Callable[[Bend], Bend]:
    def keep(bend: Bend) -> Bend:
        HOSTILE[name] = (bend, error, says)
        return bend

    return keep


def signed_as(change: Callable[[bytes], bytes]) -> Bend:
    """A release of B whose bytes were changed before they were signed."""

    def bend(world: World) -> None:
        world.office.put(change(dump_release(world.office.release(world.b, 2))))

    return bend


def renamed(name: str) -> Bend:
    return signed_as(
        lambda data: data.replace(b'"products-', json.dumps(name)[:-1].encode() + b'", "x": "', 1)
    )


def bend_metadata(name: str, change: Callable[[bytes], bytes]) -> Bend:
    """A file of the metadata of release 2 is not what was signed."""

    def bend(world: World) -> None:
        world.office.publish(world.b, 2)
        for path in (world.host.folder / "metadata").glob(f"*{name}.json"):
            if not path.name.startswith("1."):
                path.write_bytes(change(path.read_bytes()))

    return bend


@hostile("a blob that was tampered with", VerifyError, "expected the content of this digest")
def _(world: World) -> None:
    release = world.office.publish(world.b, 2)
    world.host.always[f"blobs/{release.blobs[0].sha256}"] = does.wrong_bytes


@hostile("a blob that was cut off", TransferError, "bytes, found")
def _(world: World) -> None:
    path = world.host.folder / "blobs" / world.office.publish(world.b, 2).blobs[0].sha256
    path.write_bytes(path.read_bytes()[:-100])


@hostile("a blob that is larger than declared", TransferError, "bytes, found")
def _(world: World) -> None:
    path = world.host.folder / "blobs" / world.office.publish(world.b, 2).blobs[0].sha256
    path.write_bytes(path.read_bytes() + b"x" * 1_000_000)


@hostile("a blob without end", TransferError, "found more")
def _(world: World) -> None:
    world.host.always["blobs/" + world.office.publish(world.b, 2).blobs[0].sha256] = does.without_end


@hostile("a blob that is another blob of the release", SyncError, "expected")
def _(world: World) -> None:
    first, second = world.office.publish(world.b, 2).blobs[:2]
    folder = world.host.folder / "blobs"
    shutil.copyfile(folder / second.sha256, folder / first.sha256)


@hostile("a blob that is missing", TransferError, "expected status 200, found 404")
def _(world: World) -> None:
    (world.host.folder / "blobs" / world.office.publish(world.b, 2).blobs[0].sha256).unlink()


@hostile("a blob of eight gigabytes that does not fit the disk", DeviceError, "bytes free")
def _(world: World) -> None:
    release = world.office.release(world.b, 2)
    huge = replace(release.blobs[0], size=(1 << 33) - 1)
    many = tuple(Blob(f"x{n}", f"{n:064x}", (1 << 33) - 1) for n in range(50))
    world.office.put(dump_release(replace(release, blobs=(*release.blobs[1:], huge, *many))))


@hostile("a release signed by somebody else", VerifyError, "metadata: refused")
def _(world: World) -> None:
    shutil.rmtree(world.host.folder / "metadata")
    HeadOffice(world.host.folder).publish(world.b, 2)


@hostile("a release with changed bytes", VerifyError, "expected what was signed")
def _(world: World) -> None:
    world.office.publish(world.b, 2)
    for path in (world.host.folder / "targets").rglob("*release.json"):
        path.write_bytes(path.read_bytes().replace(b'"number":2', b'"number":3'))


@hostile("a release that is a page in HTML", VerifyError, "expected")
def _(world: World) -> None:
    world.office.publish(world.b, 2)
    for path in (world.host.folder / "targets").rglob("*release.json"):
        world.host.always[str(path.relative_to(world.host.folder))] = does.as_html


@hostile("metadata of another time mixed in", VerifyError, "metadata: refused")
def _(world: World) -> None:
    world.office.publish(world.b, 2)
    folder = world.host.folder / "metadata"
    shutil.copyfile(folder / "1.targets.json", folder / "2.targets.json")


@hostile("all metadata of an earlier time", VerifyError, "metadata: refused")
def _(world: World) -> None:
    old = world.folder / "old"
    shutil.copytree(world.host.folder / "metadata", old)
    world.office.publish(world.b, 2)
    assert world.device.round().result == Result.TAKEN
    shutil.rmtree(world.host.folder / "metadata")
    shutil.copytree(old, world.host.folder / "metadata")
    world.device.restart()


@hostile(
    "all metadata of an earlier time, after the cache was wiped",
    VerifyError,
    "it is older than what this device had",
)
def _(world: World) -> None:
    HOSTILE["all metadata of an earlier time"][0](world)
    shutil.rmtree(world.device.state / "tuf")


@hostile("an older number signed anew", VerifyError, "number: expected 5 or more, found 4")
def _(world: World) -> None:
    world.office.publish(world.b, 5)
    assert world.device.round().result == Result.TAKEN
    world.office.publish(world.a, 4)


@hostile("metadata that has expired", VerifyError, "expired")
def _(world: World) -> None:
    world.office.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    world.office.publish(world.b, 2)


@hostile("timestamps of twenty megabytes", VerifyError, "expected at most 16000 bytes, found more")
def _(world: World) -> None:
    world.office.publish(world.b, 2)
    (world.host.folder / "metadata" / "timestamp.json").write_bytes(b" " * 20_000_000)


@hostile("a release of two megabytes", VerifyError, "expected at most 262144 bytes")
def _(world: World) -> None:
    world.office.put(b" " * 2_000_000)


@hostile("a release of another channel", VerifyError, "channel: expected default, found stores/x")
def _(world: World) -> None:
    world.office.publish(world.b, 2, channel="stores/x")
    data = dump_release(world.office.release(world.b, 2, channel="stores/x"))
    world.office.put(data, "default")


@hostile("a release of another model", VerifyError, "expected vectors of the model of fingerprint")
def _(world: World) -> None:
    other = draw_catalogue(world.folder / "other", 9, fingerprint="cd" * 32)
    world.office.publish(other, 2)


@hostile("a release that hides another model", VerifyError, "expected a catalogue built with the model")
def _(world: World) -> None:
    other = draw_catalogue(world.folder / "other", 9, fingerprint="cd" * 32)
    world.office.publish(other, 2, fingerprint=FINGERPRINT)


@hostile(
    "a release that says it is another catalogue", VerifyError, "expected catalogue 0000000000000000, found"
)
def _(world: World) -> None:
    world.office.publish(world.b, 2, release="0" * 16)


@hostile("a manifest that names files which are not there", VerifyError, "cannot be read")
def _(world: World) -> None:
    release = world.office.release(world.b, 2)
    blobs = tuple(blob for blob in release.blobs if not blob.name.startswith("index"))
    world.office.put(dump_release(replace(release, blobs=blobs)))


@hostile("files that are swapped", VerifyError, "expected")
def _(world: World) -> None:
    release = world.office.release(world.b, 2)
    index, manifest, products = release.blobs
    swapped = (replace(index, name=products.name), manifest, replace(products, name=index.name))
    world.office.put(dump_release(replace(release, blobs=swapped)))


HOSTILE |= {
    "a channel that is not on the server": (
        lambda world: world.office.targets.targets.clear() or world.office.sign(), TransferError, "found none there",
    ),
    "a name that climbs out of the directory": (renamed("../../etc/passwd"), VerifyError, "release.json: "),
    "a name that is absolute": (renamed("/etc/passwd"), VerifyError, "release.json: "),
    "a name that is a device": (renamed("a\x00b"), VerifyError, "release.json: "),
    "no JSON": (signed_as(lambda _: b"\xff\xfe"), VerifyError, "expected JSON"),
    "nothing at all": (signed_as(lambda _: b" "), VerifyError, "expected JSON"),
    "JSON nested ten thousand deep": (signed_as(lambda _: b"[" * 10_000), VerifyError, "expected JSON"),
    "a number that is none": (
        signed_as(lambda data: data.replace(b'"number":2', b'"number":NaN')), VerifyError, "not a number",
    ),
    "a field twice": (
        signed_as(lambda data: data.replace(b'"number":2', b'"number":2, "number":3')), VerifyError, "twice",
    ),
    "a size below zero": (
        signed_as(lambda data: data.replace(b'"size":', b'"size":-', 1)), VerifyError, "size: expected",
    ),
    "timestamps that are no JSON": (bend_metadata("timestamp", lambda _: b"<html>"), VerifyError, "metadata: refused"),
    "a timestamp with one bit turned": (
        bend_metadata("timestamp", lambda data: data.replace(b'"version":2', b'"version":3')),
        VerifyError, "metadata: refused",
    ),
    "a snapshot that was changed": (
        bend_metadata("snapshot", lambda data: data.replace(b'"version":2', b'"version":1')),
        VerifyError, "metadata: refused",
    ),
    "targets that were changed": (
        bend_metadata("targets", lambda data: data.replace(b'"length":', b'"length":1')),
        VerifyError, "metadata: refused",
    ),
    "targets that are missing": (
        lambda world: [world.office.publish(world.b, 2), *(
            path.unlink() for path in (world.host.folder / "metadata").glob("2.targets.json"))],
        TransferError, "found 404",
    ),
}  # fmt: skip


def bomb(content: bytes, *, says_its_size: bool) -> Bend:
    """A signed patch that becomes a hundred megabytes; the whole file is not to be had."""

    def bend(world: World) -> None:
        frame = zstandard.ZstdCompressor(write_content_size=says_its_size).compress(content)
        data = len(frame).to_bytes(LENGTH_BYTES, "big") + frame
        (world.host.folder / "blobs" / sha256(data)).write_bytes(data)
        release = world.office.release(world.b, 2)
        blobs = []
        for blob in release.blobs:
            old = next(path for path in world.a.iterdir() if path.name[:5] == blob.name[:5])
            patch = Patch(sha256(old.read_bytes()), sha256(data), len(data))
            blobs.append(replace(blob, patches=(patch,) if patch.size < blob.size else ()))
            (world.host.folder / "blobs" / blob.sha256).unlink()
        assert any(blob.patches for blob in blobs)
        world.office.put(dump_release(replace(release, blobs=tuple(blobs))))

    return bend


for says_its_size in (True, False):
    what = "says its size" if says_its_size else "does not say its size"
    HOSTILE[f"a patch that becomes a hundred megabytes and {what}"] = (
        bomb(bytes(100_000_000), says_its_size=says_its_size), TransferError, "found 404",
    )  # fmt: skip

PROMISES_MORE = does.promise(5)
SERVERS: dict[str, does.Behaviour] = {
    "a server that says nothing": does.hang,
    "a server that drips": does.drip,
    "a server that drips its head": does.drip_the_head,
    "a server that breaks off": does.break_off(10),
    "a server that leads elsewhere": does.redirect_to("http://127.0.0.2:1/x"),
    "a server that leads nowhere": does.redirect_to("?again"),
    "a server that promises more": PROMISES_MORE,
    "a server that promises less": does.promise(-5),
    "a server that sends without end": does.without_end,
    "a server that answers 206": does.wrong_range,
    "a server that answers 500": does.status(500),
    "a server that shows a page": does.as_html,
    "a server that compresses": does.zipped,
    "a server that is none": does.garbage,
    "a server that sends other bytes": does.wrong_bytes,
}
PLACES = ("metadata/timestamp", "metadata/2.snapshot", "metadata/2.targets", "targets/", "blobs/")


def served(behaviour: does.Behaviour, place: str) -> Bend:
    def bend(world: World) -> None:
        before = {path for path in world.host.folder.rglob("*") if path.is_file()}
        world.office.publish(world.b, 2)
        paths = {path for path in world.host.folder.rglob("*") if path.is_file()} - before
        paths.add(world.host.folder / "metadata" / "timestamp.json")
        names = [str(path.relative_to(world.host.folder)) for path in sorted(paths)]
        world.host.always[next(name for name in names if name.startswith(place))] = behaviour

    return bend


HOSTILE |= {
    f"{server}, for {place}": (served(behaviour, place), SyncError, ": ")
    for server, behaviour in SERVERS.items()
    for place in PLACES
    # What is signed is whole whatever length was promised.
    if behaviour is not PROMISES_MORE or place == "blobs/"
}


CASES = [
    pytest.param(name, marks=pytest.mark.slow) if name.startswith("a server") else name for name in HOSTILE
]


@pytest.mark.parametrize("name", CASES)
def test_hostile(name: str, world: World) -> None:
    """Refused in one clear line; what was in use still is, to the byte, also after a restart; nothing piles up."""
    bend, error, says = HOSTILE[name]
    world.hold()
    bend(world)
    held, files, files_now = world.device.library.current(), held_files(world), []
    for _ in range(3):
        with pytest.raises(error) as raised:
            world.device.round(insist=True)
        assert says in str(raised.value)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 1000
        assert world.device.library.notes().error == str(raised.value)
        assert world.device.library.current() == held
        assert world.device.number
        files_now.append(sum(1 for _ in world.device.state.rglob("*")))
    world.device.restart()
    with pytest.raises(error):
        world.device.round(insist=True)
    assert held_files(world) == files
    assert files_now == sorted(files_now, reverse=True)
    outside = {path.name for path in world.folder.iterdir()}
    assert outside <= {"www", "state", "other", "old", "root.json"}
    assert {path.name for path in world.device.state.iterdir()} <= {
        "generations", "current", "sync.json", "incoming", "sync.lock", "tuf",
    }  # fmt: skip


def held_files(world: World) -> dict[str, str]:
    """Name → digest of all that is held: no hostile release changes a byte of it."""
    folder = world.device.state / "generations"
    return {str(path): sha256(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_after_a_hostile_release_the_next_good_one_is_taken(world: World) -> None:
    world.hold()
    for bend in ("a blob that was tampered with", "a release of another model", "files that are swapped"):
        HOSTILE[bend][0](world)
        with pytest.raises(SyncError):
            world.device.round()
        shutil.rmtree(world.folder / "other", ignore_errors=True)
    world.host.always.clear()
    world.office.publish(world.c, 3)
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 3


def test_a_release_that_failed_its_trial_is_not_fetched_again(world: World) -> None:
    world.hold()
    HOSTILE["files that are swapped"][0](world)
    with pytest.raises(VerifyError):
        world.device.round()
    world.device.restart()
    world.host.asked.clear()
    for insist in (True, False):
        with pytest.raises(VerifyError):
            world.device.round(insist=insist)
    assert not [path for path, _, _ in world.host.asked if path.startswith("blobs/")]


def test_a_blob_whose_bytes_are_wrong_is_asked_for_less_and_less(world: World) -> None:
    world.hold()
    bad = "blobs/" + world.office.publish(world.b, 2).blobs[0].sha256
    world.host.always[bad] = does.wrong_bytes
    for _ in range(20):
        with pytest.raises(VerifyError):
            world.device.round()
    assert world.host.count(bad) == 5  # at the 1st, 2nd, 4th, 8th and 16th time
    world.host.always.clear()
    assert world.device.round(insist=True).result == Result.TAKEN


# -- clocks -------------------------------------------------------------------------------------------------


def test_a_board_that_wakes_up_in_1970_goes_on_taking_releases_and_says_so(world: World) -> None:
    world.hold()
    world.device.clock.set(1970)
    world.device.restart()
    world.office.publish(world.b, 2)
    outcome = world.device.round()
    assert outcome.result == Result.TAKEN
    assert "found 1970-01-01" in outcome.warning
    assert world.device.library.notes().error == outcome.warning
    assert world.device.round().warning == outcome.warning, "as long as it is so"


def test_a_clock_set_back_does_not_bring_back_what_has_expired(world: World) -> None:
    """A release was made after the older metadata had expired: that time is known to be past."""
    world.hold()
    folder = world.host.folder / "metadata"
    world.office.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    world.office.sign()
    world.device.clock.ahead_s = -7200
    world.device.restart()
    with pytest.raises(VerifyError, match="expired"):
        world.device.round()
    assert folder.is_dir()


def test_a_clock_in_2100_changes_nothing_but_the_error(world: World) -> None:
    world.hold()
    world.office.publish(world.b, 2)
    world.device.clock.set(2100)
    with pytest.raises(VerifyError, match=r"expired, and it is 2100-01-01 by this clock"):
        world.device.round()
    assert world.device.number == 1
    world.device.clock.ahead_s = 0
    assert world.device.round().result == Result.TAKEN


def test_what_was_settled_expires_too(world: World) -> None:
    world.hold()
    world.device.clock.set(2100)
    with pytest.raises(VerifyError, match="expired"):
        world.device.round()
    assert world.device.number == 1


def test_a_store_that_was_offline_for_six_weeks_goes_on(world: World) -> None:
    world.hold()
    world.device.clock.ahead_s = 42 * 86400
    world.device.restart()
    assert world.device.round().result == Result.UNCHANGED
    world.office.publish(world.b, 2)
    assert world.device.round().result == Result.TAKEN


# -- keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_a_key_that_was_rotated(world: World, role: str) -> None:
    world.hold()
    world.office.rotate(role)
    world.office.publish(world.b, 2)
    assert world.device.round().result == Result.TAKEN
    world.device.restart()
    world.office.rotate(role)
    world.office.publish(world.c, 3)
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 3


def test_a_key_that_was_revoked_signs_no_more(world: World) -> None:
    world.hold()
    stolen = world.office.keys["targets"]
    world.office.rotate("targets")
    world.office.publish(world.b, 2)
    assert world.device.round().result == Result.TAKEN
    world.office.keys["targets"] = stolen
    world.office.publish(world.c, 3)
    with pytest.raises(VerifyError, match="metadata: refused"):
        world.device.round()
    assert world.device.number == 2


ROOTS: dict[str, bytes | None] = {"no file": None, "nothing": b"", "no metadata": b"{}", "a page": b"<html>"}


@pytest.mark.parametrize("content", ROOTS.values(), ids=ROOTS)
def test_a_root_that_is_none(world: World, content: bytes | None) -> None:
    world.device.root.unlink()
    if content is not None:
        world.device.root.write_bytes(content)
    with pytest.raises(ConfigError, match=r"sync\.root: expected"):
        world.device.restart()


# -- staged rollout, rollback, other channels ---------------------------------------------------------------


def test_a_staged_release_comes_when_the_share_has_grown(world: World) -> None:
    world.hold()
    world.office.publish(world.b, 2, rollout_percent=0)
    outcome = world.device.round()
    assert outcome == Outcome(Result.WAITING, "release 2 is for 0 % of the devices, not this one")
    assert world.device.library.notes().error == ""
    assert world.device.round().note == outcome.note
    world.office.publish(world.b, 2, rollout_percent=100)
    assert world.device.round().result == Result.TAKEN


def test_after_a_rollback_the_bad_release_stays_away_until_a_newer_one(world: World) -> None:
    world.hold()
    world.office.publish(world.b, 2)
    world.device.round()
    with world.device.library.alone():
        world.device.library.roll_back()
    assert world.device.number == 1
    world.device.restart()
    for _ in range(2):
        outcome = world.device.round()
        assert outcome.note == "release 2 was rolled back here: waiting for a newer one"
    assert world.device.number == 1
    world.office.publish(world.c, 3)
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 3


def test_another_channel_has_its_own_numbers(world: World) -> None:
    world.hold(number=5)
    world.device.channel = "stores/berlin-12"
    world.device.restart()
    world.office.publish(world.b, 5, "stores/berlin-12")
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 5
    world.device.channel = "default"
    world.device.restart()
    world.office.publish(world.c, 6)
    assert world.device.round().result == Result.TAKEN
    assert world.device.library.notes().highest == {"default": 6, "stores/berlin-12": 5}


def test_a_model_that_was_changed_takes_the_release_that_fits(world: World) -> None:
    world.hold()
    other = draw_catalogue(world.folder / "other", 9, fingerprint="cd" * 32)
    world.office.publish(other, 2)
    with pytest.raises(VerifyError):
        world.device.round()
    world.device.fingerprint = "cd" * 32
    world.device.restart()
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 2


# -- disks --------------------------------------------------------------------------------------------------


def test_a_damaged_generation_is_repaired(world: World) -> None:
    world.hold()
    current = world.device.library.current()
    assert current is not None
    index = next(world.device.library.folder(current).glob("index-*"))
    data = bytearray(index.read_bytes())
    data[100] ^= 1
    index.write_bytes(data)
    world.device.restart()
    sent = world.host.sent
    assert world.device.round().result == Result.TAKEN
    assert world.device.number == 1
    assert world.host.sent - sent < len(data) + 6000, "what is whole was not fetched again"


@pytest.mark.parametrize("name", ["current", "sync.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]", b'{"current": {"name": "../x"}}'])
def test_a_damaged_note_is_survived(world: World, name: str, content: bytes) -> None:
    world.hold()
    (world.device.state / name).write_bytes(content)
    world.device.restart()
    world.device.round()
    assert world.device.number == 1
    assert world.device.library.notes().highest == {"default": 1}


def test_everything_wiped_but_the_notes_does_not_allow_an_old_release(world: World) -> None:
    world.office.publish(world.b, 5)
    world.device.round()
    for folder in ("generations", "incoming", "tuf"):
        shutil.rmtree(world.device.state / folder)
    (world.device.state / "current").unlink()
    shutil.rmtree(world.host.folder / "metadata")
    (world.host.folder / "metadata").mkdir()
    office = world.office
    office.version = 0
    (world.host.folder / "metadata" / "1.root.json").write_bytes(office.root_bytes)
    office.publish(world.a, 4)
    world.device.restart()
    with pytest.raises(VerifyError, match="older than what this device had"):
        world.device.round()


def test_two_at_once_do_not_meet(world: World) -> None:
    world.office.publish(world.a, 1)
    with world.device.library.alone(), pytest.raises(DeviceError, match="another process is syncing"):
        Device(world.device.state, world.host, world.device.root).round()


def test_an_interrupted_transfer_goes_on_where_it_stopped(world: World) -> None:
    release = world.office.publish(world.a, 1)
    largest = max(release.blobs, key=lambda blob: blob.size)
    path = f"blobs/{largest.sha256}"
    world.host.plan[path] = [does.break_off(1000), does.status(503)]
    with pytest.raises(TransferError):
        world.device.round()
    world.device.restart()
    assert world.device.round().result == Result.TAKEN
    assert [asked for where, asked, _ in world.host.asked if where == path][-1] == "bytes=1000-"


def test_leftovers_of_another_release_are_removed(world: World) -> None:
    release = world.office.publish(world.a, 1)
    world.host.plan[f"blobs/{release.blobs[-1].sha256}"] = [does.break_off(100), does.status(503)]
    with pytest.raises(TransferError):
        world.device.round()
    assert list((world.device.state / "incoming").iterdir())
    world.office.publish(world.b, 2)
    bad = world.office.release(world.b, 2).blobs[-1].sha256
    world.host.always[f"blobs/{bad}"] = does.status(503)
    with pytest.raises(TransferError):
        world.device.round()
    names = {path.name.removesuffix(".part") for path in (world.device.state / "incoming").iterdir()}
    assert names <= {blob.sha256 for blob in world.office.release(world.b, 2).blobs}


def test_leftovers_of_the_release_in_use_are_removed(world: World) -> None:
    """A round may be stopped between its last two steps: the release is in use, the blobs lie there still."""
    world.hold()
    blob = world.folder / "state" / "incoming" / ("ab" * 32)
    blob.write_bytes(b"a patch")
    world.device.restart()
    assert world.device.round().result == Result.UNCHANGED
    assert not blob.exists()


def test_nobody_answers(world: World) -> None:
    world.hold()
    world.host.always["metadata/timestamp.json"] = does.hang
    with pytest.raises(TransferError, match="no answer in time"):
        world.device.round()
    assert world.device.number == 1
