"""Schedules for those who have cron or systemd already: crontab lines, and units, as text."""

import re
import shlex
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from catalog.errors import UsageError
from lake.cron import DAYS, Cron
from lake.timetable import Timetable

ENVIRONMENT = "schedule.env"
"""The file, in .lake of the project, that the keys to a store elsewhere are read from."""

_STOP_SECONDS = 300


def program() -> tuple[str, ...]:
    """What runs the lake's commands from anywhere: the script beside this Python, else the Python itself."""
    script = Path(sys.executable).with_name("lake")
    return (str(script),) if script.is_file() else (sys.executable, "-m", "lake")


def crontab(project: Path, timetables: Iterable[Timetable], *, has_keys: bool) -> str:
    """Lines for ``crontab -e``. ``has_keys``: keys to the store come from a file. Raises `UsageError`.

    What a line says after its five fields is for the shell, and a % in it would be a line's end to cron.
    """
    lines, zone = [], None
    for timetable in timetables:
        if timetable.cron is None:
            continue
        if timetable.cron.zone != zone:
            zone = timetable.cron.zone
            lines.append(f"CRON_TZ={zone}")
        command = shlex.join([*program(), "-C", str(project), "schedule", "run", "--now", timetable.name])
        if has_keys:
            command = f"set -a; . {shlex.quote(str(project / '.lake' / ENVIRONMENT))}; {command}"
        _require_one_line(command)
        lines.append(f"{timetable.cron.text} {command}".replace("%", r"\%"))
    return "".join(f"{line}\n" for line in lines)


def units(lake: str, project: Path, timetables: Collection[Timetable], *, has_keys: bool) -> dict[str, str]:
    """Units for systemd by file name: a timer and a service for each schedule by the clock; a server for the others.

    Raises `UsageError`.
    """
    base = f"lake-{re.sub(r'[^A-Za-z0-9_.-]+', '-', lake).strip('-') or 'lake'}"
    _require_one_line(str(project))
    made: dict[str, str] = {}
    for timetable in timetables:
        if timetable.cron is not None:
            unit, told = f"{base}-{timetable.name}", f"{timetable.name} of the lake {lake}"
            command = _command(project, "--now", timetable.name)
            made[f"{unit}.service"] = _unit(told, _service(project, command, has_keys, Type="oneshot"))
            made[f"{unit}.timer"] = _unit(told, _timer(timetable.cron, timetable.missed == "once"), "timers.target")
    others = [timetable.name for timetable in timetables if timetable.cron is None]
    if others:
        service = _service(project, _command(project, *others), has_keys, Type="exec", Restart="on-failure")
        made[f"{base}-changes.service"] = _unit(f"{', '.join(others)} of the lake {lake}", service, "default.target")
    return made


def calendar(cron: Cron) -> list[str]:
    """The same times as systemd.time(7) has them; two, where a day's number or its weekday is enough.

    >>> calendar(Cron.parse("*/30 2 13 * fri", "Europe/Vienna"))
    ['*-*-13 02:00,30:00 Europe/Vienna', 'Fri *-*-* 02:00,30:00 Europe/Vienna']
    """
    found = cron.calendar
    clock = f"{_listed(found.hours, range(24))}:{_listed(found.minutes, range(60))}:00 {cron.zone}"
    day, month = _listed(found.days, range(1, 32)), _listed(found.months, range(1, 13))
    numbers = sorted({int(str(weekday)) % 7 for weekday in found.weekdays})
    weekdays = "" if len(numbers) == len(DAYS) else f"{','.join(DAYS[number].title() for number in numbers)} "
    if found.day_and:
        return [f"{weekdays}*-{month}-{day} {clock}"]
    return [f"*-{month}-{day} {clock}", f"{weekdays}*-{month}-* {clock}"]


def _listed(numbers: Collection[int], every: range) -> str:
    return "*" if set(numbers) >= set(every) else ",".join(f"{number:02}" for number in sorted(numbers))


def _unit(description: str, sections: str, wanted_by: str = "") -> str:
    install = f"\n[Install]\nWantedBy={wanted_by}\n" if wanted_by else ""
    return f"[Unit]\nDescription={description.replace('%', '%%')}\n\n{sections}{install}"


def _service(project: Path, command: str, has_keys: bool, **keys: str) -> str:
    """A stop asks the server alone, which lets the run at hand end; its workers end with it."""
    said: Mapping[str, str] = keys | {"ExecStart": command, "KillMode": "mixed", "TimeoutStopSec": str(_STOP_SECONDS)}
    if has_keys:
        said = {**said, "EnvironmentFile": str(project / ".lake" / ENVIRONMENT).replace("%", "%%")}
    return "[Service]\n" + "".join(f"{key}={value}\n" for key, value in said.items())


def _timer(cron: Cron, is_persistent: bool) -> str:
    times = "".join(f"OnCalendar={each}\n" for each in calendar(cron))
    return f"[Timer]\n{times}AccuracySec=1s\nPersistent={str(is_persistent).lower()}\n"


def _command(project: Path, *arguments: str) -> str:
    return " ".join(map(_quoted, [*program(), "-C", str(project), "schedule", "run", *arguments]))


def _quoted(word: str) -> str:
    """A word of a command line as systemd reads it."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w./@%+=:,$-]+", plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _require_one_line(text: str) -> None:
    if not text.isprintable():
        raise UsageError(
            "the project's path has a line break, or a sign that is none", next="move it to another folder"
        )
