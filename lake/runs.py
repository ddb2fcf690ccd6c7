"""A run on the record: that it began, what it did to each table, how it ended; with a log of its own, and alerts."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from catalog.errors import LakeError, MachineError, NotFound, StoreError, UnsafeStore
from catalog.log import Commit
from catalog.register import Begun, Ended, Register, Status
from catalog.runs import RUNS, settle
from catalog.zones import TableName
from ingestion.absorb import Read
from ingestion.batch import Finished
from lake.abandoned import active, ended_and_going, here
from lake.alerts import alert
from lake.logs import RunLog, sweep
from lake.promote.outcome import Event, Outcome
from lake.redact import Redact, redactor
from lake.signature import Signature
from lake.tableruns import lines_of, table_runs
from lake.workspace import Workspace

COMMAND_LENGTH_MAX = 300

Done = Read | Finished | Event
Told = Callable[[Done], None]

_UNSAID = (StoreError, MachineError, UnsafeStore)
"""After one of these the table of runs waits for the next run: this one would meet the same."""

_BROKEN_OFF = (KeyboardInterrupt, SystemExit, GeneratorExit)

_caller: ContextVar[str] = ContextVar("caller", default="")


@contextmanager
def called_by(caller: str) -> Iterator[None]:
    """Within, runs say that this called them: a watch, a schedule."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


@contextmanager
def recorded(lake: Workspace, verb: str, names: Sequence[str] = ()) -> Iterator["Record"]:
    """A run on the record: its log is open within, and however it ends, that is written down, and alerted of.

    A run that did nothing leaves a line in a log, and so does one that was asked for what there is not. Raises what is
    raised within, and nothing of its own.
    """
    signature, redact = Signature.new(lake), redactor(lake.settings)
    command = str(redact(" ".join(filter(None, [_caller.get(), verb, *names]))))[:COMMAND_LENGTH_MAX]
    log = RunLog(lake.settings.logs, signature.run, redact)
    record = Record(lake, signature, command, log)
    active.add(signature.run)
    ended: Ended | None = None
    try:
        with log.open():
            try:
                yield record
            except BaseException as error:
                record.failed(error)
                raise
            finally:
                ended = record.end()
    finally:
        active.discard(signature.run)
        if ended is None:
            log.nothing(f"{command}: {record.error or 'nothing new'}")
        sweep(lake.settings.logs, lake.settings.log_days, lake.settings.log_bytes_max)
        alert(lake, ended, log)


