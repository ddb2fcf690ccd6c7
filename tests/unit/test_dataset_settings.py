"""What lake.toml says of one dataset: its policy, how its files are read, which they are, when they are due."""

from datetime import date
from pathlib import Path

import pytest

from catalog.errors import UsageError
from ingestion.formats.signatures import ARCHIVES, RAW, STREAMS
from ingestion.options import Column, DatasetPolicy, ReadOptions
from ingestion.readers import READERS
from ingestion.routing import Routes
from lake.datasets import FORMATS
from lake.project import init
from lake.schedule import Period, Schedule
from lake.settings import Settings
from lake.values import Value

WHOLE = """
[ingest]
on_duplicate = "skip"
encoding = "cp1252"
bad_rows_max = 5

[datasets.prices]
on_correction = "refuse"
drift = "freeze"
bad_share_max = 0
bad_rows_max = 100
format = "csv"
delimiter = "\\t"
quote = ""
escape = "backslash"
comment = "#"
skip_lines = 2
header_lines = 0
names = ["region", "Fläche"]
files = ["cpi_*.txt", "post/prices/*"]

[datasets.prices.deliveries]
supplier = "Land Tirol"
period = "month"
files = "cpi_{yyyy}-{mm}*"
due_days = 15
starts = "2026-01"
holidays = [2026-01-06, "2026-12-25"]
business_days = true

[datasets.census]
format = "fixed"
fixed = [{name = "n", start = 4, width = 2}, {name = "region", start = 1, width = 3}]

[datasets.books]
sheets = ["Tab*"]
members = ["*.xlsx"]
records = "row"
apart = true
"""


def load(folder: Path, toml: str) -> Settings:
    (folder / "lake.toml").write_text(toml, encoding="utf-8")
    return Settings.load(folder, {})


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    """Arrives in the policy; what a dataset does not say, [ingest] says, else the defaults."""
    settings = load(tmp_path, WHOLE)
    assert settings.policy("prices") == DatasetPolicy(
        on_correction="refuse",
        on_duplicate="skip",
        drift="freeze",
        bad_share_max=0,
        bad_rows_max=100,
        read=ReadOptions(
            format="csv",
            encoding="cp1252",
            delimiter="\t",
            quote="",
            escape="backslash",
            comment="#",
            skip_lines=2,
            header_lines=0,
            names=("region", "Fläche"),
        ),
    )
    assert settings.policy("census").read == ReadOptions(
        format="fixed", encoding="cp1252", fixed=(Column("region", 1, 3), Column("n", 4, 2))
    )
    books = ReadOptions(encoding="cp1252", sheets=("Tab*",), members=("*.xlsx",), records="row", apart=True)
    assert settings.policy("books").read == books
    assert settings.policy("others") == DatasetPolicy(
        on_duplicate="skip", bad_rows_max=5, read=ReadOptions(encoding="cp1252")
    )
    assert settings.datasets == ("prices", "census", "books")


def test_a_policy_survives_its_way_to_the_worker(tmp_path: Path) -> None:
    """Whatever is pinned is the same after it went there as JSON."""
    settings = load(tmp_path, WHOLE)
    for dataset in settings.datasets:
        policy = settings.policy(dataset)
        assert DatasetPolicy.from_dict(policy.as_dict()) == policy


def test_routes_and_schedules(tmp_path: Path) -> None:
    """Patterns are kept in the order of lake.toml; a schedule has its dates as dates."""
    settings = load(tmp_path, WHOLE)
    assert settings.routes() == Routes({"prices": ("cpi_*.txt", "post/prices/*")})
    assert settings.schedules() == {
        "prices": Schedule(
            period="month",
            files="cpi_{yyyy}-{mm}*",
            supplier="Land Tirol",
            due_days=15,
            starts=Period("month", date(2026, 1, 1)),
            business_days=True,
            holidays=frozenset({date(2026, 1, 6), date(2026, 12, 25)}),
        )
    }


def test_each_value_says_where_it_came_from(tmp_path: Path) -> None:
    """Those of a dataset, too; and lake status shows them."""
    settings = load(tmp_path, WHOLE)
    assert settings.get("datasets.prices.drift") == Value("freeze", "lake.toml [datasets.prices] drift")
    due = settings.get("datasets.prices.deliveries.due_days")
    assert due == Value(15, "lake.toml [datasets.prices.deliveries] due_days")
    shown = {name: text for name, text, _ in settings.rows()}
    assert shown["datasets.prices.files"] == "cpi_*.txt, post/prices/*"
    assert shown["datasets.books.apart"] == "true"
    assert shown["ingest.bad_rows_max"] == "5"
    assert shown["ingest.delimiter"] == "-"


