"""A landed file read whole: archives are opened, their members are files of their own, what is bad costs itself."""

import gzip
import io
import json
import resource
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from ingestion.formats import allowance
from ingestion.options import DatasetPolicy, ReadOptions
from ingestion.protocol import Parsed, ParseRequest, Rejected
from ingestion.read import read_file
from ingestion.refusal import FileRefused

AT = datetime(2026, 11, 23, tzinfo=UTC)
TABLE = b"id;name\n1;a\n2;b\n"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


@pytest.fixture(autouse=True)
def limits_of_this_process() -> Iterator[None]:
    """A reader limits the files that its process may write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def read(
    folder: Path,
    data: bytes,
    name: str,
    policy: DatasetPolicy | None = None,
    tables: Mapping[str, pl.Schema] | None = None,
    patches: Mapping[str, Mapping[int, str]] | None = None,
) -> Parsed:
    path, out = folder / "landed", folder / f"out-{len(list(folder.iterdir()))}"
    path.write_bytes(data)
    request = ParseRequest(path, name, out, "b-1", AT, tables or {}, policy or DatasetPolicy(), patches or {})
    parsed = read_file(request)
    assert sorted(out.iterdir()) == sorted(
        path for part in parsed.parts for path in (part.path, part.rejects) if path is not None
    )
    return parsed


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def book(**sheets: list[list[object]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return buffer.getvalue()


def rows(parsed: Parsed) -> dict[str, int]:
    """How many rows each part has, by the file that they name: by their own count and in their column ``_file``."""
    for part in parsed.parts:
        frame = pl.read_parquet(part.path)
        assert frame.height == part.rows
        assert set(frame["_file"]) <= {part.file}
    return {part.file: part.rows for part in parsed.parts}


def test_a_compressed_file_is_the_file_itself(tmp_path: Path) -> None:
    parsed = read(tmp_path, gzip.compress(TABLE), "in/prices.csv.gz")
    assert parsed.format == "csv.gz"
    assert rows(parsed) == {"in/prices.csv.gz": 2}
    twice = read(tmp_path, gzip.compress(gzip.compress(b'{"id": 1}\n')), "in/prices.json.gz.gz")
    assert twice.format == "json.gz.gz"


def test_the_name_of_a_compressed_file_says_what_it_holds(tmp_path: Path) -> None:
    """The same bytes are a table under one name, and none under another."""
    assert read(tmp_path, gzip.compress(TABLE), "prices.gz").parts != ()
    assert read(tmp_path, gzip.compress(TABLE), "prices.md.gz").kept == ("",)


def test_each_member_of_an_archive_is_a_file_of_its_own(tmp_path: Path) -> None:
    members = {"jan.csv": TABLE, "2024/feb.csv": TABLE + b"3;c\n", "mar.csv.gz": gzip.compress(TABLE)}
    expected = {"in/all#jan.csv": 2, "in/all#2024/feb.csv": 3, "in/all#mar.csv.gz": 2}
    for data, format_ in (
        (zipped(**members), "zip"),
        (tarred(**members), "tar"),
        (gzip.compress(tarred(**members)), "tar.gz"),
    ):
        parsed = read(tmp_path, data, "in/all")
        assert (parsed.format, rows(parsed)) == (format_, expected)
        assert {part.table for part in parsed.parts} == {""}


def test_archives_in_archives_are_opened(tmp_path: Path) -> None:
    data = zipped(**{"a.csv": TABLE, "deep/b.zip": zipped(**{"c.csv": TABLE, "d.tar": tarred(**{"e.csv": TABLE})})})
    expected = {"all.zip#a.csv": 2, "all.zip#deep/b.zip/c.csv": 2, "all.zip#deep/b.zip/d.tar/e.csv": 2}
    assert rows(read(tmp_path, data, "all.zip")) == expected


def test_what_a_member_adds_to_a_table_the_next_member_finds_there(tmp_path: Path) -> None:
    parsed = read(
        tmp_path, zipped(**{"1.csv": b"a;b\n1;2\n", "2.csv": b"b;c\n3;4\n", "3.csv": b"a;b\n5;6\n"}), "all.zip"
    )
    assert [list(part.schema) for part in parsed.parts] == [["a", "b"], ["a", "b", "c"], ["a", "b", "c"]]
    last = pl.read_parquet(parsed.parts[2].path)
    assert last.select("a", "b", "c").rows() == [("5", "6", None)]


def test_members_may_have_tables_apart(tmp_path: Path) -> None:
    policy = DatasetPolicy(read=ReadOptions(apart=True))
    members = {"in/Jan 2024.csv": TABLE, "Feb-2024.csv": TABLE, "Feb-2025.csv": TABLE}
    parsed = read(tmp_path, zipped(**members), "all.zip", policy)
    assert [part.table for part in parsed.parts] == ["jan", "feb", "feb"]
    assert [part.table for part in read(tmp_path, TABLE, "Feb-2024.csv", policy).parts] == [""]


def test_members_may_be_chosen(tmp_path: Path) -> None:
    policy = DatasetPolicy(read=ReadOptions(members=("data/*.csv", "b.csv")))
    inner = zipped(**{"b.csv": TABLE, "x.csv": TABLE})
    members = {"data/a.csv": TABLE, "codes.csv": TABLE, "data/c.csv.gz": gzip.compress(TABLE), "in.zip": inner}
    parsed = read(tmp_path, zipped(**members), "all.zip", policy)
    assert list(rows(parsed)) == ["all.zip#data/a.csv", "all.zip#data/c.csv.gz", "all.zip#in.zip/b.csv"]
    assert parsed.notices == ("not read, not among the members: codes.csv, in.zip/x.csv",)
    with pytest.raises(FileRefused, match=r"not among the members: x.csv"):
        read(tmp_path, zipped(**{"x.csv": TABLE}), "all.zip", policy)


def test_a_bad_member_costs_itself(tmp_path: Path) -> None:
    members = {"a.csv": TABLE, "empty.csv": b"", "broken.zip": zipped(a=TABLE)[:-30], "z.csv": TABLE}
    parsed = read(tmp_path, zipped(**members), "all.zip")
    assert rows(parsed) == {"all.zip#a.csv": 2, "all.zip#z.csv": 2}
    assert [(refused.rule, refused.file) for refused in parsed.refused] == [
        ("empty", "all.zip#empty.csv"),
        ("archive", "all.zip#broken.zip"),
    ]


def test_a_member_that_breaks_in_its_midst_leaves_nothing(tmp_path: Path) -> None:
    """The first file of the inner archive is read before its second proves to be cut off."""
    inner = gzip.compress(tarred(**{"a.csv": TABLE, "b.csv": TABLE}))
    cut = gzip.compress(gzip.decompress(inner)[:2000])
    parsed = read(tmp_path, zipped(**{"in.tar.gz": cut, "b.csv": TABLE}), "all.zip")
    assert rows(parsed) == {"all.zip#b.csv": 2}
    assert [refused.file for refused in parsed.refused] == ["all.zip#in.tar.gz"]


def test_an_archive_of_nothing_but_bad_members_has_no_part(tmp_path: Path) -> None:
    parsed = read(tmp_path, zipped(**{"a.csv": b"", "b.csv": b""}), "all.zip")
    assert (parsed.parts, len(parsed.refused)) == ((), 2)


def test_what_is_no_table_is_kept_and_named(tmp_path: Path) -> None:
    parsed = read(tmp_path, PDF, "in/report.pdf")
    assert parsed == Parsed("raw", kept=("",), notices=("kept and not read, application/pdf",))
    parsed = read(tmp_path, zipped(**{"a.csv": TABLE, "doc/a.pdf": PDF, "README.txt": b"Hello,\n"}), "all.zip")
    assert rows(parsed) == {"all.zip#a.csv": 2}
    assert parsed.kept == ("doc/a.pdf", "README.txt")
    assert parsed.notices == (
        "kept and not read, application/pdf: doc/a.pdf",
        "kept and not read, text/plain: README.txt",
    )


def test_what_the_system_leaves_in_an_archive_is_passed_over(tmp_path: Path) -> None:
    names = ("__MACOSX/._a.csv", ".DS_Store", "in/Thumbs.db", "~$book.xlsx", "in/._b.csv")
    system = dict.fromkeys(names, b"x")
    parsed = read(tmp_path, zipped(**{"a.csv": TABLE, **system, "void/": b"", "in/": b""}), "all.zip")
    assert rows(parsed) == {"all.zip#a.csv": 2}
    assert parsed.kept == ()
    assert parsed.notices == (f"not read, the operating system's own: {', '.join(system)}", "empty folders: void/")


@pytest.mark.parametrize(
    ("data", "name"),
    [(zipped(), "all.zip"), (tarred(), "all.tar"), (zipped(**{"void/": b"", ".DS_Store": b"x"}), "all.zip")],
)
def test_an_archive_without_a_file_to_read_is_refused(tmp_path: Path, data: bytes, name: str) -> None:
    with pytest.raises(FileRefused, match="it holds no table") as raised:
        read(tmp_path, data, name)
    assert raised.value.rule == "empty"


def test_no_member_is_written_where_its_name_leads(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    parsed = read(inner, zipped(**{"../../out.csv": TABLE, str(tmp_path / "abs.csv"): TABLE}), "all.zip")
    assert len(parsed.parts) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    assert parsed.notices[0].startswith("read, though its path leads out of the archive: ../../out.csv")


def test_archives_are_opened_to_a_certain_depth(tmp_path: Path) -> None:
    data = TABLE
    for depth in range(allowance.DEPTH_MAX):
        data = zipped(**{f"{depth}": data, "z.csv": TABLE})
    assert len(read(tmp_path, data, "all.zip").parts) == allowance.DEPTH_MAX + 1
    deeper = read(tmp_path, zipped(**{"0": data}), "all.zip")
    assert len(deeper.parts) == allowance.DEPTH_MAX - 1
    assert [refused.rule for refused in deeper.refused] == ["too-deep"]


def test_a_bomb_among_the_members_costs_the_whole_archive(tmp_path: Path) -> None:
    bomb = zipped(**{f"{number}.csv": bytes(100 << 20) for number in range(3)})
    with pytest.raises(allowance.TooMuch):
        read(tmp_path, zipped(**{"a.csv": TABLE, "b.zip": bomb}), "all.zip")
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_sheets_of_a_member_keep_their_tables(tmp_path: Path) -> None:
    data = book(Prices=[["id", "name"], [1, "a"]], Notes=[["code", "text"], [1, "x"], [2, "y"]])
    alone = read(tmp_path, data, "book.xlsx")
    member = read(tmp_path, zipped(**{"in/book.xlsx": data}), "all.zip")
    assert [part.table for part in member.parts] == [part.table for part in alone.parts]
    for before, after in zip(alone.parts, member.parts, strict=True):
        assert after.file == before.file.replace("book.xlsx", "all.zip#in/book.xlsx").replace("xlsx#", "xlsx/")
    apart = read(tmp_path, zipped(**{"in/book.xlsx": data}), "all.zip", DatasetPolicy(read=ReadOptions(apart=True)))
    assert all(part.table.startswith("book") for part in apart.parts)
    assert len({part.table for part in apart.parts}) == 2


@pytest.mark.parametrize(
    ("policy", "is_refused"),
    [
        (DatasetPolicy(), True),
        (DatasetPolicy(bad_share_max=0.25), False),
        (DatasetPolicy(bad_share_max=0.24), True),
        (DatasetPolicy(bad_share_max=1, bad_rows_max=1), True),
        (DatasetPolicy(bad_share_max=1, bad_rows_max=2), False),
    ],
)
def test_a_file_with_more_bad_records_than_its_policy_allows_waits_whole(
    tmp_path: Path, policy: DatasetPolicy, *, is_refused: bool
) -> None:
    data = b"id;name\n1;a\n2;b\n3\n4;d\n5;e\n6;f;x\n7;g\n8;h\n"
    if not is_refused:
        [part] = read(tmp_path, data, "a.csv", policy).parts
        assert (part.records, part.rows, part.rejected) == (8, 6, 2)
        return
    with pytest.raises(FileRefused, match="2 of 8 records are bad") as raised:
        read(tmp_path, data, "a.csv", policy)
    assert (raised.value.rule, raised.value.line) == ("tolerance", 4)
    assert not list(tmp_path.rglob("*.parquet"))
    parsed = read(tmp_path, zipped(**{"a.csv": data, "b.csv": TABLE}), "all.zip", policy)
    assert rows(parsed) == {"all.zip#b.csv": 2}
    assert [(refused.rule, refused.file) for refused in parsed.refused] == [("tolerance", "all.zip#a.csv")]


@pytest.mark.parametrize(
    ("data", "rule"), [(b"id;a;b;c\n1;x;y;z\nSource: the office;;;\n", "footer"), (b"id;a\n1;x\nid;a\n", "header")]
)
def test_a_footer_is_no_bad_record(tmp_path: Path, data: bytes, rule: str) -> None:
    """It waits in quarantine, and its file does not."""
    [part] = read(tmp_path, data, "a.csv").parts
    assert (part.rows, part.rejected) == (1, 1)
    assert part.rejects is not None
    assert pl.read_parquet(part.rejects)["rule"].to_list() == [rule]


def test_a_correction_goes_to_the_member_that_it_names(tmp_path: Path) -> None:
    data = zipped(**{"a.csv": b"id;name\n1;a\n2\n", "b.csv": b"id;name\n1;a\n2\n"})
    policy = DatasetPolicy(bad_share_max=1)
    parsed = read(tmp_path, data, "all.zip", policy, patches={"all.zip#b.csv": {3: "2;mended"}})
    assert rows(parsed) == {"all.zip#a.csv": 1, "all.zip#b.csv": 2}
    assert pl.read_parquet(parsed.parts[1].path)["name"].to_list() == ["a", "mended"]


def test_a_correction_of_what_is_not_read_is_told(tmp_path: Path) -> None:
    parsed = read(tmp_path, TABLE, "a.csv", patches={"a.csv#x": {2: "9;z"}, "a.csv": {2: "8;y"}})
    assert parsed.notices == ("corrected, and not among what was read: a.csv#x",)
    assert pl.read_parquet(parsed.parts[0].path)["id"].to_list()[0] == "8"


def test_a_correction_goes_to_the_sheet_that_it_names(tmp_path: Path) -> None:
    data = book(One=[["id", "name"], [1, "a"], [2, "b"]], Two=[["id", "name"], [3, "c"], [4, "d"]])
    for name, packed in (("book.xlsx#Two", data), ("all.zip#book.xlsx/Two", zipped(**{"book.xlsx": data}))):
        parsed = read(tmp_path, packed, name.partition("#")[0], patches={name: {3: "4\tmended"}})
        values = {part.file: pl.read_parquet(part.path)["name"].to_list() for part in parsed.parts}
        assert values == {name.replace("Two", "One"): ["a", "b"], name: ["c", "mended"]}


def test_a_pinned_format_is_that_of_the_members(tmp_path: Path) -> None:
    policy = DatasetPolicy(read=ReadOptions(format="csv"))
    parsed = read(tmp_path, zipped(**{"a.log": TABLE, "b.json": TABLE, "c.pdf": PDF}), "all.zip", policy)
    assert rows(parsed) == {"all.zip#a.log": 2, "all.zip#b.json": 2}
    assert parsed.kept == ("c.pdf",)


def test_a_refused_member_is_named_as_its_rows_would_be(tmp_path: Path) -> None:
    parsed = read(tmp_path, zipped(**{"a.csv": b"", "b.csv": TABLE}), "in/all.zip")
    [refused] = parsed.refused
    assert isinstance(refused, Rejected)
    assert refused.file == "in/all.zip#a.csv"
    assert refused.reason


def test_a_document_of_many_arrays_does_not_become_many_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first few are tables, the others are set aside with what to do about it."""
    monkeypatch.setattr("ingestion.read.TABLES_MAX", 3)
    body = json.dumps({f"region {n}": [{"n": n}, {"n": 0}] for n in range(6)}).encode()
    made = read(tmp_path, body, "d/regions.json")
    assert len({part.table for part in made.parts}) == 3
    assert {refused.rule for refused in made.refused} == {"tables"}
    assert len(made.parts) + len(made.refused) == 6
