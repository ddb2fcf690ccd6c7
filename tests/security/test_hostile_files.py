"""Files made to do harm: each costs itself, in little time and room, and the next file is read as if nothing were."""

import bz2
import gzip
import io
import lzma
import random
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from ingestion.formats import allowance
from ingestion.parser import Parsed, Parser, ParseRequest, ParserLimits, Rejected
from tests.support import frozen
from tests.support.formats import SAMPLES

LIMITS = ParserLimits(memory_bytes=600_000_000, seconds_max=60)
AT = datetime(2026, 11, 23, tzinfo=UTC)
TABLE = b"id;name\n1;a\n2;b\n"
NDJSON = b'{"a": 1}\n{"a": 2}\n'
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parser]:
    with Parser(tmp_path_factory.mktemp("scratch"), LIMITS) as started:
        yield started


def parse(parser: Parser, folder: Path, data: bytes, name: str) -> Parsed | Rejected:
    path = folder / "landed"
    path.write_bytes(data)
    return parser.parse(ParseRequest(path, name, folder / "out", "b-1", AT))


def assert_nothing_else_is_lost(parser: Parser, folder: Path) -> None:
    """The refused file left nothing, and the next one is read."""
    assert [path.name for path in folder.iterdir()] == ["landed"]
    assert isinstance(parse(parser, folder, TABLE, "next.csv"), Parsed)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("format_", PACKERS)
def test_ten_gigabytes_of_zeros_are_refused_soon(parser: Parser, tmp_path: Path, format_: str) -> None:
    bomb = PACKERS[format_](bytes(64 << 20)) * 160
    begun = time.monotonic()
    outcome = parse(parser, tmp_path, bomb, f"zeros.csv.{format_}")
    assert isinstance(outcome, Rejected)
    assert outcome.rule == "too-large"
    assert time.monotonic() - begun < 20
    assert_nothing_else_is_lost(parser, tmp_path)


