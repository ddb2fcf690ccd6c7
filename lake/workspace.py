"""An open lake project: its settings, and the three parts of the catalog that the verbs work with."""

from functools import cached_property

from catalog.log import Log
from catalog.objects import ObjectStore
from catalog.tables import Tables
from lake.settings import Settings


class Workspace:
    """A lake project's store, tables and log, each connected to when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

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
