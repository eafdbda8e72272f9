"""The keys of head office: an offline one that signs who may sign, an online one that signs releases.

    root-<16 hex digits>.pem      keep it offline; needed only to replace a key
    online-<16 hex digits>.pem    signs targets, snapshot and timestamp at each publication
    1.root.json, 2.root.json …    who may sign, each signed by the keys of the one before and its own
    root.json                     the newest of them: what a device is given

A file of a key carries the beginning of the key's id, and the newest root says which keys are in use: a
replacement that was interrupted leaves a file that nobody uses, and nothing else.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from agent.adapters.durable import replace, write_whole
from agent.core.errors import ConfigError, DeviceError, InputError, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from securesystemslib.signer import CryptoSigner

Role = Literal["root", "online"]

ONLINE_ROLES: Final = (Targets.type, Snapshot.type, Timestamp.type)
ROOT_LIFETIME: Final = timedelta(days=3653)
"""Ten years: a device that lay in a drawer must still find its way to the newest root."""

_SHOWN: Final = 16  # hex digits of a key's id in the name of its file
_METADATA_LIMIT_BYTES: Final = 64_000  # a root of two keys is 2 KB


@dataclass(frozen=True, slots=True)
class Passphrases:
    """What the files of the keys are encrypted with; none where they are not."""

    root: str | None = None
    online: str | None = None

    def of(self, role: Role) -> bytes | None:
        """As bytes; None where there is none."""
        text = self.root if role == "root" else self.online
        return text.encode() if text else None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Who may sign, in all versions, oldest first: each was verified against the one before."""

    folder: Path
    roots: tuple[Metadata[Root], ...]

    @property
    def root(self) -> Root:
        """The newest."""
        return self.roots[-1].signed

    def key_of(self, role: Role, root: Root | None = None) -> str:
        """The id of the key that signs for a role."""
        name = Root.type if role == "root" else Targets.type
        return str((root or self.root).roles[name].keyids[0])

    def signer(
        self, role: Role, keyid: str, passphrase: bytes | None, folder: Path | None = None
    ) -> CryptoSigner:
        """The private key of this id.

        Raises:
            ConfigError: its file is missing, open to others, damaged, or of another passphrase.
        """
        return _load(_key_file(folder or self.folder, role, keyid), keyid, passphrase)

    def has(self, role: Role, keyid: str) -> bool:
        """Whether the private key is here, and not revoked."""
        return _key_file(self.folder, role, keyid).exists()


def create_keys(
    folder: Path, passphrases: Passphrases, *, now_utc: float, offline: Path | None = None
) -> KeyRing:
    """Make both keys and the first root. `offline` is where the root key goes, by default into `folder`.

    Raises:
        InputError: there are keys already.
        ConfigError: the library for signing is not installed.
        DeviceError: the disk failed or is full.
    """
    if folder.exists() and any(folder.glob("*.root.json")):
        raise InputError(f"{folder}: expected a new directory, found keys in it")
    root_signer, online_signer = _generated(), _generated()
    root = Root(version=1, expires=_expiry(now_utc), consistent_snapshot=True)
    root.add_key(root_signer.public_key, Root.type)
    for role in ONLINE_ROLES:
        root.add_key(online_signer.public_key, role)
    metadata = Metadata(root)
    metadata.sign(root_signer)
    try:
        for place in (folder, offline or folder):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(f"{error.filename}: cannot be made: {error.strerror}") from None
    _save(offline or folder, "root", root_signer, passphrases.of("root"))
    _save(folder, "online", online_signer, passphrases.of("online"))
    _write_root(folder, metadata)
    return KeyRing(folder, (metadata,))


def open_keys(folder: Path) -> KeyRing:
    """Read who may sign; private keys are read when they are needed.

    Raises:
        ConfigError: there are no keys, or the roots do not follow from each other.
    """
    roots: list[Metadata[Root]] = []
    while (path := folder / f"{len(roots) + 1}.root.json").exists():
        metadata = _read_root(path)
        try:
            (roots[-1] if roots else metadata).signed.verify_delegate(
                Root.type, metadata.signed_bytes, metadata.signatures
            )
            metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
        except RepositoryError as error:
            raise ConfigError(f"{path}: expected the keys of the root before it, found {error}") from None
        if metadata.signed.version != len(roots) + 1:
            raise ConfigError(f"{path}: version: expected {len(roots) + 1}, found {metadata.signed.version}")
        roots.append(metadata)
    if not roots:
        raise ConfigError(f"{folder}: expected keys made by `spotter catalog keys create`, found none")
    return KeyRing(folder, tuple(roots))


