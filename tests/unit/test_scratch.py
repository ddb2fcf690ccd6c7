"""Scratch folders: nobody else's while they are held, gone when they are not, whatever numbers the processes have."""

import subprocess
import sys
from pathlib import Path

from lake.scratch import held_folder, scratch_folder
from tests.support.stores import ROOT

HOLDER = """
import os, sys
from pathlib import Path
from lake.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    if sys.argv[2] == "unknown pid" and os.fork():
        os._exit(0)
    (folder / "rows").write_text("mine")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(state: Path, kind: str) -> "subprocess.Popen[str]":
    """A process that holds a scratch folder, whose path it prints, until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def folder_of(held: "subprocess.Popen[str]") -> Path:
    assert held.stdout is not None
    return Path(held.stdout.readline().strip())


def test_a_folder_is_there_while_it_is_held(tmp_path: Path) -> None:
    """Two of one process are two; each goes with what is in it, also when something is raised."""
    try:
        with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
            (first / "rows").touch()
            assert first != second
            assert sorted(path.name for path in first.parent.iterdir() if path.is_dir()) == sorted(
                [first.name, second.name]
            )
            raise KeyError
    except KeyError:
        pass
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_a_process_unknown_here_holds_is_left_alone(tmp_path: Path) -> None:
    """The process that made it cannot be seen, as none of another container can; whoever works in it lives."""
    with holder(tmp_path, "unknown pid") as other:
        folder = folder_of(other)
        assert other.wait() == 0
        with scratch_folder(tmp_path):
            assert (folder / "rows").read_text() == "mine"
        other.communicate()
    assert not folder.exists()


def test_what_a_killed_process_held_is_swept(tmp_path: Path) -> None:
    """Also while its pid is still taken: it was not buried yet, or a stranger has the number now."""
    with holder(tmp_path, "") as other:
        folder = folder_of(other)
        assert other.stdin is not None
        other.kill()
        assert other.stdout is not None
        assert other.stdout.read() == ""
        with scratch_folder(tmp_path):
            assert not folder.exists()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_never_got_its_lock_is_swept(tmp_path: Path) -> None:
    """Whoever died between making the folder and locking it left no lock."""
    (tmp_path / "leases" / "half").mkdir(parents=True)
    with held_folder(tmp_path / "leases") as folder:
        assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]
