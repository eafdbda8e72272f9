"""Keys are made once, replaced in steps that devices can follow, and never lie open."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root

from agent.core.errors import ConfigError, DeviceError, InputError
from agent.publishing.keys import KeyRing, Passphrases, create_keys, open_keys, replace_key, role_of

NOW = 1_767_225_600.0  # 2026-01-01
OPEN = Passphrases()
LOCKED = Passphrases(root="correct horse", online="battery staple")


def made(folder: Path, passphrases: Passphrases = OPEN) -> KeyRing:
    return create_keys(folder, passphrases, now_utc=NOW)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_keys_are_made_and_read_again(tmp_path: Path) -> None:
    ring = made(tmp_path / "keys")
    again = open_keys(tmp_path / "keys")
    root, online = ring.key_of("root"), ring.key_of("online")
    assert (again.key_of("root"), again.key_of("online")) == (root, online)
    assert root != online
    assert names(tmp_path / "keys") == sorted(
        ["1.root.json", "root.json", f"root-{root[:16]}.pem", f"online-{online[:16]}.pem"]
    )
    for name in ("targets", "snapshot", "timestamp"):
        assert again.root.roles[name].keyids == [online]
    assert again.root.expires == datetime(2036, 1, 2, tzinfo=UTC)
    assert again.root.consistent_snapshot


def test_private_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made(tmp_path / "keys")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for path in (tmp_path / "keys").glob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_passphrase_keeps_the_files_shut(tmp_path: Path) -> None:
    ring = made(tmp_path, LOCKED)
    assert ring.signer("root", ring.key_of("root"), LOCKED.of("root"))
    assert ring.signer("online", ring.key_of("online"), LOCKED.of("online"))
    for wrong in (None, b"", b"wrong"):
        with pytest.raises(ConfigError, match=r"root-.*pem: expected a key of this passphrase"):
            ring.signer("root", ring.key_of("root"), wrong)
    assert all(b"ENCRYPTED" in path.read_bytes() for path in tmp_path.glob("*.pem"))


def test_keys_are_not_made_twice(tmp_path: Path) -> None:
    made(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="expected a new directory, found keys in it"):
        made(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_root_key_may_lie_elsewhere(tmp_path: Path) -> None:
    stick, folder = tmp_path / "stick", tmp_path / "keys"
    ring = create_keys(folder, OPEN, now_utc=NOW, offline=stick)
    assert [path.name[:5] for path in stick.iterdir()] == ["root-"]
    with pytest.raises(ConfigError, match=r"the key cannot be read: No such file"):
        replace_key(ring, "online", OPEN, now_utc=NOW, revoked=False)
    after = replace_key(ring, "root", OPEN, now_utc=NOW, revoked=False, offline=stick)
    assert len(list(stick.iterdir())) == 2
    assert not list(folder.glob("root-*"))
    assert after.root.version == 2


@pytest.mark.parametrize("role", ["root", "online"])
@pytest.mark.parametrize("revoked", [False, True])
def test_a_replaced_key_is_signed_in_by_the_old_root_and_the_new(
    role: str, revoked: bool, tmp_path: Path
) -> None:
    first = made(tmp_path, LOCKED)
    old = first.key_of(role)  # type: ignore[arg-type]
    second = replace_key(first, role, LOCKED, now_utc=NOW, revoked=revoked)  # type: ignore[arg-type]
    again = open_keys(tmp_path)
    assert again.root.version == second.root.version == 2
    assert again.key_of(role) != old  # type: ignore[arg-type]
    assert old not in again.root.keys
    newest = again.roots[-1]
    first.root.verify_delegate(Root.type, newest.signed_bytes, newest.signatures)
    newest.verify_delegate(Root.type, newest)
    assert (tmp_path / "root.json").read_bytes() == (tmp_path / "2.root.json").read_bytes()
    assert (tmp_path / f"{role}-{old[:16]}.pem").exists() == (not revoked)
    assert (tmp_path / f"{role}-{old[:16]}.revoked").exists() == revoked


def test_keys_can_be_replaced_many_times(tmp_path: Path) -> None:
    ring = made(tmp_path)
    for turn in range(6):
        ring = replace_key(ring, ("root", "online")[turn % 2], OPEN, now_utc=NOW + turn, revoked=turn > 3)  # type: ignore[arg-type]
    assert open_keys(tmp_path).root.version == 7


def test_a_lost_online_key_can_be_revoked(tmp_path: Path) -> None:
    ring = made(tmp_path)
    (tmp_path / f"online-{ring.key_of('online')[:16]}.pem").unlink()
    assert replace_key(ring, "online", OPEN, now_utc=NOW, revoked=True).root.version == 2


def test_a_replacement_that_was_interrupted_changes_nothing(tmp_path: Path) -> None:
    ring = made(tmp_path / "keys")
    shutil.copytree(tmp_path / "keys", tmp_path / "copy")
    replace_key(KeyRing(tmp_path / "copy", ring.roots), "online", OPEN, now_utc=NOW, revoked=False)
    (tmp_path / "copy" / "2.root.json").unlink()  # as if the power had gone before it was there
    again = open_keys(tmp_path / "copy")
    assert again.key_of("online") == ring.key_of("online")
    assert again.signer("online", again.key_of("online"), None)


def test_a_key_is_named_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    ring = made(tmp_path)
    assert role_of(ring, ring.key_of("root")) == "root"
    assert role_of(ring, ring.key_of("online")[:8]) == "online"
    for unknown in ("", ring.key_of("root")[:7], "0" * 64, "../../etc"):
        with pytest.raises(InputError, match="expected a key in use"):
            role_of(ring, unknown)


def spoil_mode(folder: Path) -> None:
    next(folder.glob("root-*")).chmod(0o644)


def spoil_key(folder: Path) -> None:
    path = next(folder.glob("root-*"))
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")


def swap_keys(folder: Path) -> None:
    shutil.copy(next(folder.glob("online-*")), next(folder.glob("root-*")))


def lose_key(folder: Path) -> None:
    next(folder.glob("root-*")).unlink()


KEYS = {
    "open to others": (spoil_mode, r"expected a key that only its owner may read \(0600\), found 0644"),
    "damaged": (spoil_key, "expected a key of this passphrase"),
    "another key": (swap_keys, r"expected the key [0-9a-f]{64}, found"),
    "missing": (lose_key, "the key cannot be read: No such file"),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_key_that_cannot_be_used_is_said(case: str, tmp_path: Path) -> None:
    spoil, expected = KEYS[case]
    ring = made(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ConfigError, match=expected) as caught:
        ring.signer("root", ring.key_of("root"), None)
    assert "\n" not in str(caught.value)


def foreign_root(folder: Path) -> None:
    made(folder / "other")
    shutil.copy(folder / "other" / "1.root.json", folder / "2.root.json")


def cut_root(folder: Path) -> None:
    data = (folder / "1.root.json").read_bytes()
    (folder / "1.root.json").write_bytes(data[: len(data) // 2])


def changed_root(folder: Path) -> None:
    data = (folder / "1.root.json").read_bytes()
    (folder / "1.root.json").write_bytes(data.replace(b"2036", b"2099"))


def no_root(folder: Path) -> None:
    (folder / "1.root.json").unlink()


ROOTS = {
    "no root": (no_root, "expected keys made by `spotter catalog keys create`, found none"),
    "a root that is cut": (cut_root, "1.root.json: expected root metadata"),
    "a root that was edited": (changed_root, "1.root.json: expected the keys of the root before it"),
    "a root of other keys": (foreign_root, "2.root.json: expected the keys of the root before it"),
}


@pytest.mark.parametrize("case", ROOTS)
def test_roots_that_do_not_follow_from_each_other_are_refused(case: str, tmp_path: Path) -> None:
    spoil, expected = ROOTS[case]
    made(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ConfigError, match=expected) as caught:
        open_keys(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_disk_that_takes_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DeviceError, match="cannot be made"):
        made(tmp_path / "file" / "keys")


def test_the_first_root_is_not_signed_by_others(tmp_path: Path) -> None:
    ring, other = made(tmp_path / "a"), made(tmp_path / "b")
    with pytest.raises(UnsignedMetadataError):
        Metadata[Root].from_bytes(ring.roots[0].to_bytes()).verify_delegate(Root.type, other.roots[0])
