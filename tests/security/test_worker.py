"""Hostile input stays outside: the worker has no keys, has limits, and its end costs the file that caused it only."""

import errno
import gzip
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psutil
import pytest

from catalog.errors import DataRefused, ExitCode, MachineError
from ingestion import limits
from ingestion.columns import LAKE_COLUMNS
from ingestion.options import DatasetPolicy
from ingestion.parser import Parsed, Parser, ParseRequest, ParserLimits, Rejected
from ingestion.protocol import Part, reply_json
from tests.support import frozen
from tests.support.formats import SAMPLES

LIMITS = ParserLimits(memory_bytes=2 << 30, seconds_max=60)
ROWS = 3_200_000
AT = datetime(2026, 11, 23, tzinfo=UTC)


def request(folder: Path, data: bytes | Path = b"a,b\n1,2\n", name: str = "in/table.csv") -> ParseRequest:
    if isinstance(data, bytes):
        path = folder / "landed"
        path.write_bytes(data)
    else:
        path = data
    return ParseRequest(path, name, folder / "out", "b-1", AT)


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 150 MB that the gate lets pass."""
    path = tmp_path_factory.mktemp("big") / "big.csv"
    part = b"".join(b"%d,some text that takes room %d,%d.5\n" % (row, row * 7, row) for row in range(ROWS // 32))
    path.write_bytes(b"id,text,value\n" + 32 * part)
    return path


@pytest.fixture
def parser(tmp_path: Path) -> Iterator[Parser]:
    with Parser(tmp_path, LIMITS) as started:
        yield started


def started_worker(parser: Parser, folder: Path) -> int:
    """The pid of a worker that has answered once."""
    assert isinstance(parser.parse(request(folder)), Parsed)
    assert parser.worker_pid is not None
    return parser.worker_pid


def assert_next_file_is_read_by_another_worker(parser: Parser, folder: Path, before: int) -> None:
    assert not psutil.pid_exists(before)
    assert started_worker(parser, folder) != before


def test_what_was_begun_is_the_answer_to_the_same_request_alone(parser: Parser, tmp_path: Path) -> None:
    """To another one it is not, and nothing is left of it; one that ended its worker is refused."""
    pid = started_worker(parser, tmp_path)
    begun = replace(request(tmp_path), out=tmp_path / "begun")
    parser.begin(begun)
    assert isinstance(parser.parse(begun), Parsed)
    parser.begin(begun)
    other = replace(begun, out=tmp_path / "other", tables={"": pl.Schema({"b": pl.String, "a": pl.String})})
    made = parser.parse(other)
    assert isinstance(made, Parsed)
    assert list(made.parts[0].schema) == ["b", "a"]
    assert not begun.out.exists()
    parser.begin(replace(begun, path=tmp_path / "nowhere"))
    assert isinstance(parser.parse(begun), Parsed)
    os.kill(pid, signal.SIGSTOP)
    parser.begin(begun)
    os.kill(pid, signal.SIGKILL)
    assert parser.parse(begun) == Rejected("worker", "the parser was stopped: it ended with SIGKILL", None)
    parser.begin(begun)
    assert isinstance(parser.parse(begun), Parsed)
    assert parser.worker_pid != pid


def test_the_worker_knows_no_key_of_its_parent(parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-0f-the-parent"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "LAKE_STORE_SECRET_KEY", "WEED_JWT_SIGNING_KEY", "HOME"):
        monkeypatch.setenv(name, secret)
    pid = started_worker(parser, tmp_path)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    names = {entry.split(b"=")[0].decode() for entry in environment.split(b"\0") if entry}
    assert secret.encode() not in environment
    assert names <= {"PATH", "LANG", "LC_ALL", "POLARS_MAX_THREADS", "PYTHONPATH", "TMPDIR"}
    assert secret not in " ".join(psutil.Process(pid).cmdline())


def test_the_worker_holds_no_open_file_of_its_parent(parser: Parser, tmp_path: Path) -> None:
    kept = tmp_path / "keys"
    kept.write_text("secret")
    with kept.open() as file:
        os.set_inheritable(file.fileno(), True)
        pid = started_worker(parser, tmp_path)
        assert str(kept) not in {opened.path for opened in psutil.Process(pid).open_files()}


def test_the_worker_has_given_up_privileges_core_dumps_and_the_terminal(parser: Parser, tmp_path: Path) -> None:
    pid = started_worker(parser, tmp_path)
    process = psutil.Process(pid)
    assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_NOFILE)[1] <= 4096
    assert process.rlimit(psutil.RLIMIT_AS)[1] <= 2 * LIMITS.memory_bytes + (8 << 30)
    assert process.rlimit(psutil.RLIMIT_FSIZE)[0] < 2 << 30
    assert Path(process.cwd()) == tmp_path
    assert os.getsid(pid) == pid


def test_a_module_planted_in_the_scratch_folder_is_not_imported(parser: Parser, tmp_path: Path) -> None:
    (tmp_path / "polars.py").write_text("raise SystemExit(9)")
    (tmp_path / "ingestion").mkdir()
    assert isinstance(parser.parse(request(tmp_path)), Parsed)


def test_one_worker_serves_many_files(parser: Parser, tmp_path: Path) -> None:
    first = started_worker(parser, tmp_path)
    assert isinstance(parser.parse(request(tmp_path, b"")), Rejected)
    assert started_worker(parser, tmp_path) == first


def test_a_file_that_takes_too_much_memory_is_stopped(tmp_path: Path, big_file: Path) -> None:
    with Parser(tmp_path, ParserLimits(memory_bytes=200_000_000, seconds_max=60)) as parser:
        before = started_worker(parser, tmp_path)
        outcome = parser.parse(request(tmp_path, big_file))
        assert outcome == Rejected("worker", "the parser was stopped: it needed more than 200 MB of memory", None)
        assert not (tmp_path / "out").exists()
        assert_next_file_is_read_by_another_worker(parser, tmp_path, before)


def test_a_file_that_takes_too_long_is_stopped(tmp_path: Path, big_file: Path) -> None:
    with Parser(tmp_path, ParserLimits(memory_bytes=2 << 30, seconds_max=0.05)) as parser:
        outcome = parser.parse(request(tmp_path, big_file))
        assert outcome == Rejected("worker", "the parser was stopped: it needed more than 0.05 s", None)
        assert not (tmp_path / "out").exists()
        assert parser.worker_pid is None


def test_a_worker_that_hangs_is_stopped(tmp_path: Path) -> None:
    with Parser(tmp_path, ParserLimits(memory_bytes=2 << 30, seconds_max=3)) as parser:
        before = started_worker(parser, tmp_path)
        frozen.freeze(before)
        outcome = parser.parse(request(tmp_path))
        assert outcome == Rejected("worker", "the parser was stopped: it needed more than 3 s", None)
        assert_next_file_is_read_by_another_worker(parser, tmp_path, before)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGABRT])
def test_a_worker_that_dies_costs_its_file_only(parser: Parser, tmp_path: Path, end: signal.Signals) -> None:
    before = started_worker(parser, tmp_path)
    with frozen.while_it_works(before, lambda: frozen.end(before, end)):
        outcome = parser.parse(request(tmp_path))
    assert outcome == Rejected("worker", f"the parser was stopped: it ended with {end.name}", None)
    assert not (tmp_path / "out").exists()
    assert_next_file_is_read_by_another_worker(parser, tmp_path, before)


@pytest.mark.parametrize("rubbish", [b"rubbish\n", b"[1]\n", b'{"kind": "parsed"}\n', b'{"rows": 1}\n', b"\xff\n"])
def test_a_worker_that_answers_rubbish_costs_its_file_only(parser: Parser, tmp_path: Path, rubbish: bytes) -> None:
    before = started_worker(parser, tmp_path)
    with frozen.while_it_works(before, lambda: reply_pipe(before).write_bytes(rubbish)):
        outcome = parser.parse(request(tmp_path))
    reason = "the parser was stopped: it gave an answer that makes no sense"
    assert outcome == Rejected("worker", reason, None)
    assert_next_file_is_read_by_another_worker(parser, tmp_path, before)


def test_a_worker_that_died_between_two_files_costs_neither(parser: Parser, tmp_path: Path) -> None:
    before = started_worker(parser, tmp_path)
    os.kill(before, signal.SIGKILL)
    while psutil.Process(before).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert started_worker(parser, tmp_path) != before


def test_what_the_parser_raises_is_a_reason_without_a_traceback(parser: Parser, tmp_path: Path) -> None:
    outcome = parser.parse(request(tmp_path, b"Obj\x01 and no more", "in/table.avro"))
    assert isinstance(outcome, Rejected)
    assert "Traceback" not in outcome.reason


@pytest.mark.parametrize("python", ["/bin/false", "/nonexistent/python"])
def test_a_worker_that_cannot_start_costs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    with Parser(tmp_path, LIMITS) as parser:
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", python)
            with pytest.raises(MachineError, match="the parser has no worker") as raised:
                parser.parse(request(tmp_path))
        assert f"see that {python} runs" in raised.value.next
        assert raised.value.exit_code == ExitCode.STORE
        assert sorted(path.name for path in tmp_path.iterdir()) == ["landed", "worker.log"]
        assert isinstance(parser.parse(request(tmp_path)), Parsed)


def test_a_worker_that_dies_as_it_starts_leaves_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named polars >&2\nexit 7\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    with Parser(tmp_path, LIMITS) as parser, pytest.raises(MachineError) as raised:
        parser.parse(request(tmp_path))
    assert raised.value.what == "the parser has no worker: it ended with exit code 7 (no module named polars)"


def test_limits_that_no_worker_can_start_within_cost_no_file(tmp_path: Path) -> None:
    tiny = ParserLimits(memory_bytes=1 << 20, seconds_max=60)
    with Parser(tmp_path, tiny) as parser, pytest.raises(MachineError, match="it needed more than 1 MB of memory"):
        parser.parse(request(tmp_path))


@pytest.mark.parametrize(
    ("kind", "words"), [(psutil.RLIMIT_FSIZE, "File too large"), (psutil.RLIMIT_NOFILE, "Too many open files")]
)
def test_a_machine_that_refuses_the_worker_its_files_costs_no_file(
    parser: Parser, tmp_path: Path, kind: int, words: str
) -> None:
    pid = started_worker(parser, tmp_path)
    psutil.Process(pid).rlimit(kind, (3, 3))
    with pytest.raises(MachineError, match=words) as raised:
        parser.parse(request(tmp_path))
    assert "make room" in raised.value.next
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format_", [*SAMPLES, "gz", "zip"])
def test_a_machine_without_room_costs_no_file_of_any_format(parser: Parser, tmp_path: Path, format_: str) -> None:
    """Whatever a reader writes on its way, and whichever library writes it."""
    pid = started_worker(parser, tmp_path)
    psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (3, 3))
    with pytest.raises(MachineError, match="File too large"):
        parser.parse(request(tmp_path, packed(format_), f"in/table.{format_}"))
    assert not (tmp_path / "out").exists()


def packed(format_: str) -> bytes:
    if format_ == "gz":
        return gzip.compress(SAMPLES["csv"])
    if format_ == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.csv", SAMPLES["csv"])
        return buffer.getvalue()
    return SAMPLES[format_]


def test_a_full_disk_costs_no_file_and_leaves_nothing(parser: Parser, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1.parquet").symlink_to("/dev/full")
    with pytest.raises(MachineError, match="No space left on device"):
        parser.parse(request(tmp_path))
    assert not (tmp_path / "out").exists()
    assert isinstance(parser.parse(request(tmp_path)), Parsed)


def test_a_file_that_is_gone_before_it_is_read_is_not_refused(parser: Parser, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="No such file"):
        parser.parse(request(tmp_path, tmp_path / "absent"))


def test_output_beyond_the_limit_that_the_worker_sets_itself_is_the_fault_of_the_file() -> None:
    """A file that grows without bounds as it is read would otherwise keep its dataset waiting for ever."""
    too_large, before = OSError(errno.EFBIG, "File too large"), resource.getrlimit(resource.RLIMIT_FSIZE)
    assert limits.is_of_the_machine(too_large)
    limits.limit_output([])
    try:
        assert not limits.is_of_the_machine(too_large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_refused_file_leaves_no_output_of_an_earlier_attempt(parser: Parser, tmp_path: Path) -> None:
    started_worker(parser, tmp_path)
    assert (tmp_path / "out").exists()
    assert isinstance(parser.parse(request(tmp_path, b"")), Rejected)
    assert not (tmp_path / "out").exists()


def test_the_worker_ends_with_its_parser(tmp_path: Path) -> None:
    with Parser(tmp_path, LIMITS) as parser:
        pid = started_worker(parser, tmp_path)
    assert not psutil.pid_exists(pid)


def test_the_worker_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from ingestion.parser import Parser, ParserLimits, ParseRequest
folder = Path({str(tmp_path)!r})
(folder / "landed").write_text("a,b\\n1,2\\n")
parser = Parser(folder, ParserLimits(1 << 30, 60))
parser.parse(ParseRequest(folder / "landed", "t.csv", folder / "o", "b", datetime.now(UTC)))
print(parser.worker_pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        assert psutil.wait_procs([worker], timeout=30)[1] == []


def test_memory_does_not_grow_with_the_file(tmp_path: Path, big_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file much larger than the limit is read within it: what is held, 500 to 600 MB by chance, is as for 10 GB."""
    monkeypatch.setenv("POLARS_MAX_THREADS", "2")
    larger = tmp_path / "larger.csv"
    with larger.open("wb") as file:
        for _ in range(8):
            file.write(big_file.read_bytes())
    with Parser(tmp_path, ParserLimits(memory_bytes=larger.stat().st_size * 3 // 5, seconds_max=250)) as parser:
        outcome = parser.parse(request(tmp_path, larger))
    assert isinstance(outcome, Parsed), outcome
    [part] = outcome.parts
    assert part.rows + part.rejected == part.records == 8 * ROWS + 7
    assert part.rejected in {0, 7}  # the header again


def parsed(parser: Parser, folder: Path, data: bytes, name: str) -> Path:
    """The rows of a file of one table."""
    asked = replace(request(folder, data, name), out=folder / name.replace("/", "-"))
    outcome = parser.parse(asked)
    assert isinstance(outcome, Parsed), outcome
    [part] = outcome.parts
    return part.path


SCHEMA = pl.Schema({"a": pl.String(), "b": pl.String()} | LAKE_COLUMNS)


def test_parsed_files_are_combined_in_their_order(parser: Parser, tmp_path: Path) -> None:
    paths = [
        parsed(parser, tmp_path, f"a,b\n{number},x\n{number},y\n".encode(), f"in/{number}.csv") for number in range(3)
    ]
    assert parser.combine(paths, tmp_path / "all.parquet", SCHEMA) == 6
    frame = pl.read_parquet(tmp_path / "all.parquet")
    assert frame["a"].to_list() == ["0", "0", "1", "1", "2", "2"]
    assert frame.schema == SCHEMA == pl.read_parquet_schema(paths[0])


def test_a_column_that_an_earlier_file_lacks_is_missing_in_its_rows(parser: Parser, tmp_path: Path) -> None:
    """The columns lie as the schema has them, whatever order they have in the files."""
    paths = [parsed(parser, tmp_path, b"a,b\n1,2\n", "0.csv"), parsed(parser, tmp_path, b"c,b,a\n5,4,3\n", "1.csv")]
    wider = pl.Schema({"a": pl.String(), "b": pl.String(), "c": pl.String()} | LAKE_COLUMNS)
    assert parser.combine(paths, tmp_path / "all.parquet", wider) == 2
    frame = pl.read_parquet(tmp_path / "all.parquet")
    assert frame.schema == wider
    assert frame.select("a", "b", "c").rows() == [("1", "2", None), ("3", "4", "5")]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (pl.Schema({"a": pl.String()} | LAKE_COLUMNS), "extra column"),
        (pl.Schema(SCHEMA | {"a": pl.Int64()}), "data type mismatch for column a"),
    ],
)
def test_files_are_combined_under_a_schema_that_loses_nothing(
    parser: Parser, tmp_path: Path, schema: pl.Schema, words: str
) -> None:
    paths = [parsed(parser, tmp_path, b"a,b\n1,2\n", f"{number}.csv") for number in range(2)]
    with pytest.raises(DataRefused, match=words):
        parser.combine(paths, tmp_path / "all.parquet", schema)
    assert not (tmp_path / "all.parquet").exists()


