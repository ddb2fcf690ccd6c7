"""What ``lake.toml`` may say of one dataset: its policy, how its files are read, which they are, when they are due."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from catalog.errors import UsageError
from ingestion.options import DatasetPolicy, ReadOptions
from ingestion.routing import Routes
from lake.checks import dates, delimiter, encoding, fixed, not_empty, unique
from lake.schedule import PERIODS, Period, Schedule, require_period
from lake.values import Key, Unfit, Value

ON_CORRECTION = ("replace", "append", "refuse")
ON_DUPLICATE = ("take", "skip", "refuse")
DRIFT = ("evolve", "rescue", "freeze", "quarantine")
FORMATS = (
    *("csv", "fixed", "json", "ndjson", "geojson", "xml", "parquet", "avro", "orc", "arrow", "xlsx", "xls", "xlsb"),
    *("ods", "sav", "dta", "sas7bdat", "xpt", "gz", "bz2", "xz", "zst", "zip", "tar", "raw"),
)
QUOTES = ('"', "'")
ESCAPES = ("double", "backslash", "none")


POLICY_KEYS: Mapping[str, Key] = {
    "on_correction": Key(str, "replace", "a changed file under an old name", choices=ON_CORRECTION),
    "on_duplicate": Key(str, "take", "the same bytes under another name", choices=ON_DUPLICATE),
    "drift": Key(str, "evolve", "other columns than the table's", choices=DRIFT),
    "bad_share_max": Key(float, 0.1, "the share of bad records beyond which a file waits whole", maximum=1),
    "bad_rows_max": Key(
        int, "", "the number of bad records beyond which a file waits whole; default: no limit", shown="100"
    ),
    "encoding": Key(str, "", "the encoding of text files; empty: found out", check=encoding),
    "delimiter": Key(str, "", "the delimiter of text tables; empty: found out", check=delimiter),
}
"""What holds for all datasets in [ingest], and for one in [datasets.NAME]."""

DATASET_KEYS: Mapping[str, Key] = {
    **POLICY_KEYS,
    "format": Key(str, "", "the format of its files", choices=FORMATS),
    "quote": Key(str, "", "what quotes a cell; empty: nothing does", choices=QUOTES),
    "escape": Key(str, "double", "how a quote inside of quotes is written", choices=ESCAPES),
    "comment": Key(str, "", "what begins a line that is none of the data", check=not_empty),
    "skip_lines": Key(int, "", "lines above the header"),
    "header_lines": Key(int, "", "lines of the header; 0: there is none"),
    "names": Key(tuple, "", "the columns of a file without a header", check=unique),
    "fixed": Key(None, "", "the columns of fixed-width text", check=fixed),
    "sheets": Key(tuple, "", "which sheets of a workbook, as patterns"),
    "members": Key(tuple, "", "which members of an archive, as patterns"),
    "records": Key(str, "", "the element of XML, or the key of JSON, that repeats", check=not_empty),
    "apart": Key(bool, "", "each member of an archive in a table of its own"),
    "files": Key(tuple, "", "which landed files are its, as patterns of their names"),
    "deliveries": Key(None, "", "what is expected, and when"),
}
DELIVERIES_KEYS: Mapping[str, Key] = {
    "supplier": Key(str, "", "who sends it"),
    "period": Key(str, "", "how often", choices=PERIODS),
    "files": Key(str, "", "names with {yyyy} {yy} {mm} {dd} {q} {ww}", check=not_empty),
    "due_days": Key(int, 0, "days after the period's end", maximum=3650),
    "starts": Key(None, "", "the first period that is expected"),
    "holidays": Key(None, "", "days that are no business days", check=dates),
    "business_days": Key(bool, "", "count business days alone"),
}

_READ = tuple(each.name for each in fields(ReadOptions))
_POLICY = tuple(each.name for each in fields(DatasetPolicy) if each.name != "read")
_HOLDS_TEXT = ("csv", "gz", "bz2", "xz", "zst", "zip", "tar")
_TEXT_ONLY = ("delimiter", "quote", "escape", "comment", "skip_lines", "header_lines", "names")


def policy(values: Mapping[str, Value], dataset: str) -> DatasetPolicy:
    """What becomes of a dataset's files: by its own section, else by [ingest], else by the defaults."""

    def said(name: str) -> Any:
        own = values.get(f"datasets.{dataset}.{name}", values.get(f"ingest.{name}"))
        # In [ingest] an empty text says nothing; in a dataset's own section it does: no quotes.
        return None if own is None or (own.value == "" and name != "quote") else own.value

    read = {name: value for name in _READ if (value := said(name)) is not None}
    if "names" in read:
        read.setdefault("header_lines", 0)
    if "fixed" in read:
        read.setdefault("format", "fixed")
    chosen = {name: value for name in _POLICY if (value := said(name)) is not None}
    return DatasetPolicy(**chosen, read=ReadOptions(**read))


