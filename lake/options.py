"""Which settings there are, what each may be, and how one is read from ``lake.toml`` or the environment."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog.errors import UsageError
from catalog.zones import identifier
from lake.datasets import DATASET_KEYS, DELIVERIES_KEYS, POLICY_KEYS
from lake.outlets import ALERT_KEYS, PASSWORD_VARIABLE
from lake.timetable import SCHEDULE_KEYS, require_name
from lake.values import Key, Value, nearest, read_value

FILE = "lake.toml"
AWS = "aws"
KEY_VARIABLES = ("LAKE_STORE_ACCESS_KEY", "LAKE_STORE_SECRET_KEY")
SECRET_VARIABLES = (*KEY_VARIABLES, PASSWORD_VARIABLE)

SERVERS = ("seaweedfs", "minio")

KEYS: Mapping[str, Key] = {
    "lake.name": Key(str, "", "what the lake is called; empty: its folder's name"),
    "store.server": Key(str, "", "the local server; empty: MinIO where installed, else SeaweedFS", choices=SERVERS),
    "store.endpoint": Key(str, "", "the URL of any S3 store, or aws; empty: a local server"),
    "store.region": Key(str, "us-east-1", "the region of a named endpoint"),
    "store.bucket_prefix": Key(str, "", "goes before the five buckets' names"),
    "store.startup_seconds": Key(float, 60.0, "how long a local server may take to answer", minimum=0.01),
    "ingest.worker_memory_gb": Key(float, 2.0, "the memory limit of one parser", minimum=0.1),
    "ingest.worker_seconds_max": Key(float, 600.0, "the time limit of one file", minimum=1),
    **{f"ingest.{name}": key for name, key in POLICY_KEYS.items()},
    "compute.memory_gb": Key(
        float,
        -1.0,
        "what a query, or all jobs of a run, may hold; default: a quarter of the machine",
        minimum=0.1,
        shown="6.0",
    ),
    "compute.jobs_max": Key(float, 0.0, "how many jobs run at once; 0: one for each core", minimum=0),
    "compute.job_seconds_max": Key(float, 21_600.0, "the time limit of a job that states none", minimum=1),
    "promote.automatic": Key(
        bool, True, "a dataset that no job reads gets a table in silver, with types", shown="true"
    ),
    "cache.size_gb": Key(float, 10.0, "data files kept on the local disk", minimum=0),
    "runs.keep_days": Key(float, 400.0, "how long what is known of a run is kept", minimum=1),
    "logs.keep_days": Key(float, 90.0, "how long the logs of runs are kept, on this machine", minimum=0),
    "logs.size_mb": Key(float, 200.0, "the room that they may take; the oldest go", minimum=1),
    **{f"alerts.{name}": key for name, key in ALERT_KEYS.items()},
}
_SECTIONS = (*dict.fromkeys(name.split(".")[0] for name in KEYS), "datasets", "schedules")
_SECRET = re.compile(r"secret|password|passwd|token|credential|access_?key", re.IGNORECASE)


def from_file(path: Path) -> dict[str, Value]:
    """What a ``lake.toml`` says; raises `UsageError` naming file, key and the nearest key that there is."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}", next="mend that line") from None
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}", next="save it as UTF-8 text") from None
    found: dict[str, Value] = {}
    for section, content in document.items():
        if section not in _SECTIONS:
            raise UsageError(f"{path}: no section [{section}]", next=nearest(section, _SECTIONS))
        if not isinstance(content, dict):
            raise UsageError(
                f"{path}: {section} is a section, not a value", next=f"write [{section}] on a line of its own"
            )
        found |= _NESTED.get(section, _from_section)(path, section, content)
    return found


def _from_section(path: Path, section: str, content: Mapping[str, Any]) -> dict[str, Value]:
    known = {name.partition(".")[2]: key for name, key in KEYS.items() if name.startswith(f"{section}.")}
    return {f"{section}.{name}": value for name, value in _checked(path, section, content, known).items()}