def test_names_mean_that_there_is_no_header(tmp_path: Path) -> None:
    """Who names the columns need not say so twice; nor who gives a layout that it is of fixed width."""
    toml = (
        '[datasets.a]\nnames = ["x", "y"]\n[datasets.b]\nfixed = [{name = "x", start = 1, width = 1}]\n'
        "[datasets.c]\nheader_lines = 2\n"
    )
    settings = load(tmp_path, toml)
    assert settings.policy("a").read.header_lines == 0
    assert settings.policy("b").read.format == "fixed"
    assert settings.policy("c").read.header_lines == 2


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("on_correction = 'refuze'", ["on_correction", "'refuze'", "'append'", "'refuse'"]),
        ("on_duplicate = 'drop'", ["on_duplicate", "'take', 'skip', 'refuse'"]),
        ("drift = 'freze'", ["drift", "'evolve', 'rescue', 'freeze', 'quarantine'", "did you mean 'freeze'?"]),
        ("drfit = 'freeze'", ["no key 'drfit'", "'drift'"]),
        ("bad_share_max = 10", ["bad_share_max", "0 to 1"]),
        ("bad_rows_max = 1.5", ["bad_rows_max", "whole number"]),
        ("bad_rows_max = -1", ["bad_rows_max", "from 0 up"]),
        ("format = 'exel'", ["format", "'exel'", "'xlsx'"]),
        ("encoding = 'cp12522'", ["encoding", "'cp12522'", "'cp1252'"]),
        ("encoding = 'base64'", ["encoding", "'base64'"]),
        ('delimiter = "\\n"', ["delimiter", "cannot divide"]),
        ("quote = 'x'", ["quote", "'x'"]),
        ("escape = 'backlash'", ["escape", "'backslash'"]),
        ("comment = ''", ["comment", "pins nothing"]),
        ("skip_lines = '2'", ["skip_lines", "number"]),
        ("header_lines = -1", ["header_lines", "from 0 up"]),
        ("names = 'a, b'", ["names", "list of texts"]),
        ("names = ['a', 3]", ["names", "list of texts"]),
        ("names = ['a', 'a']", ["names", "'a' is there twice"]),
        ("names = ['a']\nheader_lines = 1", ["names", "header_lines is 1", "header_lines = 0"]),
        ("apart = 'yes'", ["apart", "true or false"]),
        ("format = 'fixed'", ["format", "where its columns are", "[datasets.d]"]),
        ("format = 'parquet'\ndelimiter = ';'", ["format", "delimiter", "both"]),
        ("fixed = [{name = 'a', start = 1, width = 1}]\ndelimiter = ';'", ["fixed", "delimiter", "both"]),
        ("fixed = [{name = 'a', start = 1, width = 1}]\nformat = 'csv'", ["format", "'csv'", "fixed"]),
        ("fixed = []", ["fixed", "list of columns"]),
        ("fixed = [{name = 'a', start = 0, width = 1}]", ["fixed", "start of column 'a'", "from 1"]),
        ("fixed = [{name = 'a', start = 1}]", ["fixed", "column 'a' lacks width"]),
        ("fixed = [{name = 'a', begin = 1, width = 2}]", ["fixed", "no key 'begin'"]),
        (
            "fixed = [{name = 'a', start = 1, width = 3}, {name = 'b', start = 3, width = 3}]",
            ["fixed", "'a' (characters 1 to 3)", "'b' (from 3)", "overlap"],
        ),
        ("deliveries = 'monthly'", ["[datasets.d.deliveries]"]),
        ("[datasets.d.deliveries]\nsuplier = 'x'", ["[datasets.d.deliveries]", "'suplier'", "'supplier'"]),
        ("[datasets.d.deliveries]\nsupplier = 'x'", ["[datasets.d.deliveries]", "period is missing"]),
        ("[datasets.d.deliveries]\nperiod = 'month'", ["files is missing"]),
        ("[datasets.d.deliveries]\nperiod = 'monthly'\nfiles = 'a'", ["'monthly'", "'month'"]),
        ("[datasets.d.deliveries]\nperiod = 'month'\nfiles = 'a_{yyyy}'", ["files", "{mm}", "month"]),
        ("[datasets.d.deliveries]\nperiod = 'year'\nfiles = 'a_*'", ["files", "{yyyy}", "year"]),
        ("[datasets.d.deliveries]\nperiod = 'year'\nfiles = 'a_{YYYY}'", ["{YYYY}", "{yyyy}"]),
        ("[datasets.d.deliveries]\nperiod = 'year'\nfiles = '{yyyy}'\nstarts = 'soon'", ["starts", "'soon'", '"2026"']),
        ("[datasets.d.deliveries]\nperiod = 'year'\nfiles = '{yyyy}'\nholidays = ['x']", ["holidays", "2026-01-01"]),
        ("files = ['x*']\n[datasets.e]\nfiles = ['x*']", ["[datasets.e] files", "'x*'", "pattern of d"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, toml: str, named: list[str]) -> None:
    """When lake.toml is read, not when a file comes: section, key, what is allowed, and what to write."""
    with pytest.raises(UsageError) as refused:
        load(tmp_path, f"[datasets.d]\n{toml}\n")
    for part in ("[datasets.", *named):
        assert part in str(refused.value)
    assert refused.value.next


def test_what_a_new_project_shows_can_be_taken_as_it_is(tmp_path: Path) -> None:
    """The comments in a new lake.toml, made into settings, are settings."""
    init(tmp_path / "new")
    shown = (tmp_path / "new" / "lake.toml").read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") for line in shown.splitlines()[1:]]
    settings = load(tmp_path, "\n".join(lines))
    assert settings.policy("prices").drift == "freeze"
    assert settings.policy("others").read == ReadOptions()


def test_every_format_that_is_read_can_be_pinned() -> None:
    """And no other."""
    assert set(FORMATS) == {*READERS, *STREAMS, *ARCHIVES, RAW}
