"""Which settings there are, what each may be, and how one is read from ``lake.toml`` or the environment."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from catalog.errors import UsageError

FILE = "lake.toml"
AWS = "aws"
KEY_VARIABLES = ("LAKE_STORE_ACCESS_KEY", "LAKE_STORE_SECRET_KEY")

SERVERS = ("seaweedfs", "minio")
ON_CORRECTION = ("replace", "append")


@dataclass(frozen=True)
class Value:
    """One setting's value, and the place that it came from.

    >>> Value(10.0, "default").source
    'default'
    """

    value: str | float
    source: str


@dataclass(frozen=True)
class Key:
    """What a setting may be: its kind, its default, its choices and its least value."""

    kind: type[str] | type[float]
    default: str | float
    help: str
    choices: tuple[str, ...] = ()
    minimum: float = 0


KEYS: Mapping[str, Key] = {
    "lake.name": Key(str, "", "what the lake is called; empty: its folder's name"),
    "store.server": Key(str, "", "the local server; empty: MinIO where installed, else SeaweedFS", choices=SERVERS),
    "store.endpoint": Key(str, "", "the URL of any S3 store, or aws; empty: a local server"),
    "store.region": Key(str, "us-east-1", "the region of a named endpoint"),
    "store.bucket_prefix": Key(str, "", "goes before the five buckets' names"),
    "store.startup_seconds": Key(float, 60.0, "how long a local server may take to answer", minimum=0.01),
    "ingest.worker_memory_gb": Key(float, 2.0, "the memory limit of one parser", minimum=0.1),
    "ingest.worker_seconds_max": Key(float, 600.0, "the time limit of one file", minimum=1),
    "ingest.on_correction": Key(str, "replace", "a changed file under an old name", choices=ON_CORRECTION),
    "compute.memory_gb": Key(
        float, -1.0, "what a query or a job may hold; default: a quarter of the machine", minimum=0.1
    ),
    "cache.size_gb": Key(float, 10.0, "data files kept on the local disk", minimum=0),
}
_DATASET_KEYS = {"on_correction": Key(str, "replace", "a changed file under an old name", choices=ON_CORRECTION)}
_SECTIONS = (*dict.fromkeys(name.split(".")[0] for name in KEYS), "datasets")
_DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
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
        found |= _from_datasets(path, content) if section == "datasets" else _from_section(path, section, content)
    return found


def _from_section(path: Path, section: str, content: Mapping[str, Any]) -> dict[str, Value]:
    known = {name.partition(".")[2]: key for name, key in KEYS.items() if name.startswith(f"{section}.")}
    return {f"{section}.{name}": value for name, value in _checked(path, section, content, known).items()}


def _from_datasets(path: Path, content: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for dataset, keys in content.items():
        if _DATASET.fullmatch(dataset) is None:
            raise UsageError(
                f"{path}: [datasets.{dataset}] is not a dataset's name",
                next="a dataset is its landing folder in lower-case letters, digits and _",
            )
        if not isinstance(keys, dict):
            raise UsageError(f"{path}: datasets.{dataset} is a section", next=f"write [datasets.{dataset}]")
        checked = _checked(path, f"datasets.{dataset}", keys, _DATASET_KEYS)
        found |= {f"datasets.{dataset}.{name}": value for name, value in checked.items()}
    return found


def _checked(path: Path, section: str, content: Mapping[str, Any], known: Mapping[str, Key]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, raw in content.items():
        if name not in known and _SECRET.search(name):
            raise UsageError(
                f"{path} [{section}] {name}: a secret does not belong in a file that is committed",
                next=f"take it out, and set {' and '.join(KEY_VARIABLES)} in the environment",
            )
        if name not in known:
            raise UsageError(f"{path} [{section}]: no key {name!r}", next=nearest(name, known))
        found[name] = Value(_value(known[name], raw, f"{path} [{section}] {name}"), f"{FILE} [{section}] {name}")
    return found


def from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    """What the variables say that are called LAKE_SECTION_KEY; raises `UsageError` on one that no setting has."""
    known = {"LAKE_" + name.upper().replace(".", "_"): name for name in KEYS}
    found: dict[str, Value] = {}
    for variable, text in environ.items():
        if variable in known:
            key = KEYS[known[variable]]
            source = f"environment {variable}"
            found[known[variable]] = Value(_value(key, _number(text) if key.kind is not str else text, source), source)
        elif _is_setting(variable):
            raise UsageError(
                f"environment {variable}: no such setting", next=nearest(variable, (*known, *KEY_VARIABLES))
            )
    return found


def _is_setting(variable: str) -> bool:
    """Whether a variable looks like one of ours, so that a slip of the pen is not passed over in silence."""
    sections = tuple(f"LAKE_{section.upper()}_" for section in _SECTIONS)
    return variable.startswith(sections) and variable not in KEY_VARIABLES


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _value(key: Key, raw: object, where: str) -> str | float:
    if key.kind is str:
        if not isinstance(raw, str):
            raise UsageError(f"{where}: a text is needed", next='write it in quotes, as in "text"')
        if key.choices and raw not in (*key.choices, key.default):
            raise UsageError(f"{where}: {raw!r} is not a choice", next=nearest(raw, key.choices))
        return raw
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise UsageError(f"{where}: a number is needed", next="write it without quotes and units, as in 2.5")
    if not key.minimum <= raw < float("inf"):
        raise UsageError(f"{where}: {raw} is out of range", next=f"write a number from {key.minimum:g} up")
    return key.kind(raw)


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


def nearest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """What to do about a name that is not known.

    >>> nearest("sevrer", ("server", "region"))
    "did you mean 'server'?"
    """
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
