"""Pictures become embeddings in the order given, to the same bits, a bounded number at a time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.embedder import Embedder, EmbedderSettings, load_embedder
from agent.adapters.images import THUMBNAIL_PX, decode_image
from agent.core.errors import ModelError
from agent.publishing import embed
from agent.publishing.embed import Crew, Embedded, Picture, Workforce
from agent.publishing.worker import CHUNKS_AHEAD
from tests.support.pictures import coded
from tests.support.tiny_models import write_tiny_model
from tests.support.tiny_pictures import drawn_picture

JOBS = [1, 2]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> EmbedderSettings:
    return EmbedderSettings(file=str(write_tiny_model(tmp_path_factory.mktemp("model"))))


@pytest.fixture(scope="module")
def eyes(settings: EmbedderSettings) -> Embedder:
    return load_embedder(settings)


def embed_pictures(
    given: Iterable[Picture], eyes: Embedder, settings: EmbedderSettings, crop: float, crew: Crew
) -> Iterator[Embedded]:
    with Workforce(eyes, settings, crop, crew) as force:
        yield from force.embed(given, 1000)


def pictures(count: int) -> list[Picture]:
    return [
        Picture(number + 1, f"{number}.jpg", coded(drawn_picture(number), ".jpg")) for number in range(count)
    ]


def everything(chunks: Iterator[Embedded]) -> tuple[list[int], np.ndarray, list[bytes]]:
    """Keys, vectors and thumbnails of all chunks."""
    found = list(chunks)
    keys = [picture.key for chunk in found for picture in chunk.pictures]
    small = [one for chunk in found for one in chunk.thumbnails]
    return keys, np.concatenate([chunk.vectors for chunk in found]), small


def test_the_same_bits_come_in_the_same_order_from_any_number_of_processes(
    eyes: Embedder, settings: EmbedderSettings
) -> None:
    given = pictures(50)
    keys, vectors, small = everything(embed_pictures(given, eyes, settings, 0.8, Crew(jobs=1)))
    assert keys == [picture.key for picture in given]
    assert vectors.shape == (50, eyes.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    others = everything(embed_pictures(given, eyes, settings, 0.8, Crew(jobs=2)))
    assert others[0] == keys
    assert np.array_equal(others[1], vectors)
    assert others[2] == small


def test_no_pictures_are_no_chunks(eyes: Embedder, settings: EmbedderSettings) -> None:
    for jobs in JOBS:
        assert list(embed_pictures([], eyes, settings, 1.0, Crew(jobs=jobs))) == []


@pytest.mark.parametrize("jobs", JOBS)
def test_what_cannot_be_seen_is_refused_and_the_others_go_on(
    eyes: Embedder, settings: EmbedderSettings, jobs: int
) -> None:
    grey = coded(np.full((40, 40, 3), 128, np.uint8), ".png")
    given = pictures(3)
    given[1:1] = [Picture(10, "empty.jpg", b""), Picture(11, "cut.jpg", given[0].data[:300])]
    given.append(Picture(12, "grey.png", grey))
    (chunk,) = embed_pictures(given, eyes, settings, 1.0, Crew(jobs=jobs))
    assert [picture.path for picture in chunk.pictures] == ["0.jpg", "1.jpg", "2.jpg"]
    assert len(chunk.vectors) == len(chunk.thumbnails) == 3
    refused = {picture.path: reason for picture, reason in chunk.refused}
    assert list(refused) == ["empty.jpg", "cut.jpg", "grey.png"]
    assert refused["empty.jpg"].startswith("expected a JPEG")
    assert refused["grey.png"].startswith("the model sees nothing")
    assert not any(reason.startswith("picture") for reason in refused.values())


def test_thumbnails_show_the_whole_picture_whatever_part_is_embedded(
    eyes: Embedder, settings: EmbedderSettings
) -> None:
    given = pictures(2)
    for crop in (1.0, 0.3):
        (chunk,) = embed_pictures(given, eyes, settings, crop, Crew(jobs=1))
        for picture, small in zip(chunk.pictures, chunk.thumbnails, strict=True):
            image, whole = decode_image(small, "small"), decode_image(picture.data, "whole")
            assert image.shape == (round(THUMBNAIL_PX * 160 / 200), THUMBNAIL_PX, 3)
            assert cv2.absdiff(cv2.resize(whole, image.shape[1::-1]), image).mean() < 4


def test_chunks_end_by_count_and_by_bytes(
    eyes: Embedder, settings: EmbedderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = pictures(40)
    sizes = [len(chunk.pictures) for chunk in embed_pictures(small, eyes, settings, 1.0, Crew(jobs=1))]
    assert sizes == [16, 16, 8]
    monkeypatch.setattr(embed, "CHUNK_BYTES", len(small[0].data) + 1)
    sizes = [len(chunk.pictures) for chunk in embed_pictures(small, eyes, settings, 1.0, Crew(jobs=1))]
    assert max(sizes) <= 2


def test_pictures_are_read_only_as_far_ahead_as_the_workers_need(
    eyes: Embedder, settings: EmbedderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "CHUNK", 1)
    given = pictures(60)
    read = 0

    def reading() -> Iterator[Picture]:
        nonlocal read
        for picture in given:
            read += 1
            yield picture

    def most_ahead() -> int:
        nonlocal read
        read = 0
        chunks = enumerate(embed_pictures(reading(), eyes, settings, 1.0, Crew(jobs=2)))
        return max(read - number for number, _ in chunks)

    assert most_ahead() == 2 * CHUNKS_AHEAD
    monkeypatch.setattr(embed, "BYTES_AHEAD", 3 * len(given[0].data))
    assert most_ahead() <= 4


def children() -> set[int | None]:
    return {child.pid for child in multiprocessing.active_children()}


def test_workers_stay_for_what_comes_next_and_more_come_where_they_are_worth_it(
    eyes: Embedder, settings: EmbedderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "WORTH_A_PROCESS", 8)
    monkeypatch.setattr(embed, "_cores", lambda: 2)
    given, before = pictures(20), children()
    with Workforce(eyes, settings, 1.0, Crew()) as force:
        few = list(force.portray(given[:3], 1000))
        assert children() == before, "three pictures are no reason to start a process, whatever may come"
        assert len(list(force.embed(given, 1000))) == 2
        at_work = children() - before
        assert len(at_work) == 2
        many = list(force.portray(given, 1000))
        assert len(list(force.ask(given[:3], 3))) == 3
        assert children() - before == at_work
    assert children() == before
    assert [picture.key for picture, _ in many] == [picture.key for picture in given]
    for (_, here), (_, there) in zip(few, many, strict=False):
        assert here
        assert there
        assert len(here.features) > 0
        assert np.array_equal(here.features.rows, there.features.rows)
        assert np.array_equal(here.picture, there.picture)


@pytest.mark.parametrize("jobs", JOBS)
def test_what_cannot_be_seen_has_no_portrait(eyes: Embedder, settings: EmbedderSettings, jobs: int) -> None:
    given = pictures(3)
    given[1:1] = [Picture(10, "empty.jpg", b""), Picture(11, "cut.jpg", given[0].data[:300])]
    with Workforce(eyes, settings, 1.0, Crew(jobs=jobs)) as force:
        made = [portrait is not None for _, portrait in force.portray(given, len(given))]
    assert made == [True, False, False, True, True]


def test_a_model_that_is_replaced_meanwhile_is_refused(tmp_path: Path) -> None:
    settings = EmbedderSettings(file=str(write_tiny_model(tmp_path)))
    eyes = load_embedder(settings)
    write_tiny_model(tmp_path, cells=8)
    with pytest.raises(ModelError, match="found another one by now"):
        list(embed_pictures(pictures(2), eyes, settings, 1.0, Crew(jobs=2)))


def test_a_process_is_started_only_where_it_pays() -> None:
    assert Crew(jobs=7).for_pictures(1) == Crew(jobs=7)
    assert Crew().for_pictures(1).jobs == 1
    assert Crew().for_pictures(embed.WORTH_A_PROCESS).jobs == 1
    assert (Crew().for_pictures(10**6).jobs or 0) >= 1
    assert Crew("ray").for_pictures(1) == Crew("ray")
