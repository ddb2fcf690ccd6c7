"""What cron and systemd are given: parsed again by the programs that will read it, or by readers of the test's own."""

import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from catalog.errors import UsageError
from catalog.zones import TableName
from lake.cron import Cron
from lake.timetable import Timetable
from lake.units import calendar, crontab, program, units

AWKWARD = Path('/srv/the lakes/100% "sure" $HOME it\'s')
NIGHTLY = Timetable("nightly", Cron.parse("30 2 * * 1-5", "Europe/Vienna"))
FOLLOW = Timetable("follow", when=(TableName.parse("bronze.flights"),))
START = datetime(2026, 6, 1, 12, tzinfo=UTC)

EXPRESSIONS = [
    "30 2 * * 1-5",
    "*/15 * * * *",
    "0 6,18 1 * *",
    "5 0 13 * fri",
    "0 12 */10 * *",
    "0 3 * 1,7 *",
    "59 23 31 * *",
    "0 0 * * 0,7",
    "@weekly",
    "10-20/5 8-17 1-7 * 2",
]


def fields_of(line: str) -> tuple[list[str], str]:
    """A crontab line as cron reads it: five fields, and what goes to the shell up to a % that is not escaped."""
    *fields, rest = line.split(maxsplit=5)
    command = re.split(r"(?<!\\)%", rest)[0]
    return fields, command.replace(r"\%", "%")


def words_of(line: str) -> list[str]:
    """A command line as systemd.service(5) reads it."""
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split, words.commenters = True, ""
    return [word.replace("%%", "%").replace("$$", "$") for word in words]


class Calendar:
    """A calendar event as systemd.time(7) has it: weekdays, date, time, zone."""

    def __init__(self, text: str) -> None:
        *weekdays, date, time, zone = text.split()
        self.zone = ZoneInfo(zone)
        self.weekdays = set(weekdays[0].split(",")) if weekdays else set()
        parts = [*date.split("-"), *time.split(":")]
        self.parts = [None if part == "*" else set(map(int, part.split(","))) for part in parts]

    def is_at(self, moment: datetime) -> bool:
        wall = moment.astimezone(self.zone)
        found = (wall.year, wall.month, wall.day, wall.hour, wall.minute, wall.second)
        is_day = not self.weekdays or wall.strftime("%a") in self.weekdays
        return is_day and all(part is None or value in part for value, part in zip(found, self.parts, strict=True))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_systemds_times_are_the_same(text: str) -> None:
    """Two of its lines, where one of two conditions on the day is enough. In summer: a change is each program's own."""
    cron = Cron.parse(text, "Europe/Vienna")
    events = [Calendar(line) for line in calendar(cron)]
    times, moment = list(islice(cron.times(START), 40)), START
    until = min(times[-1], START + timedelta(days=60))
    found = []
    while moment < until:
        moment += timedelta(minutes=1)
        if any(event.is_at(moment) for event in events):
            found.append(moment)
    assert found == [time for time in times if time <= until]
    if shutil.which("systemd-analyze"):
        assert systemds(calendar(cron), 5) == times[:5]


def systemds(lines: list[str], count: int) -> list[datetime]:
    """The next times of calendar events, as systemd says them."""
    base = START.strftime("--base-time=%Y-%m-%d %H:%M:%S UTC")
    command = ["systemd-analyze", "calendar", f"--iterations={count}", base, *lines]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "LC_ALL": "C"}).stdout
    found = re.findall(r"(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w+ (\S+ \S+) UTC", said)
    return sorted({datetime.fromisoformat(each).replace(tzinfo=UTC) for each in found})[:count]


def test_a_line_for_cron_keeps_an_awkward_path() -> None:
    """The shell gets each word as it is; a % is no line's end."""
    said = crontab(AWKWARD, [NIGHTLY, FOLLOW], has_keys=False).splitlines()
    assert said[0] == "CRON_TZ=Europe/Vienna"
    fields, command = fields_of(said[1])
    assert fields == ["30", "2", "*", "*", "1-5"]
    assert shlex.split(command) == [*program(), "-C", str(AWKWARD), "schedule", "run", "--now", "nightly"]
    assert len(said) == 2


def test_a_line_for_cron_reads_the_keys(tmp_path: Path) -> None:
    """Its shell has them in the environment of the command."""
    folder = tmp_path / "it's 5%"
    (folder / ".lake").mkdir(parents=True)
    (folder / ".lake" / "schedule.env").write_text("LAKE_STORE_ACCESS_KEY=abc\n")
    command = fields_of(crontab(folder, [NIGHTLY], has_keys=True).splitlines()[1])[1]
    sourced = command.replace(shlex.join(program()), "printenv LAKE_STORE_ACCESS_KEY #")
    assert subprocess.run(["sh", "-c", sourced], capture_output=True, text=True, check=True).stdout == "abc\n"


def test_units_keep_an_awkward_path() -> None:
    """And say what each is for."""
    made = units("Wien 100%", AWKWARD, [NIGHTLY, FOLLOW], has_keys=True)
    assert sorted(made) == [
        "lake-Wien-100-changes.service",
        "lake-Wien-100-nightly.service",
        "lake-Wien-100-nightly.timer",
    ]
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Vienna" in made["lake-Wien-100-nightly.timer"]
    for name, words in (("nightly", ["--now", "nightly"]), ("changes", ["follow"])):
        service = made[f"lake-Wien-100-{name}.service"]
        command = re.search(r"^ExecStart=(.*)$", service, re.MULTILINE)
        assert command is not None
        assert words_of(command[1]) == [*program(), "-C", str(AWKWARD), "schedule", "run", *words]
        assert "KillMode=mixed" in service


@pytest.mark.parametrize("missed", ["once", "skip"])
def test_systemd_takes_the_units(tmp_path: Path, missed: str) -> None:
    """As its own checker says where there is one; else each line is a key of a section."""
    timetables = [Timetable("nightly", NIGHTLY.cron, missed=missed), FOLLOW]
    made = units("shop", tmp_path, timetables, has_keys=False)
    for name, text in made.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert all(re.fullmatch(r"\[\w+\]|\w+=.+|", line) for line in text.splitlines())
    assert f"Persistent={'true' if missed == 'once' else 'false'}" in made["lake-shop-nightly.timer"]
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.glob("lake-*"))]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "lake-" not in checked.stderr, checked.stderr


def test_a_path_of_two_lines_is_refused() -> None:
    """Neither cron nor systemd could read it."""
    for made in (lambda p: crontab(p, [NIGHTLY], has_keys=False), lambda p: units("a", p, [NIGHTLY], has_keys=False)):
        with pytest.raises(UsageError):
            made(Path("/srv/a\n* * * * * evil"))
