"""A new lake project: a folder with ``lake.toml`` and ``jobs/``."""

import shutil
from difflib import get_close_matches
from pathlib import Path

from catalog.errors import UsageError
from lake.settings import FILE, KEYS, STATE

_BESIDE = Path(__file__).resolve().parent
_DATASET_EXAMPLE = (
    "# [datasets.prices]  # one dataset's files; lake inspect FILE --toml prints such lines, docs/ingestion.md has all",
    '# files = ["cpi_*"]',
    '# drift = "freeze"',
    "",
    "# [schedules.nightly]  # runs at times; docs/operations.md has all of it",
    '# cron = "30 2 * * 1-5"',
)


def examples_folder() -> Path:
    """Where the example projects are: beside the packages in a checkout, inside this one in an installed wheel."""
    inside = _BESIDE / "examples"
    return inside if inside.is_dir() else _BESIDE.parent / "examples"


def init(folder: Path, *, example: str | None = None, server: str | None = None) -> bool:
    """Make a project in a folder, out of an example or empty; False, and nothing is changed, where there is one.

    ``server`` is written into ``lake.toml``. Raises `UsageError` for an example that there is not, and for a folder
    that holds something else under the names that a project uses.
    """
    if (folder / FILE).exists():
        return False
    there = [name for name in ("jobs", "tests") if (folder / name).exists() and (name == "jobs" or example)]
    if there:
        raise UsageError(f"{folder} has a folder {there[0]} already, and no {FILE}", next="name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    toml = _settings_text(folder.resolve().name)
    if example is not None:
        source = _example(example)
        for name in ("jobs", "tests"):
            if (source / name).is_dir():
                shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        toml = (source / FILE).read_text(encoding="utf-8")
    (folder / "jobs").mkdir(exist_ok=True)
    (folder / ".gitignore").write_text(f"{STATE}/\n", encoding="utf-8")
    chosen = f'\n[store]\nserver = "{server}"\n' if server else ""
    (folder / FILE).write_text(toml + chosen, encoding="utf-8")
    return True


def _example(name: str) -> Path:
    there = sorted(folder.name for folder in examples_folder().iterdir() if (folder / FILE).is_file())
    if name not in there:
        near = get_close_matches(name, there, n=1)
        raise UsageError(
            f"no example {name!r}", next=f"the nearest is {near[0]}" if near else f"one of {', '.join(there)}"
        )
    return examples_folder() / name


def _settings_text(name: str) -> str:
    """A ``lake.toml`` that names the lake and shows the other settings with their defaults, as comments."""
    lines = ["# Everything here has a default; lake status shows each setting and where it came from.", ""]
    section = ""
    for key, known in KEYS.items():
        group, _, short = key.partition(".")
        if group != section and group not in ("lake", "store"):
            lines += ["", f"# [{group}]"]
        if group == "lake":
            lines += ["[lake]", f'{short} = "{name}"']
        elif group != "store":
            default = f'"{known.default}"' if known.kind is str else known.default
            lines.append(f"# {short} = {known.shown or default}  # {known.help}")
        section = group
    return "\n".join([*lines, "", *_DATASET_EXAMPLE]) + "\n"
