"""One job on its way from its sources to a version of its table that nobody sees before a run publishes it."""

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalog.errors import NotFound
from catalog.tables import Change, Snapshot
from catalog.zones import TableName
from lake.promote.apply import OutOfStep
from lake.promote.change import progress, state_of
from lake.promote.declare import Job
from lake.promote.dependent import Whole
from lake.promote.desk import Bench, Desk
from lake.promote.faults import blaming, machine_faults
from lake.promote.forced import require_divisible
from lake.promote.increment import Increment, increment
from lake.promote.make import Made, Order, make_whole
from lake.promote.outcome import HABIT, Outcome, RunOptions
from lake.promote.part import make_part
from lake.promote.redo import make_again
from lake.promote.settled import settle_types
from lake.promote.shelf import Shelf
from lake.promote.write import settle

__all__ = ["Desk", "Task"]


class Task:
    """One job on its way from its sources to a version of its table."""

    def __init__(self, job: Job, inputs: Mapping[TableName, Snapshot], pin: Snapshot | None, desk: Desk) -> None:
        self.job, self.inputs, self.pin, self.desk = job, inputs, pin, desk
        self.operation = f"{desk.run}-{job.table}-{uuid.uuid4().hex[:12]}"

    def run(self, reason: str, options: RunOptions = HABIT) -> tuple[Outcome, Snapshot]:
        """Make the rows, judge them, write them, commit. Raises what the steps raise."""
        with self.made(options) as made:
            pass
        job, pin = self.job, self.pin
        told = self._progress(made, options)
        change = Change(
            name=job.table, operation=self.operation, base=None, schema=made.schema, metadata=told, columns=made.columns
        )
        snapshot = settle(self.desk.tables, change, made.files)
        there = {file.path for file in pin.files} if pin else set()
        outcome = Outcome(
            job.table,
            "ran",
            reason,
            version=snapshot.version,
            rows_in=told["rows_in"],
            rows_out=snapshot.rows,
            rejected=made.rejects["rows"] if made.rejects else 0,
            warnings=tuple(each.message for each in made.findings if each.message),
            nulls=made.nulls,
            how=made.how,
            read={name: source.version for name, source in self.inputs.items()},
            rows_read=made.read.rows,
            bytes_in=made.read.size_bytes,
            bytes_out=sum(file.size_bytes for file in made.files if file.path not in there),
        )
        return outcome, snapshot

    @contextmanager
    def made(self, options: RunOptions = HABIT) -> Iterator[Made]:
        """The version to be, written and not committed; what is on the local disk of it is there inside only."""
        with blaming(self.job), _scratch(self.desk.scratch) as folder:
            settled = settle_types(self.job, self.inputs, self.pin, self.desk.tables)
            order = Order(Bench(settled.job, self.desk, Shelf(folder)), self.inputs, self.pin, self.operation)
            if settled.why_whole:
                yield settled.told(make_whole(order, settled.why_whole))
            else:
                yield settled.told(self._make(order, options))

    def _make(self, order: Order, options: RunOptions) -> Made:
        job, pin = order.bench.job, self.pin
        require_divisible(job, options)
        if options.partition and pin is not None:
            return make_again(order, pin, options.partition)
        news = increment(job, self.inputs, pin, self.desk.tables, options)
        if isinstance(news, Whole) or pin is None:
            return make_whole(order, news.reason if isinstance(news, Whole) else "never built")
        made = self._made_in_part(order, pin, news)
        return made if isinstance(made, Made) else make_whole(order, f"{news.how}, but {made}")

    def _made_in_part(self, order: Order, pin: Snapshot, news: Increment) -> Made | str:
        """The version to be; or why it must be made whole after all."""
        try:
            with blaming(self.job):
                try:
                    return make_part(order, pin, news)
                except OutOfStep as error:
                    return str(error)
        except NotFound as error:
            return f"older files of its sources are gone ({error.what})"

    def _progress(self, made: Made, options: RunOptions) -> dict[str, Any]:
        """What the commit tells of itself: among it what the table was made from, so that a run can tell what is new.

        Rows that were made anew by themselves move no progress.
        """
        job, pin = self.job, self.pin
        states = {name: state_of(snapshot) for name, snapshot in self.inputs.items()}
        done = progress(job, states)
        if options.partition and pin is not None:
            before = {name: pin.metadata.get(name) for name in done}
            is_same = all(
                (before["sources"] or {}).get(name, {}).get("files") == told["files"]
                for name, told in done["sources"].items()
            )
            is_known = is_same and before["code"] == done["code"] and not pin.metadata.get("redone")
            done = before if is_known else before | {"redone": True}
        return done | {
            "run": self.desk.run,
            "how": made.how,
            "rows_in": sum(self.inputs[name].rows for name in job.inputs),
            "rejects": made.rejects,
            "nulls": made.nulls,
            "findings": [
                {"rule": f.rule, "action": str(f.action), "rows": f.rows, "judged": f.judged, "message": f.message}
                for f in made.findings
            ],
            "measures": made.measured,
            "description": job.description,
            "owner": job.owner,
            "units": dict(job.units),
            "pii": list(job.pii),
            **made.told,
        }


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with machine_faults():
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
    with scratch as name:
        yield Path(name)