def overlapping(members: int, size: int) -> bytes:
    """A zip archive of which all members are the same bytes: small, and large once unpacked."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(size)
    packed = deflate.compress(zeros) + deflate.flush()
    name, crc = b"a.csv", zlib.crc32(zeros)
    common = struct.pack("<HHHHHLLLHH", 20, 0, 8, 0, 33, crc, len(packed), size, len(name), 0)
    local = b"PK\x03\x04" + common + name + packed
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHLL", 0, 0, 0, 0, 0) + name
    end = struct.pack("<HHHHLLH", 0, 0, members, members, len(entry) * members, len(local), 0)
    return local + entry * members + b"PK\x05\x06" + end


def test_a_bomb_of_overlapping_members_is_refused(parser: Parser, tmp_path: Path) -> None:
    data = overlapping(1000, 10 << 20)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.infolist()) == 1000
    outcome = parse(parser, tmp_path, data, "bomb.zip")
    assert isinstance(outcome, Rejected)
    assert "10,485,760,000" in outcome.reason
    assert_nothing_else_is_lost(parser, tmp_path)


def test_a_bomb_of_archives_in_archives_is_refused(parser: Parser, tmp_path: Path) -> None:
    """Sixteen at each of four depths: 65,536 files of 1 MB, in 30 kB."""
    data = bytes(1 << 20)
    for _ in range(4):
        data = zipped({f"{number}": data for number in range(16)})
    begun = time.monotonic()
    outcome = parse(parser, tmp_path, data, "bomb.zip")
    assert isinstance(outcome, Rejected)
    assert outcome.rule == "too-large"
    assert time.monotonic() - begun < 20
    assert_nothing_else_is_lost(parser, tmp_path)


def test_an_archive_that_goes_deeper_and_deeper_ends(parser: Parser, tmp_path: Path) -> None:
    """As one that holds itself would."""
    data = TABLE
    for depth in range(200):
        data = zipped({f"{depth}.zip": data}) if depth % 2 else gzip.compress(data)
    outcome = parse(parser, tmp_path, data, "deep.zip")
    assert isinstance(outcome, Parsed)
    assert (outcome.parts, [refused.rule for refused in outcome.refused]) == ((), ["too-deep"])


def test_an_archive_of_countless_members_is_refused(parser: Parser, tmp_path: Path) -> None:
    data = zipped({f"{number}.csv": b"" for number in range(allowance.MEMBERS_MAX + 1)})
    outcome = parse(parser, tmp_path, data, "many.zip")
    assert isinstance(outcome, Rejected)
    assert outcome.rule == "too-large"
    assert_nothing_else_is_lost(parser, tmp_path)


def test_a_workbook_that_is_a_bomb_is_refused_before_it_is_opened(parser: Parser, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(SAMPLES["xlsx"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["xl/worksheets/sheet1.xml"] = members["xl/worksheets/sheet1.xml"] + b" " * (600 << 20)
    outcome = parse(parser, tmp_path, zipped(members), "bomb.xlsx")
    assert isinstance(outcome, Rejected)
    assert outcome.rule == "too-large"
    assert_nothing_else_is_lost(parser, tmp_path)


def test_a_document_that_says_laughs_a_billion_times_is_refused(parser: Parser, tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><rows><row>&l9;</row><row>1</row></rows>'
    assert isinstance(parse(parser, tmp_path, text.encode(), "laughs.xml"), Rejected)
    assert_nothing_else_is_lost(parser, tmp_path)


def test_a_document_that_names_a_file_of_this_machine_does_not_get_it(parser: Parser, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cr3t")
    doctype = f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{tmp_path}/secret">]>'
    text = f'<?xml version="1.0"?>{doctype}<rows><row><a>&f;</a></row><row><a>1</a></row></rows>'
    outcome = parse(parser, tmp_path, text.encode(), "entity.xml")
    assert isinstance(outcome, Rejected)
    assert "s3cr3t" not in outcome.reason


@pytest.mark.parametrize(
    "text", ["[" * 5_000_000, '{"a":' * 1_000_000, '[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]"]
)
def test_brackets_without_end_cost_their_file_only(parser: Parser, tmp_path: Path, text: str) -> None:
    parse(parser, tmp_path, text.encode(), "deep.json")
    assert isinstance(parse(parser, tmp_path, TABLE, "next.csv"), Parsed)


def test_markup_without_end_costs_its_file_only(parser: Parser, tmp_path: Path) -> None:
    outcome = parse(parser, tmp_path, b"<rows>" + b"<a>" * 2_000_000, "deep.xml")
    assert isinstance(outcome, Rejected)
    assert_nothing_else_is_lost(parser, tmp_path)


@pytest.mark.parametrize("format_", [format_ for format_ in SAMPLES if format_ not in {"csv", "json", "ndjson"}])
def test_damage_anywhere_in_a_file_costs_that_file_only(parser: Parser, tmp_path: Path, format_: str) -> None:
    """It is read, refused or takes its worker with it; the next file is read in any case."""
    chance = random.Random(format_)
    for attempt in range(25):
        data = bytearray(SAMPLES[format_])
        for _ in range(1 + attempt % 4):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if attempt % 5 == 0:
            del data[chance.randrange(len(data)) :]
        outcome = parse(parser, tmp_path, bytes(data), f"damaged.{format_}")
        for part in outcome.parts if isinstance(outcome, Parsed) else ():
            assert part.records == part.rows + part.rejected
    assert isinstance(parse(parser, tmp_path, TABLE, "next.csv"), Parsed)


def test_a_worker_that_dies_in_the_midst_of_an_archive_leaves_nothing(parser: Parser, tmp_path: Path) -> None:
    assert isinstance(parse(parser, tmp_path, TABLE, "first.csv"), Parsed)
    assert parser.worker_pid is not None
    pid = parser.worker_pid
    with frozen.while_it_works(pid, lambda: frozen.end(pid)):
        outcome = parse(parser, tmp_path, zipped({"a.csv": TABLE, "b.csv": TABLE}), "all.zip")
    assert outcome == Rejected("worker", "the parser was stopped: it ended with SIGKILL", None)
    assert_nothing_else_is_lost(parser, tmp_path)


def test_an_archive_that_takes_too_long_leaves_nothing(tmp_path: Path) -> None:
    members = {f"{number}.csv": TABLE for number in range(2000)}
    with Parser(tmp_path, ParserLimits(memory_bytes=2 << 30, seconds_max=0.5)) as hurried:
        outcome = parse(hurried, tmp_path, zipped(members), "all.zip")
    assert outcome == Rejected("worker", "the parser was stopped: it needed more than 0.5 s", None)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def swollen() -> bytes:
    """A small Parquet file with one value of 600 MB."""
    buffer = io.BytesIO()
    table = pa.table({"a": pa.array([b" " * 600_000_000], pa.large_binary())})
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_statistics=False)
    return buffer.getvalue()


def test_a_member_that_takes_too_much_memory_costs_itself(parser: Parser, tmp_path: Path, swollen: bytes) -> None:
    """The others are read by another worker."""
    members = {"a.json": NDJSON, "swollen.parquet": swollen, "z.json": NDJSON}
    outcome = parse(parser, tmp_path, zipped(members), "all.zip")
    assert isinstance(outcome, Parsed), outcome
    assert [part.file for part in outcome.parts] == ["all.zip#a.json", "all.zip#z.json"]
    reason = "the parser was stopped: it needed more than 600 MB of memory"
    assert outcome.refused == (Rejected("worker", reason, None, "all.zip#swollen.parquet"),)


def test_an_archive_that_ends_one_worker_after_another_is_refused(
    parser: Parser, tmp_path: Path, swollen: bytes
) -> None:
    outcome = parse(parser, tmp_path, zipped({f"{number}.parquet": swollen for number in range(5)}), "all.zip")
    assert outcome == Rejected("worker", "the parser was stopped: it needed more than 600 MB of memory", None)
    assert_nothing_else_is_lost(parser, tmp_path)