class Record:
    """One run on the record."""

    def __init__(self, lake: Workspace, signature: Signature, command: str, log: RunLog) -> None:
        host, space, process = here()
        self.signature = signature
        self.error = ""
        self._lake = lake
        self._log = log
        self._begun = Begun(
            run=signature.run,
            command=command,
            author=signature.author,
            revision=signature.revision,
            at=datetime.now(UTC),
            host=host,
            space=space,
            pid=process.pid,
            started=process.started,
            head=0,
        )
        self._is_begun = False
        self._over: list[Ended] = []
        self._heard: dict[str, Finished | Outcome] = {}
        self._proposed: Ended | None = None
        self._commit: int | None = None
        self._failure: BaseException | None = None

    def begin(self) -> None:
        """Put down that the run begins, before it writes anything else, and the ends of those that died.

        Raises `StoreError`.
        """
        register = Register(self._lake.objects)
        self._begun = replace(self._begun, head=self._lake.log.head().number)
        register.begin(self._begun)
        self._is_begun = True
        self._over = ended_and_going(register, self._lake.log)[0]
        where = {name: getattr(self._begun, name) for name in ("host", "pid", "author", "revision")}
        self._log.say(logging.INFO, "begun", f"begun: {self._begun.command}", **where)

    def hearing(self, told: Told) -> Told:
        """What hears of batches and jobs, and writes them into the log."""

        def heard(done: Done) -> None:
            for level, event, message, fields in lines_of(done):
                self._log.say(level, event, message, **fields)
            if isinstance(done, Finished):
                self._heard[done.manifest.name] = done
            elif isinstance(done, Outcome):
                self._heard[str(done.table)] = done
            told(done)

        return heard

    def propose(self, base: Commit, versions: Mapping[TableName, int]) -> dict[TableName, int]:
        """The table of runs as it is to be published with these versions, by its name; empty where nothing is new.

        Its rows say of this run what is true once it is published. Raises `StoreError`, `Conflict`.
        """
        if not self._is_begun or all(_is_published(base, name, version) for name, version in versions.items()):
            return {}
        self._proposed = self._ended(base.number + 1)
        head = settle(self._lake.store, [*self._over, self._proposed], self._before)
        return {} if head is None else {RUNS: head.version}

    def published(self, commit: Commit) -> None:
        """The commit that the run made."""
        self._commit = commit.number
        self._log.say(logging.INFO, "published", f"published as commit {commit.number}", commit=commit.number)

    def failed(self, error: BaseException) -> None:
        """The run was ended by an error, or by whoever runs it."""
        self._failure = error
        told = error.what if isinstance(error, LakeError) else f"{type(error).__name__}: {error}".rstrip(": ")
        self.error = str(self._log.redact(told))

    def end(self) -> Ended | None:
        """Write down how the run ended; None for a run that did nothing, or was asked for what there is not.

        Where the store does not take it, the log says so.
        """
        ended = self._ended(self._commit)
        try:
            if self._did_nothing(ended):
                if self._is_begun:
                    Register(self._lake.objects).close(self._begun)
                return None
            if not self._is_begun and not isinstance(self._failure, _UNSAID):
                self.begin()
            if self._is_begun:
                ended = replace(ended, begun=self._begun)
                self._write(ended)
        except LakeError as error:
            self._log.say(logging.ERROR, "record", f"the end of this run is not on the record: {error.what}")
        self._say_end(ended)
        return ended

    def _say_end(self, ended: Ended) -> None:
        failure = self._failure if isinstance(self._failure, Exception) else None
        fields = {"status": str(ended.status), "commit": ended.commit, "where": ended.where}
        told = f"{ended.status}: {ended.error}" if ended.error else str(ended.status)
        level = logging.INFO if ended.status is Status.OK else logging.ERROR
        self._log.say(level, "ended", told, error=None if isinstance(failure, LakeError) else failure, **fields)

    def _write(self, ended: Ended) -> None:
        """Put the end into the register, and into the table of runs if what it says is not there already."""
        register = Register(self._lake.objects)
        stands = register.end(ended)
        if stands != self._proposed:
            if isinstance(self._failure, _UNSAID):
                return
            settle(self._lake.store, [*self._over, stands], self._before)
        for settled in (*self._over, stands):
            register.close(settled.begun)
        register.expire(self._before)

    def _did_nothing(self, ended: Ended) -> bool:
        if self._failure is not None:
            return isinstance(self._failure, NotFound) and not self._is_begun
        return self._commit is None and not ended.tables

    def _ended(self, commit: int | None) -> Ended:
        """The run's end, by what is known of it."""
        heard = self._heard.values()
        tables = table_runs([h for h in heard if isinstance(h, Finished)], [h for h in heard if isinstance(h, Outcome)])
        failed = [each for each in tables if each.status == "failed"]
        status, error, where = Status.OK, self.error or None, None
        if self._failure is not None:
            status = Status.INTERRUPTED if isinstance(self._failure, _BROKEN_OFF) else Status.FAILED
        elif failed:
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            status, error, where = Status.FAILED, f"{failed[0].error}{more}", failed[0].where
        ended = Ended(self._begun, status, datetime.now(UTC), error, where, commit, tables)
        ended = _told(ended, self._log.redact, self._lake.settings.project)
        before = self._proposed
        # What was published says when: one that is as it was then is it.
        return before if before is not None and before == replace(ended, at=before.at) else ended

    @property
    def _before(self) -> datetime:
        """Runs that began before this are forgotten; by whole days, so that it is seldom looked into."""
        day = (datetime.now(UTC) - timedelta(days=self._lake.settings.run_days)).date()
        return datetime.combine(day, time.min, UTC)


def _told(ended: Ended, redact: Redact, project: Path) -> Ended:
    """A run's end with no secret in what it says, and with files of the project as they are called in it."""

    def place(where: str | None) -> str | None:
        return None if where is None else where.removeprefix(f"{project}/")

    tables = tuple(
        replace(
            each,
            error=redact(each.error),
            reason=redact(each.reason),
            warnings=tuple(redact(each.warnings)),
            where=place(each.where),
        )
        for each in ended.tables
    )
    return replace(ended, error=redact(ended.error), where=place(ended.where), tables=tables)


def _is_published(base: Commit, name: TableName, version: int) -> bool:
    published = base.version(name)
    return published is not None and published >= version
