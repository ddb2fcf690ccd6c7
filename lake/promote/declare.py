"""What a job is: a function of frames, or SQL, with what its table promises beside it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import polars as pl

from catalog.errors import UsageError
from catalog.zones import TableName, Zone
from lake.promote.casts import as_type
from lake.promote.dependent import ByKey, ByRow, Dependence, Whole
from lake.promote.durations import duration
from lake.promote.expect import Expectation, References
from lake.promote.names import listed, nearest, shown

Function = TypeVar("Function", bound=Callable[..., pl.LazyFrame])
NullTokens = Mapping[str, Sequence[str]] | Sequence[str]
Types = Mapping[str, type[pl.DataType] | pl.DataType]


class Mode(StrEnum):
    """How a job's rows become its table: as they are, or as the history of a key; written whole or in part."""

    REPLACE = "replace"
    APPEND = "append"
    UPSERT = "upsert"
    SCD2 = "scd2"
    SNAPSHOT = "snapshot"
    PARTITION = "partition"


@dataclass(frozen=True)
class Input:
    """The table that a parameter of a job stands for."""

    table: TableName


class Source:
    """``Source["bronze.flights"]`` annotates a parameter: the job reads that table, as a `polars.LazyFrame`.

    For a type checker, which takes the text for the name of a type, write the same as
    ``Annotated[pl.LazyFrame, Source["bronze.flights"]]``.
    """

    def __class_getitem__(cls, name: str) -> Input:
        return Input(TableName.parse(name))


@dataclass(frozen=True)
class Frames:
    """A job in Python: a function, and the table that each of its parameters stands for."""

    function: Callable[..., pl.LazyFrame]
    parameters: Mapping[str, TableName]


@dataclass(frozen=True)
class Query:
    """A job in SQL: one query over the tables that it names."""

    sql: str
    tables: tuple[TableName, ...]


@dataclass(frozen=True)
class Inferred:
    """A job that nobody wrote: one bronze table's rows, each once; ``schema`` has the columns once they are known."""

    source: TableName
    schema: pl.Schema | None = None

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The tables that it reads."""
        return (self.source,)


@dataclass(frozen=True)
class Job:
    """A table's recipe and its promises. ``code`` tells by meaning whether either has changed; `find` fills it in."""

    table: TableName
    body: Frames | Query | Inferred
    mode: Mode = Mode.REPLACE
    key: tuple[str, ...] = ()
    sequence: str = ""
    deletes: str = ""
    partition_by: tuple[str, ...] = ()
    depends: Mapping[TableName, Dependence] = field(default_factory=dict)
    expect: tuple[Expectation, ...] = ()
    null_tokens: Mapping[TableName, tuple[str, ...]] = field(default_factory=dict)
    types: Mapping[str, pl.DataType] = field(default_factory=dict)
    origin: tuple[str, ...] = ()
    description: str = ""
    owner: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    pii: tuple[str, ...] = ()
    timeout_seconds: float | None = None
    path: Path = Path()
    line: int = 0
    code: str = ""

    @property
    def inputs(self) -> tuple[TableName, ...]:
        """The tables whose rows the job is given."""
        tables = self.body.parameters.values() if isinstance(self.body, Frames) else self.body.tables
        return tuple(dict.fromkeys(tables))

    @property
    def sources(self) -> tuple[TableName, ...]:
        """All tables that its result depends on: its inputs, and those that its expectations look values up in."""
        referred = (rule.table for rule in self.expect if isinstance(rule, References))
        return tuple(dict.fromkeys((*self.inputs, *referred)))

    @property
    def where(self) -> str:
        """The file and line of its declaration."""
        if isinstance(self.body, Inferred):
            return f"made of {self.body.source} without a job"
        return f"{shown(self.path)}:{self.line}"


_collected: ContextVar[list[Job] | None] = ContextVar("jobs of the file that is being read", default=None)


@contextmanager
def collecting() -> Iterator[list[Job]]:
    """Gather the jobs that are declared inside, also those whose name a later one takes."""
    jobs: list[Job] = []
    token = _collected.set(jobs)
    try:
        yield jobs
    finally:
        _collected.reset(token)


