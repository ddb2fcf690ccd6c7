"""A campaign of files: ``python -m tests.dirty.campaign --examples 10000 --seed 1``.

Files of all kinds are written and read. Whatever the reader breaks is put together by what it looks like; at the end
the first of each kind is made again and shrunk, and left as a small file below ``build/dirty``, with what was written
and what was got.
"""

import argparse
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from pprint import pformat

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.dirty.damage import damaged_files, long_files
from tests.dirty.files import files, plain_files
from tests.dirty.oracle import judge
from tests.dirty.outcome import Broken
from tests.dirty.reading import read
from tests.dirty.writers import Written

ROUND = 250
LONG_EVERY = 8
"""Each so many rounds is one of long files, a tenth as many."""
SHRUNK_MAX = 12

_PARTICULARS = re.compile(r"[:(]|, (?=['\"])")

SHORT = st.one_of(plain_files(), files(), damaged_files(), damaged_files())


@dataclass(frozen=True)
class Round:
    """Some examples from one seed: the same again whenever it is run."""

    seed: str
    examples: int
    strategy: st.SearchStrategy[Written] = field(default_factory=lambda: SHORT)

    def run(self, test: Callable[[Written], None], *, shrink: bool = False) -> None:
        """Give each example to a test; what it raises is raised for the smallest that raises it."""
        phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

        def example(written: Written) -> None:
            test(written)

        wrapped = settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            phases=phases,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )(given(self.strategy)(example))
        seed(self.seed)(wrapped)()


class Campaign:
    """Counts outcomes, and remembers in which round each kind of failure came first."""

    def __init__(self, folder: Path, out: Path, say: Callable[[str], None] = print) -> None:
        self._folder = folder
        self._out = out
        self._say = say
        self.outcomes: Counter[str] = Counter()
        self.failures: dict[str, Round] = {}

    def go(self, examples: int, number: int) -> None:
        """Run that many examples, then shrink what failed."""
        begun, done, place = time.monotonic(), 0, 0
        while done < examples:
            place += 1
            current = self._round(f"{number}/{place}", place, examples - done)
            current.run(partial(self._count, current))
            done += current.examples
            broken = sum(self.outcomes[kind] for kind in self.failures)
            self._say(f"{number}/{place}: {done:,} examples, {broken} broken, {time.monotonic() - begun:.0f} s")
        for failure, first in list(self.failures.items())[:SHRUNK_MAX]:
            self._shrink(failure, first)

    def _round(self, name: str, place: int, left: int) -> Round:
        if place % LONG_EVERY == 0:
            return Round(name, min(ROUND // 10, left), long_files())
        return Round(name, min(ROUND, left))

    def _count(self, current: Round, written: Written) -> None:
        failure = self._failure(written)
        if failure is not None:
            self.failures.setdefault(failure, current)

    def _failure(self, written: Written) -> str | None:
        try:
            outcome = judge(written, read(written.data, self._folder))
        except Exception as error:
            outcome = kind_of(error)
            self.outcomes[outcome] += 1
            return outcome
        self.outcomes[outcome] += 1
        return None

    def _shrink(self, failure: str, first: Round) -> None:
        """Make the round again, so that Hypothesis shrinks what fails in this way, and save the smallest file."""
        smallest: list[Written] = []
        before = self.outcomes.copy()

        def test(written: Written) -> None:
            if self._failure(written) == failure:
                smallest[:] = [written]
                raise Broken(failure)

        try:
            first.run(test, shrink=True)
        except Broken:
            self._save(failure, first, smallest[0])
        else:
            self._say(f"{failure}: not found again in round {first.seed}")
        self.outcomes = before

    def _save(self, failure: str, first: Round, written: Written) -> None:
        folder = self._out / re.sub(r"\W+", "-", failure).strip("-")[:80]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file.csv").write_bytes(written.data)
        try:
            got = read(written.data, self._folder)
            told = pformat(got, width=118)
            judge(written, got)
        except Exception:
            told = f"{locals().get('told', '')}\n{traceback.format_exc()}"
        report = f"round {first.seed}: {failure}\n\n{written.data!r}\n\nwritten: {written!r}\n\ngot: {told}\n"
        (folder / "report.txt").write_text(report)
        self._say(f"{failure}\n  {folder}\n  {written.data[:300]!r}")


def kind_of(error: Exception) -> str:
    """What a failure looks like, without its particulars, so that the same failure is told again.

    >>> kind_of(Broken("line 12 is lost: '1,2'"))
    'BROKEN line # is lost'
    """
    if isinstance(error, Broken):
        return (
            "BROKEN " + re.sub(r"\d+", "#", re.split(r"[:(]|, (?=['\"])| was (?=\()|(?<=is) \(", str(error))[0]).strip()
        )
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"BROKEN {type(error).__name__} in {Path(place.filename).name} {place.name}"


def main() -> None:
    """Run a campaign; the exit code is 1 where something broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/dirty"))
    given_arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lake-dirty-") as folder:
        campaign = Campaign(Path(folder), given_arguments.out, lambda told: print(told, flush=True))
        campaign.go(given_arguments.examples, given_arguments.seed)
    for outcome, count in campaign.outcomes.most_common():
        print(f"{count:>8,}  {outcome}")
    sys.exit(1 if campaign.failures else 0)


if __name__ == "__main__":
    main()
