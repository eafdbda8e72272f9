"""The other side of sync, made by hand: keys, signed metadata and blobs in a folder that any host can show.

    office = HeadOffice(www)
    office.publish(catalogue, number=1)
    office.publish(other, number=2, patches_from=catalogue)

Everything about it can be bent: what is signed is what it is told to sign.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from agent.adapters.catalogue import read_manifest, write_manifest
from agent.adapters.products import ProductWriter
from agent.adapters.vectors import IndexBuilder
from agent.core.calibration import Calibration
from agent.core.manifest import Manifest, ModelEntry
from agent.core.matching import key_of
from agent.core.release import Blob, Patch, Release, dump_release
from agent.core.types import Product
from agent.publishing.patches import write_patch

DIMENSION = 16
FINGERPRINT = "ab" * 32


def draw_catalogue(
    folder: Path,
    seed: int = 0,
    products: int = 8,
    fingerprint: str = FINGERPRINT,
    dimension: int = DIMENSION,
) -> Path:
    """A small real catalogue of random vectors; the same seed gives the same bytes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    builder, table = IndexBuilder(dimension), ProductWriter(folder)
    for product in range(1, products + 1):
        rows = np.random.default_rng(product).normal(size=(4, dimension)) + 0.01 * rng.normal(
            size=(4, dimension)
        )
        keys = [key_of(product, view) for view in range(4)]
        unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        builder.add(np.array(keys, np.uint64), unit)
        table.add(Product(product, f"sku-{product}", name=f"Product {product} of {seed}"))
        for view, key in enumerate(keys):
            table.add_reference(key, f"images/sku-{product}/{view}.jpg")
    manifest = Manifest(
        created_utc=5.0,
        model=ModelEntry("tiny", fingerprint, dimension, "litert"),
        crop=1.0,
        dimension=dimension,
        calibration=Calibration(-1.0, 2.0, 3.0, "test"),
        products=products,
        references=4 * products,
        index=builder.save(folder),
        table=table.save(),
    )
    write_manifest(folder, manifest)
    return folder


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class HeadOffice:
    """Signs what it is told to, into the folder `www`. Roles: root, targets, snapshot, timestamp."""

    def __init__(self, www: Path, expires: datetime | None = None, *, hashed_targets: bool = True) -> None:
        self.www = www
        self.expires = expires or datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
        self.hashed_targets = hashed_targets
        self.keys = {
            role: CryptoSigner.generate_ed25519() for role in ("root", "targets", "snapshot", "timestamp")
        }
        for folder in ("metadata", "targets", "blobs"):
            (www / folder).mkdir(parents=True, exist_ok=True)
        self.root = Root(version=1, expires=self.expires, consistent_snapshot=True)
        for role, signer in self.keys.items():
            self.root.add_key(signer.public_key, role)
        self.root_bytes = self._sign(self.root, "root")
        (www / "metadata" / "1.root.json").write_bytes(self.root_bytes)
        self.version = 0
        self.targets = Targets(expires=self.expires)
        self.snapshot = Snapshot(expires=self.expires)
        self.timestamp = Timestamp(expires=self.expires)

    def _sign(self, part: Any, role: str) -> bytes:
        metadata = Metadata(part)
        metadata.sign(self.keys[role])
        return metadata.to_bytes()

    def sign(self) -> None:
        """Sign targets, snapshot and timestamp anew, with the next versions."""
        metadata = self.www / "metadata"
        self.version += 1
        for part in (self.targets, self.snapshot, self.timestamp):
            part.version = self.version
            part.expires = self.expires
        (metadata / f"{self.targets.version}.targets.json").write_bytes(self._sign(self.targets, "targets"))
        self.snapshot.meta["targets.json"] = MetaFile(self.targets.version)
        data = self._sign(self.snapshot, "snapshot")
        (metadata / f"{self.snapshot.version}.snapshot.json").write_bytes(data)
        self.timestamp.snapshot_meta = MetaFile(self.snapshot.version)
        (metadata / "timestamp.json").write_bytes(self._sign(self.timestamp, "timestamp"))

    def rotate(self, role: str) -> None:
        """A new key for a role; the old one counts no longer."""
        old = self.keys[role]
        self.root.revoke_key(old.public_key.keyid, role)
        self.keys[role] = CryptoSigner.generate_ed25519()
        self.root.add_key(self.keys[role].public_key, role)
        self.root.version += 1
        metadata = Metadata(self.root)
        metadata.sign(old if role == "root" else self.keys["root"])
        if role == "root":
            metadata.sign(self.keys["root"], append=True)
        (self.www / "metadata" / f"{self.root.version}.root.json").write_bytes(metadata.to_bytes())

    def release(
        self, catalogue: Path, number: int, channel: str = "default", patches_from: Path | None = None
    ) -> Release:
        """What a release of this catalogue says; its blobs are put in place."""
        manifest = read_manifest(catalogue)
        blobs = []
        for path in sorted(catalogue.iterdir()):
            data = path.read_bytes()
            shutil.copyfile(path, self.www / "blobs" / sha256(data))
            patches = tuple(self._patch(old, data) for old in _alike(path, patches_from))
            blobs.append(Blob(path.name, sha256(data), len(data), patches))
        return Release(
            channel=channel,
            number=number,
            release=manifest.release,
            created_utc=datetime.now(UTC).timestamp() - 60,
            fingerprint=manifest.model.fingerprint,
            dimension=manifest.model.dimension,
            rollout_percent=100,
            blobs=tuple(blobs),
            carries_model=manifest.model_file is not None,
        )

    def _patch(self, old: Path, data: bytes) -> Patch:
        new = self.www / "blobs" / sha256(data)
        made = self.www / "patch"
        assert write_patch(old, new, made, limit_bytes=1 << 30)
        patch = made.read_bytes()
        made.rename(self.www / "blobs" / sha256(patch))
        return Patch(sha256(old.read_bytes()), sha256(patch), len(patch))

    def put(self, data: bytes, channel: str = "default") -> None:
        """Sign these bytes as the release of a channel."""
        target = TargetFile.from_data(f"{channel}/release.json", data, ["sha256"])
        self.targets.targets[target.path] = target
        folder = self.www / "targets" / channel
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{sha256(data)}.release.json" if self.hashed_targets else "release.json"
        (folder / name).write_bytes(data)
        self.sign()

    def publish(
        self,
        catalogue: Path,
        number: int,
        channel: str = "default",
        patches_from: Path | None = None,
        **changes: Any,
    ) -> Release:
        """The whole of it. `changes` replace fields of the release."""
        release = replace(self.release(catalogue, number, channel, patches_from), **changes)
        self.put(dump_release(release), channel)
        return release


def _alike(path: Path, folder: Path | None) -> list[Path]:
    """The file of another catalogue that is the former one of this."""
    if folder is None:
        return []
    stem = path.name.split("-")[0]
    return [
        old
        for old in folder.iterdir()
        if old.name.split("-")[0] == stem and old.read_bytes() != path.read_bytes()
    ]