def _from_datasets(path: Path, _: str, content: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for dataset, keys in content.items():
        if dataset != identifier(dataset):
            raise UsageError(
                f"{path}: [datasets.{dataset}] is not a dataset's name",
                next=f"a dataset is its landing folder in lower-case letters, digits and _: {identifier(dataset)}",
            )
        if not isinstance(keys, dict):
            raise UsageError(f"{path}: datasets.{dataset} is a section", next=f"write [datasets.{dataset}]")
        section = f"datasets.{dataset}"
        checked = _checked(path, section, keys, DATASET_KEYS)
        deliveries = checked.pop("deliveries", None)
        if deliveries is not None:
            found |= _from_deliveries(path, f"{section}.deliveries", deliveries)
        found |= {f"{section}.{name}": value for name, value in checked.items()}
    return found


def _from_schedules(path: Path, _: str, content: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for schedule, keys in content.items():
        require_name(schedule, str(path))
        section = f"schedules.{schedule}"
        if not isinstance(keys, dict) or not keys:
            raise UsageError(f"{path}: {section} says nothing", next=f"write [{section}], and cron or when below it")
        checked = _checked(path, section, keys, SCHEDULE_KEYS)
        found |= {f"{section}.{name}": value for name, value in checked.items()}
    return found


def _from_deliveries(path: Path, section: str, said: Value) -> dict[str, Value]:
    if not isinstance(said.value, dict):
        raise UsageError(f"{path}: {section} is a section", next=f"write [{section}] on a line of its own")
    checked = _checked(path, section, said.value, DELIVERIES_KEYS)
    return {f"{section}.{name}": value for name, value in checked.items()}


_NESTED = {"datasets": _from_datasets, "schedules": _from_schedules}


def _checked(path: Path, section: str, content: Mapping[str, Any], known: Mapping[str, Key]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, raw in content.items():
        if name not in known and _SECRET.search(name):
            raise UsageError(
                f"{path} [{section}] {name}: a secret does not belong in a file that is committed",
                next=f"take it out, and set {_secrets_of(section)} in the environment",
            )
        if name not in known:
            raise UsageError(f"{path} [{section}]: no key {name!r}", next=nearest(name, known))
        found[name] = Value(read_value(known[name], raw, f"{path} [{section}] {name}"), f"{FILE} [{section}] {name}")
    return found


def _secrets_of(section: str) -> str:
    """The variables that a section's secrets come from."""
    return PASSWORD_VARIABLE if section == "alerts" else " and ".join(KEY_VARIABLES)


def from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    """What the variables say that are called LAKE_SECTION_KEY; raises `UsageError` on one that no setting has."""
    known = {"LAKE_" + name.upper().replace(".", "_"): name for name in KEYS}
    found: dict[str, Value] = {}
    for variable, text in environ.items():
        if variable in known:
            key = KEYS[known[variable]]
            source = f"environment {variable}"
            found[known[variable]] = Value(read_value(key, _raw(key, text), source), source)
        elif _is_setting(variable):
            raise UsageError(
                f"environment {variable}: no such setting", next=nearest(variable, (*known, *SECRET_VARIABLES))
            )
    return found


def _is_setting(variable: str) -> bool:
    """Whether a variable looks like one of ours, so that a slip of the pen is not passed over in silence."""
    sections = tuple(f"LAKE_{section.upper()}_" for section in _SECTIONS)
    return variable.startswith(sections) and variable not in SECRET_VARIABLES


def _raw(key: Key, text: str) -> object:
    """A variable's text as ``lake.toml`` would have it."""
    if key.kind is bool:
        return {"true": True, "false": False}.get(text, text)
    return text if key.kind is str else _number(text)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def default(name: str) -> str | float:
    """A setting's value where nobody gives it one."""
    return round(_machine_gb() / 4, 1) if name == "compute.memory_gb" else KEYS[name].default


def _machine_gb() -> float:
    """The memory of this machine in GB, or of the container where that has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        limit = total
    return min(total, limit) / 1e9
