"""What became of one job in a run."""

from dataclasses import dataclass, field
from typing import Literal

from catalog.errors import LakeError
from catalog.zones import TableName
from lake.promote.frames import Nulls

Status = Literal["ran", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one job: ``version`` is the one that it made, None where it made none; all counts are of rows."""

    table: TableName
    status: Status
    reason: str
    version: int | None = None
    rows_in: int = 0
    rows_out: int = 0
    rejected: int = 0
    warnings: tuple[str, ...] = ()
    nulls: Nulls = field(default_factory=dict)
    error: LakeError | None = None
