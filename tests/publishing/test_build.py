"""From a folder of drawn pictures to a catalogue that finds them, by a real model on real files."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.catalogue import open_catalogue, read_manifest
from agent.adapters.embedder import EmbedderSettings, load_embedder
from agent.adapters.images import encode_png
from agent.core.calibration import DEFAULT_CALIBRATION
from agent.core.errors import CatalogueError, DeviceError, InputError, ModelError
from agent.core.evidence import ONE_LOOK, decide
from agent.core.regions import RegionSettings, propose
from agent.core.types import Look, Region, Verdict
from agent.publishing.build import BuildReport, BuildSettings, build_catalogue
from agent.publishing.problems import ProblemsError
from tests.support.grocery import photos
from tests.support.road import ROOT
from tests.support.tiny_models import write_tiny_model
from tools.synth.flavours import flavour
from tools.synth.kiosk import held_up
from tools.synth.views import studio_view

HERE = BuildSettings(jobs=1)


def drawing(product: int, view: int) -> np.ndarray:
    """Nine coloured fields that belong to the product, with noise that belongs to the view."""
    fields = np.random.default_rng(product).integers(0, 256, (3, 3, 3)).astype(np.uint8)
    image = cv2.resize(fields, (48, 48), interpolation=cv2.INTER_NEAREST)
    noise = np.random.default_rng([product, view]).normal(0, 12, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> EmbedderSettings:
    return EmbedderSettings(file=str(write_tiny_model(tmp_path_factory.mktemp("model"))))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve products with four pictures each."""
    root = tmp_path_factory.mktemp("drawn")
    rows = [f"sku-{product},Product {product},{product}" for product in range(12)]
    (root / "products.csv").write_text("sku,name,shelf\n" + "\n".join(rows) + "\n")
    for product in range(12):
        folder = root / "images" / f"sku-{product}"
        folder.mkdir(parents=True)
        for view in range(4):
            cv2.imwrite(str(folder / f"{view}.png"), drawing(product, view))
    return root


@pytest.fixture
def folder(drawn: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(drawn, tmp_path / "products"))