def replace_key(
    ring: KeyRing,
    role: Role,
    passphrases: Passphrases,
    *,
    now_utc: float,
    revoked: bool,
    offline: Path | None = None,
) -> KeyRing:
    """Make another key for a role, and a root that names it and no longer the old one.

    A key that is merely replaced signs once more beside the new one, at the next publication, so that no
    device sees a gap. One that is `revoked` (it was lost or stolen) never signs again: its file becomes
    `….revoked`. The root key itself has to sign that it is replaced: keep a copy of it.

    Raises:
        ConfigError: a private key is missing, or the root key cannot be read.
        DeviceError: the disk failed or is full.
    """
    place = offline or ring.folder
    old_id, root_id = ring.key_of(role), ring.key_of("root")
    root_signer = ring.signer("root", root_id, passphrases.of("root"), place)
    signer = _generated()
    root = Metadata[Root].from_bytes(ring.roots[-1].to_bytes()).signed  # a copy
    for name in (Root.type,) if role == "root" else ONLINE_ROLES:
        root.add_key(signer.public_key, name)
        root.revoke_key(old_id, name)
    root.version += 1
    root.expires = _expiry(now_utc)
    metadata = Metadata(root)
    metadata.sign(root_signer)
    if role == "root":
        metadata.sign(signer, append=True)
    _save(place if role == "root" else ring.folder, role, signer, passphrases.of(role))
    _write_root(ring.folder, metadata)
    if revoked:
        _put_away(_key_file(place if role == "root" else ring.folder, role, old_id))
    return KeyRing(ring.folder, (*ring.roots, metadata))


def role_of(ring: KeyRing, keyid: str) -> Role:
    """Whose key this is; the beginning of its id is enough.

    Raises:
        InputError: it is not in use.
    """
    roles: tuple[Role, ...] = ("root", "online")
    for role in roles:
        if len(keyid) >= 8 and ring.key_of(role).startswith(keyid):
            return role
    raise InputError(
        f"{ring.folder}: expected a key in use ({', '.join(ring.key_of(role)[:_SHOWN] for role in roles)}), "
        f"found {quoted(keyid)}"
    )


def _key_file(folder: Path, role: Role, keyid: str) -> Path:
    return folder / f"{role}-{keyid[:_SHOWN]}.pem"


def _expiry(now_utc: float) -> datetime:
    return datetime.fromtimestamp(int(now_utc), UTC) + ROOT_LIFETIME


def _generated() -> CryptoSigner:
    _require_cryptography()
    from securesystemslib.signer import CryptoSigner

    return CryptoSigner.generate_ed25519()


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ConfigError(
            "signing: expected the library cryptography, found none: pip install 'spotter-agent[publish]'"
        ) from None


def _save(folder: Path, role: Role, signer: CryptoSigner, passphrase: bytes | None) -> None:
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(signer.private_bytes, None)
    encryption = form.BestAvailableEncryption(passphrase) if passphrase else form.NoEncryption()
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, encryption)
    path = _key_file(folder, role, signer.public_key.keyid)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
        replace(temporary, path)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be written: {error.strerror}") from None


def _load(path: Path, keyid: str, passphrase: bytes | None) -> CryptoSigner:
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            pem = file.read(_METADATA_LIMIT_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise ConfigError(f"{path}: expected a key that only its owner may read (0600), found {mode:04o}")
    try:
        key = load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: expected a key of this passphrase, found {quoted(str(error))}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: expected an ed25519 key, found {type(key).__name__}")
    signer = CryptoSigner(key)
    if signer.public_key.keyid != keyid:
        raise ConfigError(f"{path}: expected the key {keyid}, found {signer.public_key.keyid}")
    return signer


def _put_away(path: Path) -> None:
    try:
        replace(path, path.with_suffix(".revoked"))
    except FileNotFoundError:
        return  # lost: that is why
    except OSError as error:
        raise DeviceError(f"{path}: cannot be renamed: {error.strerror}") from None


def _read_root(path: Path) -> Metadata[Root]:
    try:
        with path.open("rb") as file:
            data = file.read(_METADATA_LIMIT_BYTES)
        metadata = Metadata[Root].from_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (RepositoryError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: expected root metadata, found {quoted(str(error))}") from None
    if not isinstance(metadata.signed, Root):
        raise ConfigError(f"{path}: expected root metadata, found {quoted(metadata.signed.type)}")
    return metadata


def _write_root(folder: Path, metadata: Metadata[Root]) -> None:
    data = metadata.to_bytes()
    write_whole(folder / f"{metadata.signed.version}.root.json", data)
    write_whole(folder / "root.json", data)