def job(  # noqa: PLR0913 - a declaration: every argument but the first has a default and is named
    table: str,
    *,
    key: Sequence[str] = (),
    mode: str = "replace",
    sequence: str = "",
    deletes: str = "",
    partition_by: Sequence[str] = (),
    depends: Mapping[str, Dependence] | None = None,
    expect: Sequence[Expectation] = (),
    null_tokens: NullTokens = (),
    types: Types | None = None,
    origin: Sequence[str] = (),
    description: str = "",
    owner: str = "",
    units: Mapping[str, str] | None = None,
    pii: Sequence[str] = (),
    timeout: str = "",
) -> Callable[[Function], Function]:
    """Declare that a function makes a table; the function itself stays as it is, to be called and tested with frames.

    Its parameters are annotated ``Source["bronze.flights"]``. ``mode`` is one of `Mode`; ``key`` names the columns that
    together come once and are never absent, which is checked in every mode (with histories, of each moment).
    ``sequence`` names the column that says from when on a row holds, ``deletes`` the one that is true where its key
    ends then; ``partition_by`` the columns whose values are overwritten together. ``depends`` states how the result
    depends on a source where that cannot be derived: ``{"bronze.sales": by_row()}``. ``null_tokens`` are texts that
    mean "missing" in the text columns of a source (by source, or one list for all): they are NULL before the function
    sees them, and counted. ``types`` are cast from the text of the function's result; a row with a text that does not
    fit goes to quarantine. ``origin`` names columns of the result that go with a row to quarantine and not into the
    table: with ``["_file", "_line"]`` the quarantine tells where each row came from. ``units`` (by column) and ``pii``
    (columns with personal data) are told of the table; ``timeout`` ("30 min") ends a job that takes longer.

    Raises `UsageError` for a declaration that cannot be kept.
    """

    def declare(function: Function) -> Function:
        parameters = _parameters(function)
        made = Job(
            table=TableName.parse(table),
            body=Frames(function, parameters),
            mode=parse_mode(mode),
            key=_columns(key, "key"),
            sequence=_column(sequence, "sequence"),
            deletes=_column(deletes, "deletes"),
            partition_by=_columns(partition_by, "partition_by"),
            depends={TableName.parse(source): how for source, how in (depends or {}).items()},
            expect=tuple(expect),
            null_tokens=_tokens(null_tokens, tuple(parameters.values())),
            types={column: as_type(dtype) for column, dtype in (types or {}).items()},
            origin=_columns(origin, "origin"),
            description=description or inspect.cleandoc(function.__doc__ or "").partition("\n")[0],
            owner=owner,
            units=dict(units or {}),
            pii=_columns(pii, "pii"),
            timeout_seconds=duration(timeout).total_seconds() if timeout else None,
            path=Path(function.__code__.co_filename),
            line=function.__code__.co_firstlineno,
        )
        check(made)
        jobs = _collected.get()
        if jobs is not None:
            jobs.append(made)
        return function

    return declare


def parse_mode(text: str) -> Mode:
    """Read a mode; raises `UsageError` naming the nearest one."""
    try:
        return Mode(text)
    except ValueError:
        near = nearest(text, list(Mode))
        raise UsageError(f"no mode {text!r}: one of {listed(Mode)}", next=f"write {near or 'one of them'}") from None


def check(made: Job) -> None:
    """Raises `UsageError` for a job that contradicts itself, whatever tables there are."""
    if made.table.zone not in {Zone.SILVER, Zone.GOLD}:
        raise UsageError(
            f"a job cannot write {made.table}: {made.table.zone} is not a job's to write",
            next=f"call the table silver.{made.table.name} or gold.{made.table.name}",
        )
    _check_mode(made)
    names = [rule.name for rule in made.expect]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(
            f"{made.table} has two expectations {twice}", next="take one out, or give it a name of its own"
        )
    if not made.inputs:
        raise UsageError(f"{made.table} reads no table", next='annotate a parameter: flights: Source["bronze.flights"]')
    for source, how in made.depends.items():
        if not isinstance(how, ByRow | ByKey | Whole):
            raise UsageError(f"depends says {how!r} of {source}", next='write by_row(), by_key("shop") or whole()')
        if source not in made.inputs:
            near = nearest(str(source), map(str, made.inputs)) or listed(made.inputs)
            raise UsageError(f"depends names {source}, which {made.table} does not read", next=f"it reads {near}")