def build(
    folder: Path, out: Path, model: EmbedderSettings, settings: BuildSettings = HERE, utc: float = 1.0
) -> BuildReport:
    return build_catalogue(folder, out, model, settings, created_utc=utc)


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_what_was_built_finds_new_pictures(drawn: Path, model: EmbedderSettings, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    report = build_catalogue(
        str(drawn), str(tmp_path / "a" / "out"), model, HERE, created_utc=7.5,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert (report.products, report.references, report.problems) == (12, 48, ())
    assert told[-1] == (48, 48)
    assert told == sorted(told)
    eyes = load_embedder(model)
    with closing(open_catalogue(tmp_path / "a" / "out", eyes.fingerprint, eyes.dimension)) as catalogue:
        assert catalogue.release == report.release
        assert catalogue.manifest.created_utc == 7.5
        assert (
            catalogue.calibration.source
            == "48 of 48 references of 12 products, half of the siblings left out"
        )
        for product in range(12):
            image = drawing(product, 99)
            (look,) = catalogue.nearest(eyes.embed(image, propose(RegionSettings(), 48, 48)))
            best = catalogue.product(look[0].product)
            assert (best.sku, best.name) == (f"sku-{product}", f"Product {product}")
            assert best.extra == {"shelf": str(product)}
            assert catalogue.reference(look[0].key).startswith(f"images/sku-{product}/")
            probability = catalogue.calibration.probability(
                look[0].similarity, look[0].similarity - look[1].similarity
            )
            assert probability > 0.5


def test_the_same_input_gives_the_same_bytes_on_any_number_of_processes(
    drawn: Path, model: EmbedderSettings, tmp_path: Path
) -> None:
    build(drawn, tmp_path / "one", model)
    build(drawn, tmp_path / "again", model, utc=1.0)
    build(drawn, tmp_path / "two", model, BuildSettings(jobs=2))
    assert content(tmp_path / "one") == content(tmp_path / "again") == content(tmp_path / "two")
    later = build(drawn, tmp_path / "later", model, utc=2.0)
    assert later.release == read_manifest(tmp_path / "one").release
    other = build(drawn, tmp_path / "other", model, BuildSettings(jobs=1, crop=0.5))
    assert other.release != later.release
    assert read_manifest(tmp_path / "other").crop == 0.5


def spoil(folder: Path) -> list[str]:
    """One of each fault; what must be said of it."""
    with (folder / "products.csv").open("a") as file:
        file.write("sku-1,Again,0\nnew,New,0,0\n")
    images = folder / "images"
    (images / "sku-0" / "0.png").write_bytes(b"")
    (images / "sku-0" / "1.png").write_bytes((images / "sku-0" / "1.png").read_bytes()[:200])
    (images / "sku-3" / "x.jpg").write_bytes(random.Random(1).randbytes(5000))
    cv2.imwrite(str(images / "sku-4" / "grey.png"), np.full((48, 48), 128, np.uint8))
    return [
        "products.csv:14: sku 'sku-1': line 3 has the same sku",
        "products.csv:15: expected 3 columns, found 4",
        "images/sku-0/0.png: ",
        "images/sku-0/1.png: ",
        "images/sku-3/x.jpg: ",
        "images/sku-4/grey.png: the model sees nothing in this picture",
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_everything_bad_is_said_and_left_out(
    folder: Path, model: EmbedderSettings, tmp_path: Path, jobs: int
) -> None:
    expected = spoil(folder)
    report = build(folder, tmp_path / "out", model, BuildSettings(jobs=jobs))
    assert (report.products, report.references) == (12, 46)
    assert len(report.problems) == len(expected)
    for problem, start in zip(report.problems, expected, strict=True):
        assert str(problem).startswith(start)
        assert str(problem).isprintable()
        assert str(tmp_path) not in str(problem)


def test_strict_stops_at_bad_rows_before_any_work(
    folder: Path, model: EmbedderSettings, tmp_path: Path
) -> None:
    spoil(folder)
    with pytest.raises(ProblemsError, match=r"line 3 has the same sku \(and 1 more\)") as caught:
        build(folder, tmp_path / "out", model, BuildSettings(strict=True, jobs=1))
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "out").exists()


def test_strict_says_all_bad_pictures_and_leaves_the_old_catalogue(
    folder: Path, model: EmbedderSettings, tmp_path: Path
) -> None:
    build(folder, tmp_path / "out", model)
    before = content(tmp_path / "out")
    for view in range(4):
        (folder / "images" / "sku-7" / f"{view}.png").write_bytes(b"x")
    with pytest.raises(ProblemsError, match="and 3 more"):
        build(folder, tmp_path / "out", model, BuildSettings(strict=True, jobs=1))
    assert content(tmp_path / "out") == before


def test_warnings_do_not_stop_a_strict_build(folder: Path, model: EmbedderSettings, tmp_path: Path) -> None:
    (folder / "images" / "sku-2" / "notes.txt").touch()
    shutil.rmtree(folder / "images" / "sku-3")
    report = build(folder, tmp_path / "out", model, BuildSettings(strict=True, jobs=1))
    assert [problem.warning for problem in report.problems] == [True, True]
    assert (report.products, report.references) == (12, 44)


def test_a_new_catalogue_replaces_the_old_one_and_leaves_nothing_over(
    folder: Path, model: EmbedderSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = build(folder, out, model)
    (out / "README.txt").write_text("ours")
    (out / ".index.partial").write_bytes(b"left by a build that was killed")
    (out / "index-0123456789abcdef.usearch").write_bytes(b"the same")
    eyes = load_embedder(model)
    with closing(open_catalogue(out, eyes.fingerprint, eyes.dimension)) as held:
        cv2.imwrite(str(folder / "images" / "sku-0" / "9.png"), drawing(0, 9))
        second = build(folder, out, model)
        assert second.release != first.release
        assert second.references == first.references + 1
        assert held.product(1).sku == "sku-0"  # whoever had it open keeps it
        assert len(held.nearest(eyes.embed(drawing(5, 1), propose(RegionSettings(), 48, 48)))[0]) > 1
    manifest = read_manifest(out)
    named = {entry.path for entry in manifest.entries.values()}
    assert set(content(out)) == {"README.txt", "manifest.json"} | named


@pytest.mark.parametrize("damage", ["", "{}", "cut"])
def test_a_damaged_catalogue_can_be_built_again(
    drawn: Path, model: EmbedderSettings, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    build(drawn, out, model)
    good = content(out)
    manifest = out / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:99] if damage == "cut" else damage.encode())
    with pytest.raises(CatalogueError):
        read_manifest(out)
    build(drawn, out, model)
    assert content(out) == good


FOREIGN = {
    "somebody's files": ["thesis.doc"],
    "a web site": ["manifest.json", "index.html"],
    "a manifest alone": ["manifest.json"],
    "files beside ours, without a manifest": ["index-0123456789abcdef.usearch", "thesis.doc"],
}


@pytest.mark.parametrize("names", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_directory_that_is_no_catalogue_is_not_touched(
    drawn: Path, model: EmbedderSettings, tmp_path: Path, names: list[str]
) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    before = content(tmp_path)
    with pytest.raises(InputError, match="expected a catalogue or an empty directory"):
        build(drawn, tmp_path, model)
    assert content(tmp_path) == before


def test_two_builds_do_not_share_a_directory(drawn: Path, model: EmbedderSettings, tmp_path: Path) -> None:
    held = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another build is writing to it"):
            build(drawn, tmp_path, model)
    finally:
        os.close(held)


def test_places_that_cannot_be_written_are_device_errors(
    drawn: Path, model: EmbedderSettings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing/here")):
        with pytest.raises(DeviceError, match="cannot be made"):
            build(drawn, out, model)


def test_a_full_disk_is_a_device_error_and_leaves_no_catalogue(
    drawn: Path, model: EmbedderSettings, tmp_path: Path
) -> None:
    """A file size limit stands in for the full disk: writing fails in the same place."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for limit in (1000, 6000, 14_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
            with pytest.raises(DeviceError, match="cannot be written"):
                build(drawn, tmp_path / "out", model)
            assert list((tmp_path / "out").iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_nothing_to_build_from_is_refused(folder: Path, model: EmbedderSettings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected pictures of products, found none"):
        build(tmp_path / "empty", tmp_path / "out", model)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"x")
    with pytest.raises(InputError, match=r"found no good one; 48 problems, the first: images/sku-0/0\.png"):
        build(folder, tmp_path / "out", model)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_wrong_model_is_refused_before_any_work(drawn: Path, tmp_path: Path, jobs: int) -> None:
    with pytest.raises(ModelError):
        build(
            drawn,
            tmp_path / "out",
            EmbedderSettings(file=str(tmp_path / "no.tflite")),
            BuildSettings(jobs=jobs),
        )
    assert not (tmp_path / "out").exists()


def test_one_picture_of_one_product_is_a_catalogue(model: EmbedderSettings, tmp_path: Path) -> None:
    (tmp_path / "in" / "only").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "in" / "only" / "1.jpg"), drawing(1, 1))
    report = build(tmp_path / "in", tmp_path / "out", model)
    assert (report.products, report.references, report.problems) == (1, 1, ())
    eyes = load_embedder(model)
    with closing(open_catalogue(tmp_path / "out", eyes.fingerprint, eyes.dimension)) as catalogue:
        assert catalogue.calibration == DEFAULT_CALIBRATION
        (look,) = catalogue.nearest(eyes.embed(drawing(1, 2), propose(RegionSettings(), 48, 48)))
        assert [candidate.product for candidate in look] == [1]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"crop": 0.05}, "crop: expected"), ({"crop": 1.1}, "crop: expected"), ({"jobs": 0}, "jobs: expected")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        BuildSettings(**settings)


@pytest.mark.timeout(900)  # two cores shared with others
def test_real_photos_are_found_as_by_an_exact_search(shared_data: Path, tmp_path: Path) -> None:
    """A third of the training photos; all validation photos: one of them, between two products that lie 0.003
    apart, is found otherwise since the index holds int8."""
    root = tmp_path / "products"
    for path, sku in photos(shared_data, "train", 3):
        (root / sku).mkdir(parents=True, exist_ok=True)
        (root / sku / path.name).symlink_to(path)
    settings = EmbedderSettings(file=str(ROOT / "models" / "small.tflite"))
    report = build(root, tmp_path / "out", settings, BuildSettings(crop=0.875, features=False))
    assert (report.products, report.references, report.problems) == (81, 880, ())
    eyes = load_embedder(settings)
    where = RegionSettings(mode="centre", centre=0.875)

    def embedding(path: Path) -> np.ndarray:
        image = cv2.imread(str(path))
        return eyes.embed(image, propose(where, image.shape[1], image.shape[0]))

    with closing(open_catalogue(tmp_path / "out", eyes.fingerprint, eyes.dimension)) as catalogue:
        table = next((tmp_path / "out").glob("products-*.db"))
        with closing(sqlite3.connect(table)) as connection:
            images = [image for (image,) in connection.execute("SELECT image FROM refs ORDER BY key")]
        gallery = catalogue.project(np.concatenate([embedding(root / image) for image in images]))
        queries = photos(shared_data, "val")
        asked = np.concatenate([embedding(path) for path, _ in queries])
        exact = [images[best].split("/")[0] for best in (catalogue.project(asked) @ gallery.T).argmax(axis=1)]
        ours = [catalogue.product(look[0].product).sku for look in catalogue.nearest(asked)]
    truth = [sku for _, sku in queries]
    right, right_exact = (
        np.mean([a == b for a, b in zip(found, truth, strict=True)]) for found in (ours, exact)
    )
    assert right_exact > 0.5
    assert abs(right - right_exact) <= 0.01
    assert np.mean([a == b for a, b in zip(ours, exact, strict=True)]) >= 0.98


def test_the_manifest_on_disk_says_what_the_report_says(
    drawn: Path, model: EmbedderSettings, tmp_path: Path
) -> None:
    report = build(drawn, tmp_path / "out", model)
    document = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert document["release"] == report.release
    assert document["counts"] == {"products": report.products, "references": report.references}
    assert document["model"]["name"] == "tiny"


def test_a_process_that_is_killed_is_a_device_error(
    drawn: Path, model: EmbedderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(done: int, total: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    monkeypatch.setattr("agent.publishing.embed.CHUNK", 1)  # so that most are still to come
    with pytest.raises(DeviceError, match="ended from outside"):
        build_catalogue(drawn, tmp_path / "out", model, BuildSettings(jobs=2), created_utc=1.0, progress=kill)
    assert list((tmp_path / "out").iterdir()) == []


def test_no_projection_is_fitted_on_pictures_that_say_nothing_of_new_ones(tmp_path: Path) -> None:
    """Of studio pictures a trial finds one helpful, and with it nearly nothing is known again in a hand."""
    asked = []
    for index in range(64):
        images = tmp_path / "shop" / f"p{index:02}"
        images.mkdir(parents=True)
        for number in range(3):
            (images / f"{number}.png").write_bytes(encode_png(studio_view(flavour(index, 5), number)))
        asked.append(held_up(flavour(index, 5), 0))
    model = EmbedderSettings(file=str(ROOT / "models" / "small.tflite"))
    build_catalogue(tmp_path / "shop", tmp_path / "made", model, HERE, created_utc=0.0)
    eyes = load_embedder(model)
    with closing(open_catalogue(tmp_path / "made", eyes.fingerprint, eyes.dimension)) as catalogue:
        assert catalogue.manifest.projection is None
        rows = np.concatenate([eyes.embed(one, [Region((0, 0, *one.shape[1::-1]))]) for one in asked])
        looks = [Look(found, embedding=row) for found, row in zip(catalogue.nearest(rows), rows, strict=True)]
        verdicts = [decide([look], catalogue.calibration, ONE_LOOK).verdict for look in looks]
    assert verdicts.count(Verdict.UNKNOWN) < len(asked) / 3
