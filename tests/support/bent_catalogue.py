"""Copies of a catalogue whose probes or model are bent, and which are sealed again as head office would."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.adapters.catalogue import (
    read_manifest,
    read_model_files,
    read_probes,
    write_manifest,
    write_model_files,
    write_probes,
)
from agent.core.probes import Probe

Bend = Callable[[Probe], Probe]


def with_first_probe(catalogue: Path, out: Path, bend: Bend) -> Path:
    """The same catalogue with another first probe; the directory."""
    shutil.copytree(catalogue, out)
    manifest = read_manifest(out)
    probes = read_probes(out, manifest)
    assert probes is not None
    assert manifest.probes is not None
    (out / manifest.probes.path).unlink()
    entry = write_probes(out, replace(probes, probes=(bend(probes.probes[0]), *probes.probes[1:])))
    write_manifest(out, replace(manifest, probes=entry))
    return out


def with_model(catalogue: Path, out: Path, bend: Callable[[bytes], bytes] = lambda data: data) -> Path:
    """The same catalogue with another model file, which its spec and manifest name as if it were right."""
    shutil.copytree(catalogue, out)
    manifest = read_manifest(out)
    data, spec = read_model_files(out, manifest)
    for entry in (manifest.model_file, manifest.model_spec):
        assert entry is not None
        (out / entry.path).unlink()
    bent = bend(data)
    spec = replace(spec, sha256=hashlib.sha256(bent).hexdigest())
    file, beside = write_model_files(out, bent, spec)
    model = replace(manifest.model, fingerprint=spec.fingerprint)
    write_manifest(out, replace(manifest, model=model, model_file=file, model_spec=beside))
    return out


def otherwise(probe: Probe) -> Probe:
    """It says that head office saw the opposite."""
    codes = -np.frombuffer(probe.codes, np.int8)
    return replace(probe, codes=codes.astype(np.int8).tobytes())
