"""What to do next about what waits in the quarantine, by the rule that set it aside."""

from collections.abc import Mapping
from shlex import quote
from typing import Any

from catalog.zones import parted

_PIN = "see what is understood: lake inspect FILE; pin {keys} in [datasets.{dataset}]; then {replay}"
_BY_RULE = {
    "encoding": 'say which one it is: [datasets.{dataset}] encoding = "cp1252" in lake.toml; then {replay}',
    "dialect": _PIN.replace("{keys}", "delimiter, quote or skip_lines"),
    "header": _PIN.replace("{keys}", "skip_lines, header_lines or names"),
    "schema": "see the table's columns: lake columns --table {table}; another table's file is to be taken back (lake "
    'retract) and dropped into its own dataset; else let the table follow with drift = "evolve" (or "rescue") in '
    "[datasets.{dataset}]; then {replay}",
    "tolerance": "see what is wrong with its records: lake inspect FILE; if they may wait alone, raise bad_share_max, "
    "and bad_rows_max where it is set, in [datasets.{dataset}]; then {replay}",
    "worker": "the file hung its worker, or filled its memory: raise [ingest] worker_memory_gb or [ingest] "
    "worker_seconds_max; then {replay}",
    "correction": 'other bytes came under an old name and [datasets.{dataset}] on_correction is "refuse": write '
    '"replace" or "append" and {replay}, or ask the supplier',
    "duplicate": 'the same bytes came under another name and [datasets.{dataset}] on_duplicate is "refuse": nothing is '
    'missing; or write "take" and {replay}',
    "records": "say what repeats, the element of XML or the key of JSON: [datasets.{dataset}] records; then {replay}",
    "tables": "say what repeats, the element of XML or the key of JSON: [datasets.{dataset}] records; then {replay}",
    "layout": "mend [datasets.{dataset}] fixed in lake.toml: each column's name, start and width; then {replay}",
    "patch": "give the record's whole text, which is one record: lake quarantine replay {id} --record TEXT",
    "locked": "it is protected by a password: have it sent without one, and drop it again",
    "truncated": "it is damaged or ends in the midst: have it sent again, and drop it under the same name",
    "parser": "if it opens elsewhere, save it again there and drop it under the same name; its bytes are {archived}",
}
_ALIASES = {
    "nul": "encoding",
    "quote": "dialect",
    "blank": "dialect",
    "line-end": "dialect",
    "footer": "dialect",
    "archive": "truncated",
    "password": "locked",
}
_OF_RECORDS = ("encoding", "patch")
"""Rules whose advice is as good for one record as for a file."""

_RECORD = (
    "mend it: lake quarantine replay {id} --record 'THE RECORD AS IT SHOULD BE'; or have the file corrected and drop "
    "it under the same name"
)
_WHOLE = "see what is understood: lake inspect FILE; after a change of lake.toml {replay}; or drop it again, mended"
_JOB = "mend the job, or correct the file and drop it again; lake run judges its rows anew"
_DONE = "nothing: {done_by} took its place"


def next_step(row: Mapping[str, Any]) -> str:
    """What to do about one row of the quarantine (columns as `catalog.quarantine.SCHEMA`).

    >>> row = {"id": "a/1/0:2", "stage": "ingest", "status": "waiting", "rule": "width", "table": "bronze.a", "line": 7}
    >>> next_step(row | {"file": "a/x.csv", "record": "1,2,3", "archived_as": "raw/a/1/0", "done_by": None})[:36]
    'mend it: lake quarantine replay a/1/'
    """
    rule = _ALIASES.get(row["rule"], row["rule"])
    if row["status"] == "done":
        text = _DONE
    elif row["stage"] != "ingest":
        text = _JOB
    elif row["record"] is not None and rule not in _OF_RECORDS:
        text = _RECORD
    else:
        text = _BY_RULE.get(rule, _WHOLE)
    return text.format(
        id=quote(row["id"]),
        done_by=row["done_by"],
        table=row["table"],
        dataset=parted(row["table"].partition(".")[2])[0],
        archived=f"kept in the bronze bucket as {row['archived_as']}",
        replay=f"lake quarantine replay {quote(row['file'])}",
    )