def names_of(values: Mapping[str, Value]) -> tuple[str, ...]:
    """The datasets that have a section, in the order of ``lake.toml``."""
    return tuple(dict.fromkeys(name.split(".")[1] for name in values if name.startswith("datasets.")))


def routes(values: Mapping[str, Value]) -> Routes:
    """Which files are whose, in the order of ``lake.toml``."""
    found = {dataset: values.get(f"datasets.{dataset}.files") for dataset in names_of(values)}
    return Routes({dataset: patterns.value for dataset, patterns in found.items() if patterns is not None})


def schedules(values: Mapping[str, Value]) -> dict[str, Schedule]:
    """What is expected, by dataset."""
    return {dataset: made for dataset in names_of(values) if (made := _schedule(values, dataset)) is not None}


def _schedule(values: Mapping[str, Value], dataset: str) -> Schedule | None:
    said = {name: value.value for name, value in _section(values, f"{dataset}.deliveries").items()}
    if not said:
        return None
    starts = said.pop("starts", None)
    if starts is not None:
        said["starts"] = Period.parse(said["period"], str(starts))
    return Schedule(**said | {"holidays": frozenset(said.get("holidays", ()))})


def require_sound(values: Mapping[str, Value]) -> None:
    """Raise `UsageError` where what is said of the datasets cannot be so together."""
    owners: dict[str, str] = {}
    for dataset in names_of(values):
        _require_one_layout(dataset, _section(values, dataset))
        _require_whole_schedule(_section(values, f"{dataset}.deliveries"))
        patterns = values.get(f"datasets.{dataset}.files", Value((), ""))
        for pattern in patterns.value:
            if pattern in owners:
                raise UsageError(
                    f"{patterns.source}: {pattern!r} is a pattern of {owners[pattern]}, too",
                    next="a file has one dataset: make one of the patterns narrower",
                )
            owners[pattern] = dataset


def _section(values: Mapping[str, Value], name: str) -> dict[str, Value]:
    """What is written directly below [datasets.NAME], by key."""
    prefix = f"datasets.{name}."
    found = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    return {key: value for key, value in found.items() if "." not in key}


def _require_one_layout(dataset: str, mine: Mapping[str, Value]) -> None:
    columns, form = mine.get("fixed"), mine.get("format", Value("", ""))
    if columns is not None:
        _require_without(mine, ("delimiter", "quote", "escape", "names"), columns.source)
        if form.value not in ("", "fixed"):
            raise UsageError(f"{form.source}: {form.value!r}, and fixed is set", next='write format = "fixed"')
    elif form.value == "fixed":
        raise UsageError(
            f"{form.source}: a file of fixed width does not say where its columns are",
            next=f'add to [datasets.{dataset}]: fixed = [{{name = "region", start = 1, width = 3}}, ...]',
        )
    elif form.value and form.value not in _HOLDS_TEXT:
        _require_without(mine, _TEXT_ONLY, form.source)
    header, names = mine.get("header_lines", Value(0, "")), mine.get("names")
    if names is not None and header.value != 0:
        raise UsageError(
            f"{names.source}: names are for files without a header, and header_lines is {header.value}",
            next="write header_lines = 0 (and skip_lines for what is above the data), or take out names",
        )


def _require_without(mine: Mapping[str, Value], keys: Sequence[str], source: str) -> None:
    against = next((name for name in keys if name in mine), None)
    if against is not None:
        raise UsageError(
            f"{source} and {mine[against].source} are both set, and no file has both", next=f"take out {against}"
        )


def _require_whole_schedule(said: Mapping[str, Value]) -> None:
    for name, example in (("period", "month"), ("files", "prices_{yyyy}-{mm}*")) if said else ():
        if name not in said or said[name].value == "":
            section = next(iter(said.values())).source.rpartition(" ")[0]
            raise UsageError(f"{section}: {name} is missing", next=f'write {name} = "{example}"')
    try:
        if said:
            require_period(said["period"].value, said["files"].value)
    except Unfit as wrong:
        raise UsageError(f"{said['files'].source}: {wrong.what}", next=wrong.next) from None
    if "starts" in said:
        kind, starts = said["period"].value, said["starts"]
        try:
            Period.parse(kind, str(starts.value))
        except ValueError:
            first = Period.of(kind, date(2026, 1, 1))
            raise UsageError(f"{starts.source}: {starts.value!r} is no {kind}", next=f'write it as "{first}"') from None