def test_files_that_cannot_be_combined_are_refused_and_leave_nothing(parser: Parser, tmp_path: Path) -> None:
    whole, broken = parsed(parser, tmp_path, b"a,b\n1,2\n", "0.csv"), tmp_path / "broken.parquet"
    broken.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(DataRefused, match="2 parsed files could not be made one"):
        parser.combine([whole, broken], tmp_path / "all.parquet", SCHEMA)
    assert not (tmp_path / "all.parquet").exists()


def test_a_worker_that_dies_as_it_combines_is_told_from_a_full_disk(parser: Parser, tmp_path: Path) -> None:
    path, out = parsed(parser, tmp_path, b"a,b\n1,2\n", "0.csv"), tmp_path / "all.parquet"
    assert parser.worker_pid is not None
    pid = parser.worker_pid
    with frozen.while_it_works(pid, lambda: frozen.end(pid)), pytest.raises(DataRefused, match="SIGKILL"):
        parser.combine([path, path], out, SCHEMA)
    out.symlink_to("/dev/full")
    with pytest.raises(MachineError, match="No space left on device"):
        parser.combine([path, path], out, SCHEMA)
    assert not out.is_symlink()


def forged(folder: Path, **said: object) -> bytes:
    """What a worker that hostile input has taken over might answer: one part, of which something is made up."""
    inside = folder / "out" / "1.parquet"
    inside.parent.mkdir(exist_ok=True)
    inside.write_bytes(b"rows")
    part = Part("", "in/table.csv", inside, pl.Schema({"a": pl.String()}), records=1, rows=1)
    values = reply_json(Parsed("csv", (part,)))
    values["parts"][0] |= said
    return json.dumps(values).encode() + b"\n"


