"""Photos that nobody named are put together by what they show, and none of them is lost."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.embedder import EmbedderSettings
from agent.core.errors import InputError
from agent.publishing.embed import Crew
from agent.publishing.folder import read_folder
from agent.publishing.grouping import PAGE_NAME, Grouped, group_photos, groups_of
from tests.support.tiny_models import write_tiny_model


def drawing(product: int, view: int) -> np.ndarray:
    fields = np.random.default_rng(product).integers(0, 256, (3, 3, 3)).astype(np.uint8)
    image = cv2.resize(fields, (48, 48), interpolation=cv2.INTER_NEAREST)
    noise = np.random.default_rng([product, view]).normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


class Heap:
    """Photos of three products, one stranger, one file that is damaged and one that is none."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder / "photos"
        self.out = folder / "proposal"
        for name in ("monday", "tuesday"):
            (self.folder / name).mkdir(parents=True)
        for product in range(3):
            for view in range(5):
                day = "monday" if view % 2 else "tuesday"
                cv2.imwrite(str(self.folder / day / f"{product}-{view}.png"), drawing(product, view))
        cv2.imwrite(str(self.folder / "stranger.png"), drawing(77, 0))
        (self.folder / "broken.jpg").write_bytes(b"\xff\xd8nothing")
        (self.folder / "notes.txt").write_text("monday")
        (folder / "model").mkdir()
        self.model = EmbedderSettings(file=str(write_tiny_model(folder / "model")))

    def group(self, **more: int) -> Grouped:
        return group_photos(
            self.folder, self.out, self.model, crop=1.0, least=more.get("least", 3), crew=Crew(jobs=1)
        )


@pytest.fixture
def heap(tmp_path: Path) -> Heap:
    return Heap(tmp_path / "heap")


def test_photos_of_one_product_come_together_and_strangers_stay_alone(heap: Heap) -> None:
    grouped = heap.group()
    shown = [{Path(path).name[0] for path in group} for group in grouped.groups]
    assert sorted(map(min, shown)) == ["0", "1", "2"]
    assert all(len(group) == 1 for group in shown)
    assert grouped.alone == ("stranger.png",)


def test_no_photo_is_lost_and_what_cannot_be_used_is_named(heap: Heap) -> None:
    before = {path: path.read_bytes() for path in heap.folder.rglob("*") if path.is_file()}
    grouped = heap.group()
    assert {path: path.read_bytes() for path in heap.folder.rglob("*") if path.is_file()} == before
    put = [path.read_bytes() for name in ("images", "leftovers") for path in (heap.out / name).rglob("*.png")]
    assert sorted(put) == sorted(data for path, data in before.items() if path.suffix == ".png")
    assert [(problem.file, problem.warning) for problem in grouped.problems] == [
        ("notes.txt", True),
        ("broken.jpg", False),
    ]


def test_the_proposal_is_a_product_folder_to_be_filled_in(heap: Heap) -> None:
    grouped = heap.group()
    problems: list[object] = []
    items = list(read_folder(heap.out, problems.append))
    assert [(item.product.sku, len(item.images)) for item in items] == [
        (f"group-{number:04d}", 5) for number in (1, 2, 3)
    ]
    assert problems == []
    page = (heap.out / PAGE_NAME).read_text()
    assert page.count("<article>") == len(grouped.groups)
    assert "stranger.png" in page


def test_two_photos_of_one_name_keep_both(heap: Heap) -> None:
    for day in ("monday", "tuesday"):
        cv2.imwrite(str(heap.folder / day / "IMG_1.png"), drawing(0, 9))
    heap.group()
    names = sorted(path.name for path in heap.out.rglob("IMG*"))
    assert names == ["IMG_1-2.png", "IMG_1.png"]


def test_links_to_photos_lead_to_them(heap: Heap) -> None:
    target = heap.folder.parent / "elsewhere.png"
    cv2.imwrite(str(target), drawing(1, 30))
    (heap.folder / "linked.png").symlink_to("../elsewhere.png")
    heap.group()
    (found,) = heap.out.rglob("linked.png")
    assert found.read_bytes() == target.read_bytes()


def test_what_cannot_be_grouped_is_refused(heap: Heap, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected photos, found none"):
        group_photos(tmp_path / "empty", heap.out, heap.model, crop=1.0, least=3, crew=Crew(jobs=1))
    with pytest.raises(InputError, match="expected a folder of photos"):
        group_photos(tmp_path / "absent", heap.out, heap.model, crop=1.0, least=3, crew=Crew(jobs=1))
    with pytest.raises(InputError, match="outside of the photos"):
        group_photos(heap.folder, heap.folder / "out", heap.model, crop=1.0, least=3, crew=Crew(jobs=1))
    heap.group()
    with pytest.raises(InputError, match="expected a new or an empty folder"):
        heap.group()


def test_few_rows_and_rows_that_are_all_alike() -> None:
    assert groups_of(np.ones((2, 4), np.float32) / 2, 3) == []
    far = np.eye(6, dtype=np.float32)
    assert sum(map(len, groups_of(far, 3))) in {0, 6}
