"""Product folders as head offices hand them in: read row by row, and every bad row said with its place."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest

from agent.core.errors import InputError
from agent.core.types import Product
from agent.publishing.folder import Item, read_folder
from agent.publishing.problems import Problem, ProblemsError


def table(root: Path, text: str | bytes, *images: str) -> Path:
    (root / "products.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return pictures(root, *images)


def pictures(root: Path, *images: str) -> Path:
    for image in images:
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).touch()
    return root


def read(root: Path) -> tuple[list[Item], list[str]]:
    problems: list[Problem] = []
    return list(read_folder(root, problems.append)), [str(problem) for problem in problems]


def test_a_table_and_its_pictures(tmp_path: Path) -> None:
    table(
        tmp_path,
        'sku,gtin,name,Colour,price\nmilk,4006381333931,"Milk, 1 l",white,"1,19 €"\nbread,,Bread,,2\n',
        "images/milk/b.JPG",
        "images/milk/a.jpeg",
        "images/bread/x.png",
        "images/bread/.hidden.png",
    )
    items, problems = read(tmp_path)
    assert items == [
        Item(
            Product(1, "milk", "04006381333931", "Milk, 1 l", price="1,19 €", extra={"colour": "white"}),
            ("images/milk/a.jpeg", "images/milk/b.JPG"),
        ),
        Item(Product(2, "bread", name="Bread", price="2", extra={"colour": ""}), ("images/bread/x.png",)),
    ]
    assert problems == []


WAYS_TO_WRITE_IT = {
    "plain": b"sku,name\na,\xc3\x84\n",
    "with a byte order mark": b"\xef\xbb\xbfsku,name\na,\xc3\x84\n",
    "Windows line ends": b"sku,name\r\na,\xc3\x84\r\n",
    "no newline at the end": b"sku,name\na,\xc3\x84",
    "empty lines": b"sku,name\n\n\na,\xc3\x84\n\n,\n",
    "spaces": b" SKU , Name\n a , \xc3\x84 \n",
    "quotes": b'"sku","name"\n"a","\xc3\x84"\n',
    "a comma at the end of each line": b"sku,name,\na,\xc3\x84,\n",
}


@pytest.mark.parametrize("data", WAYS_TO_WRITE_IT.values(), ids=WAYS_TO_WRITE_IT.keys())
def test_the_same_table_however_it_is_written(tmp_path: Path, data: bytes) -> None:
    items, problems = read(table(tmp_path, data, "images/a/1.jpg"))
    assert [item.product for item in items] == [Product(1, "a", name="Ä")]
    assert problems == []


BAD_ROWS = {
    "no sku": (b",x,", "products.csv:3: sku '': expected an sku, found none"),
    "the same sku": (b"good,x,", "products.csv:3: sku 'good': line 2 has the same sku"),
    "a slash": (b"a/b,x,", "products.csv:3: sku 'a/b': expected no slash"),
    "a backslash": (b"a\\b,x,", "products.csv:3: sku 'a\\\\b': expected no slash"),
    "a way out": (b"..,x,", "products.csv:3: sku '..': expected no slash, no control character and no dot"),
    "hidden": (b".a,x,", "products.csv:3: sku '.a': expected no slash"),
    "a control character": (b"a\x1bb,x,", "products.csv:3: sku 'a\\x1bb': expected no slash, no control"),
    "a long sku": (b"a" * 201 + b",x,", "expected at most 200 characters, found 201"),
    "a long name": (b"b," + b"x" * 1001 + b",", "expected at most 1000 characters, found 1001"),
    "a wrong check digit": (
        b"b,x,4006381333932",
        "products.csv:3: gtin '4006381333932': expected check digit 1",
    ),
    "a float for a gtin": (
        b"b,x,4.00638E+12",
        "products.csv:3: gtin '4.00638E+12': expected 8, 12, 13 or 14",
    ),
    "a column too many": (b"b,x,,y", "products.csv:3: expected 3 columns, found 4"),
    "a column too few": (b"b,x", "products.csv:3: expected 3 columns, found 2"),
    "Latin-1": (b"b,K\xe4se,", "products.csv:3: name 'K\\udce4se': expected UTF-8"),
    "Latin-1 in the sku": (b"K\xe4se,x,", "products.csv:3: sku 'K\\udce4se': expected UTF-8"),
    "NUL": (b"b,x\0y,", "products.csv:3: name 'x\\x00y': expected UTF-8 without NUL"),
    "a stray quote": (b'b,"x"y,', "products.csv:3: expected a row of CSV:"),
    "a cell of 200,000 characters": (
        b"b," + b"x" * 200_000 + b",",
        "products.csv:3: expected a row of CSV: field",
    ),
    "a line of 2 million": (b"b," + b"x" * 2_000_000 + b",", "products.csv:3: expected a line of at most"),
}


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_said_with_its_place_and_left_out(tmp_path: Path, row: bytes, reason: str) -> None:
    data = b"sku,name,gtin\ngood,Good,\n" + row + b"\nlast,Last,\n"
    items, problems = read(table(tmp_path, data, "images/good/1.jpg", "images/last/1.jpg"))
    assert [item.product.sku for item in items] == ["good", "last"]
    assert [item.product.no for item in items] == [1, 2]
    assert len(problems) == 1
    assert problems[0].startswith(reason) or reason in problems[0]
    assert problems[0].isprintable()


def test_a_quote_that_is_never_closed_is_said_where_it_opened(tmp_path: Path) -> None:
    data = b'sku,name\ngood,Good\nb,"open\nlast,Last\n'
    items, problems = read(table(tmp_path, data, "images/good/1.jpg"))
    assert [item.product.sku for item in items] == ["good"]
    assert problems == ["products.csv:3: expected a row of CSV: unexpected end of data"]


def test_a_row_with_two_faults_says_both(tmp_path: Path) -> None:
    _, problems = read(table(tmp_path, b"sku,gtin\n.x,123\n"))
    assert [problem.partition(":")[2][:8] for problem in problems[:2]] == ["2: sku '", "2: gtin "]


HEADERS = {
    "empty": (b"", "found ''"),
    "no sku": (b"id,name\n1,x\n", "found 'id,name'"),
    "semicolons": (b"sku;name\n1;x\n", "found 'sku;name'"),
    "UTF-16": ("sku,name\n1,x\n".encode("utf-16"), "expected a header with a column sku"),
    "twice": (b"sku,name,NAME\n", "expected each column once, found 'name' twice"),
    "a spreadsheet": (
        b"PK\x03\x04\x14\0\x06\0" + random.Random(1).randbytes(3000),
        "products.csv:1: expected a header",
    ),
    "Latin-1": (b"sku,K\xe4se\n", "expected a header in UTF-8"),
}


@pytest.mark.parametrize(("data", "reason"), HEADERS.values(), ids=HEADERS.keys())
def test_a_table_without_a_proper_header_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        read(table(tmp_path, data))
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a folder with products\.csv"):
        read(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"expected a folder with products\.csv"):
        read(tmp_path / "file")
    (tmp_path / "products.csv").mkdir()
    with pytest.raises(InputError, match=r"products\.csv: cannot be read: Is a directory"):
        read(tmp_path)


def test_what_may_surprise_is_said_and_used(tmp_path: Path) -> None:
    images = ["images/a/1.jpg", "images/a/notes.txt", "images/a/deep/2.jpg", "images/orphan/1.jpg"]
    items, problems = read(table(tmp_path, b"sku\na\nempty\n", *images))
    assert [(item.product.sku, item.images) for item in items] == [("a", ("images/a/1.jpg",)), ("empty", ())]
    assert [problem.split(":")[0] for problem in problems] == [
        "images/a/deep",
        "images/a/notes.txt",
        "products.csv",
        "images/orphan",
    ]
    assert problems[2] == "products.csv:3: sku 'empty': no pictures in images/empty"
    problems_found: list[Problem] = []
    list(read_folder(tmp_path, problems_found.append))
    assert all(problem.warning for problem in problems_found)


@pytest.mark.parametrize("base", ["", "images/"])
def test_one_folder_of_pictures_per_product_needs_no_table(tmp_path: Path, base: str) -> None:
    names = ["b/1.jpg", "a/2.webp", "a/1.png", "empty/notes.txt", ".git/x.jpg", "c d/1.jpg"]
    items, problems = read(pictures(tmp_path, *(base + name for name in names)))
    assert items == [
        Item(Product(1, "a"), (f"{base}a/1.png", f"{base}a/2.webp")),
        Item(Product(2, "b"), (f"{base}b/1.jpg",)),
        Item(Product(3, "c d"), (f"{base}c d/1.jpg",)),
    ]
    assert problems[-1] == f"{base}empty: no pictures in this folder"


def test_names_that_are_not_utf8_are_said(tmp_path: Path) -> None:
    pictures(tmp_path, "a/1.jpg", "a/\udce4.jpg", "\udce4/1.jpg")
    items, problems = read(tmp_path)
    assert items == [Item(Product(1, "a"), ("a/1.jpg",))]
    assert problems == ["a/\\udce4.jpg: expected a name in UTF-8", "\\udce4: expected UTF-8 without NUL"]


def test_random_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    rng = random.Random(1)
    good = b'sku,gtin,name\na,4006381333931,"x, y"\nb,,z\n' * 5
    for _ in range(300):
        data = bytearray(b"sku,gtin,name\n" + good)
        for _ in range(rng.choice((1, 5, 40))):
            data[rng.randrange(14, len(data))] = rng.randrange(256)
        _, problems = read(table(tmp_path, bytes(data)))
        assert all(problem.isprintable() for problem in problems)


def test_rows_stream_in_bounded_memory(tmp_path: Path) -> None:
    rows = 30_000
    with (tmp_path / "products.csv").open("w") as file:
        file.write("sku,name,description\n")
        file.writelines(f"sku-{row:09d},Product {row},{'long ' * 40}\n" for row in range(rows))
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_folder(tmp_path, lambda problem: None))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == rows
    # The SKUs (6 MB), and not the rows: those would be 21 MB. Threads that other tests left allocate meanwhile.
    assert peak_bytes < rows * 200 + 8_000_000


def test_the_error_of_a_strict_build_is_one_line_and_holds_all() -> None:
    problems = [Problem("products.csv", "bad", line, "sku", "x\ny") for line in (2, 3)]
    error = ProblemsError(problems)
    assert str(error) == "products.csv:2: sku 'x\\ny': bad (and 1 more)"
    assert error.problems == tuple(problems)


def test_what_devices_exported_is_read_behind_the_table_of_head_office(tmp_path: Path) -> None:
    table(tmp_path, "sku,name\noats,Hafer\n", "images/oats/learned-0.jpg", "images/milk/learned-0.jpg")
    (tmp_path / "products-b.csv").write_text("sku,name\nmilk,Milk\noats,another name\n")
    (tmp_path / "products-a.csv").write_text("sku,gtin\nmilk,4006381333931\ntea,12\n")
    (tmp_path / "forgotten-a.csv").write_text("sku,since\noats,2026-01-01T00:00:00.000Z\n")
    items, problems = read(tmp_path)
    assert [(item.product.no, item.product.sku, item.product.name) for item in items] == [
        (1, "oats", "Hafer"), (2, "milk", ""),
    ]  # fmt: skip
    assert items[1].product.gtin == "04006381333931"
    assert problems == [
        "products-a.csv:3: gtin '12': expected 8, 12, 13 or 14 digits, found '12'",
        "forgotten-a.csv:2: sku 'oats': a device recognises this product no longer, its people told it so",
    ]
    (tmp_path / "products.csv").unlink()
    assert [item.product.sku for item in read(tmp_path)[0]] == ["milk", "oats"]