def test_a_reply_that_names_its_own_files_is_believed(parser: Parser, tmp_path: Path) -> None:
    """What the next test changes is what makes it fail."""
    pid = started_worker(parser, tmp_path)
    reply = forged(tmp_path)
    with frozen.while_it_works(pid, lambda: reply_pipe(pid).write_bytes(reply)):
        assert isinstance(parser.parse(request(tmp_path)), Parsed)


@pytest.mark.parametrize(
    "said",
    [
        {"path": "/etc/passwd"},
        {"path": "{folder}/out/../secret"},
        {"path": "{folder}/out/link"},
        {"path": "{folder}/out"},
        {"path": "{folder}/out/absent"},
        {"rejects": "/etc/passwd"},
        {"table": "../../other"},
        {"table": "A"},
        {"file": "in/another.csv"},
        {"schema": "rubbish"},
        {"rows": "many"},
    ],
)
def test_a_reply_that_leads_elsewhere_is_not_followed(parser: Parser, tmp_path: Path, said: dict[str, str]) -> None:
    (tmp_path / "secret").write_text("of this machine")
    pid = started_worker(parser, tmp_path)
    reply = forged(tmp_path, **{name: value.format(folder=tmp_path) for name, value in said.items()})
    (tmp_path / "out" / "link").symlink_to(tmp_path / "secret")
    with frozen.while_it_works(pid, lambda: reply_pipe(pid).write_bytes(reply)):
        outcome = parser.parse(request(tmp_path))
    assert outcome == Rejected("worker", "the parser was stopped: it gave an answer that makes no sense", None)
    assert (tmp_path / "secret").read_text() == "of this machine"
    assert_next_file_is_read_by_another_worker(parser, tmp_path, pid)


def test_a_file_is_inspected_as_the_first_of_its_dataset(parser: Parser, tmp_path: Path) -> None:
    """Its rows lie in the scratch folder of the parser, for whoever looks at them."""
    (tmp_path / "landed").write_bytes(b"a,b\n1,2\n")
    policy = DatasetPolicy(drift="freeze")
    for _ in range(2):
        seen = parser.inspect(tmp_path / "landed", "new.csv", policy)
        assert isinstance(seen, Parsed), seen
        [part] = seen.parts
        assert part.path.is_relative_to(tmp_path)
        assert pl.read_parquet(part.path).select("a", "b").rows() == [("1", "2")]


def reply_pipe(pid: int) -> Path:
    """The worker's end of the pipe on which it answers."""
    folder = Path(f"/proc/{pid}/fd")
    pipes = [entry for entry in folder.iterdir() if os.readlink(entry).startswith("pipe:") and entry.name != "0"]
    assert len(pipes) == 1
    return pipes[0]
