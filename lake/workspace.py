"""An open lake project: its settings, and the three parts of the catalog that the verbs work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

from catalog.log import Log
from catalog.objects import ObjectStore
from catalog.tables import Tables
from ingestion.parser import Parser, ParserLimits
from lake.scratch import scratch_folder
from lake.settings import Settings


class Workspace:
    """A lake project's store, tables and log, each connected to when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.parser: Parser | None = None

    @contextmanager
    def one_parser(self) -> Iterator[None]:
        """Within, all ingests have the same parser, whose worker waits for the next file; for one thread."""
        with scratch_folder(self.settings.state) as scratch, Parser(scratch, limits_of(self.settings)) as parser:
            self.parser = parser
            try:
                yield
            finally:
                self.parser = None

    def reread(self) -> None:
        """Go on by lake.toml as it is now, but for the store, which stays. Raises `UsageError`."""
        now = Settings.load(self.settings.project)
        store = {name: value for name, value in self.settings.values.items() if name.startswith("store.")}
        self.settings = replace(now, values={**now.values, **store}, keys=self.settings.keys)

    @cached_property
    def objects(self) -> ObjectStore:
        """The object store. Raises `StoreError` where the local one does not run."""
        return ObjectStore(self.settings.endpoint())

    @cached_property
    def store(self) -> Tables:
        """The Delta tables on the store."""
        return Tables(self.objects)

    @cached_property
    def log(self) -> Log:
        """The catalog's log of commits."""
        return Log(self.objects)

    def __repr__(self) -> str:
        return f"<lake {self.settings.name} in {self.settings.project}>"


def limits_of(settings: Settings) -> ParserLimits:
    """What one file may take of this machine."""
    return ParserLimits(int(settings.worker_memory_gb * 1e9), settings.worker_seconds_max)