def _check_mode(made: Job) -> None:
    """Raises `UsageError` where a mode lacks an argument, or an argument its mode."""
    given = {
        "key": made.key,
        "sequence": made.sequence,
        "deletes": made.deletes,
        "partition_by": made.partition_by,
    }
    for name in _NEEDS.get(made.mode, ()):
        if not given[name]:
            raise UsageError(f"{made.table} is in mode {made.mode} without a {name}", next=f"name {_EXAMPLES[name]}")
    for name, modes in _BELONGS.items():
        if given[name] and made.mode not in modes:
            raise UsageError(
                f"{made.table} has {name}, which mode {made.mode} does not take",
                next=f"leave it out, or write mode={listed(modes)}",
            )
    ruling = [("key", column) for column in made.key] + [("partition_by", column) for column in made.partition_by]
    ruling += [(name, column) for name, column in (("sequence", made.sequence), ("deletes", made.deletes)) if column]
    columns = [column for name, column in ruling if name != "partition_by"]
    for name, column in ruling:
        if name != "partition_by" and columns.count(column) > 1:
            raise UsageError(f"{made.table} names {column!r} twice: in {name} too", next=f"take it out of {name}")
        if column in made.origin:
            raise UsageError(
                f"{made.table} has {column!r} in {name} and in origin, which is not in the table",
                next="take it out of one of the two",
            )


_NEEDS = {
    Mode.UPSERT: ("key",),
    Mode.SCD2: ("key", "sequence"),
    Mode.SNAPSHOT: ("key", "sequence"),
    Mode.PARTITION: ("partition_by",),
}
_BELONGS = {
    "sequence": (Mode.SCD2, Mode.SNAPSHOT),
    "deletes": (Mode.SCD2,),
    "partition_by": (Mode.PARTITION,),
}
_EXAMPLES = {
    "key": 'the columns that tell one thing from another: key=["id"]',
    "sequence": 'the column that says since when: sequence="changed_on"',
    "partition_by": 'the columns whose values are written as one: partition_by=["month"]',
}


def _parameters(function: Callable[..., pl.LazyFrame]) -> dict[str, TableName]:
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        annotation = _input(_evaluated(function, parameter.annotation))
        if annotation is not None:
            found[name] = annotation.table
        elif parameter.default is inspect.Parameter.empty:
            raise UsageError(
                f"the parameter {name!r} of {function.__name__} names no table",
                next=f'annotate it: {name}: Source["bronze.{name.lower()}"]',
            )
    return found


def _evaluated(function: Callable[..., pl.LazyFrame], annotation: Any) -> Any:
    """The annotation as a value; ``from __future__ import annotations`` has left it as text."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, function.__globals__)  # noqa: S307 - code of the job's own file
    except NameError as error:
        raise UsageError(
            f"the annotation {annotation} of {function.__name__} is not known: {error}",
            next="import Source outside of `if TYPE_CHECKING`: from lake import Source",
        ) from None


def _input(annotation: Any) -> Input | None:
    if get_origin(annotation) is Annotated:
        annotation = next((part for part in get_args(annotation) if isinstance(part, Input)), None)
    return annotation if isinstance(annotation, Input) else None


def _column(name: str, argument: str) -> str:
    if not isinstance(name, str):
        raise UsageError(f"{argument} is {name!r}, not a column", next=f'name one column: {argument}="since"')
    return name


def _columns(names: Sequence[str], argument: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise UsageError(
            f"{argument} is a text, {names!r}, not a list of columns", next=f'write {argument}=["{names}"]'
        )
    return tuple(names)


def _tokens(declared: NullTokens, sources: Sequence[TableName]) -> dict[TableName, tuple[str, ...]]:
    if isinstance(declared, str):
        raise UsageError(f"null_tokens is a text, {declared!r}", next=f'write null_tokens=["{declared}"]')
    if not isinstance(declared, Mapping):
        return {source: tuple(declared) for source in sources} if declared else {}
    known = {str(source): source for source in sources}
    for name in declared:
        if name not in known:
            near = nearest(name, known) or listed(known)
            raise UsageError(f"null_tokens are given for {name}, which the job does not read", next=f"it reads {near}")
    return {known[name]: tuple(tokens) for name, tokens in declared.items()}
