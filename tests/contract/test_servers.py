"""The local servers, as a person meets them: by ``lake up``, ``down`` and ``status`` in a project of their own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from catalog.objects import Endpoint
from catalog.zones import Zone
from lake.local import Process, read_keys, read_local, write_local
from lake.server.install import find_minio
from tests.support.command import Project
from tests.support.stores import ROOT, SERVERS, Stores, environment, running

OTHER = {"seaweedfs": "minio", "minio": "seaweedfs"}


@pytest.fixture(params=SERVERS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "lake.toml").touch()
    made = Project(tmp_path, request.param)
    yield made
    (tmp_path / "lake.toml").write_text("", encoding="utf-8")
    made.down()


def test_the_first_up_makes_a_store_that_is_safe_to_use(project: Project) -> None:
    """Five buckets, landing with versions; keys that only their owner reads; ports that only this machine reaches."""
    said = project.lake("up") + project.lake("status") + project.lake("doctor")
    assert project.server in said
    assert project.local.url in said
    for zone in Zone:
        assert project.store.create(zone, "key", b"body")
    assert project.store.is_versioned(Zone.LANDING)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in project.state.iterdir() if path.is_file()}
    assert modes.pop("lock") & 0o077 == 0 or (project.state.stat().st_mode & 0o077) == 0
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(project.state.stat().st_mode) == 0o700
    listening = [c.laddr for c in psutil.Process(project.process.pid).net_connections() if c.status == "LISTEN"]
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}
    assert project.local.ports["s3"] in {address.port for address in listening}


def test_no_key_is_said_logged_or_shown_to_other_users(project: Project) -> None:
    """Not by a command, not in a log, not in the arguments of the process."""
    said = project.lake("up") + project.lake("up") + project.lake("status")
    said += "".join(path.read_text(errors="replace") for path in (project.state / "logs").iterdir() if path.is_file())
    said += " ".join(psutil.Process(project.process.pid).cmdline())
    keys = read_keys(project.state)
    assert keys is not None
    for secret in (keys.access_key, keys.secret_key, *keys.signing.values()):
        assert secret not in said


def test_a_second_up_finds_it_running(project: Project) -> None:
    """The process stays the same."""
    project.up()
    before = project.process
    assert "already running" in project.lake("up")
    assert project.process == before


def test_of_two_at_once_one_starts_it(project: Project) -> None:
    """The other waits, then finds it running."""
    children = [project.start("up") for _ in range(2)]
    said = ["".join(child.communicate()) for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert sum("is running at" in text for text in said) == 1, said
    assert sum("already running" in text for text in said) == 1, said
    assert len(_servers_of(project)) == 1


def test_down_then_up_keeps_the_data(project: Project) -> None:
    """Exit codes of status say which it is; a second down is no error; the ports stay the same."""
    assert "never started" in project.lake("status", code=3)
    project.up()
    project.store.create(Zone.BRONZE, "key", b"body")
    before = project.local
    project.lake("status", code=0)
    assert "stopped" in project.lake("down")
    assert _servers_of(project) == []
    assert "down (is stopped)" in project.lake("status", code=3)
    assert "lake up" in project.lake("doctor", code=3)
    assert "nothing to stop" in project.lake("down")
    project.up()
    assert project.local.ports == before.ports
    assert project.store.get(Zone.BRONZE, "key") == b"body"


def test_a_crash_is_seen_and_mended(project: Project) -> None:
    """After kill -9 status says so, and up brings the data back."""
    project.up()
    project.store.create(Zone.BRONZE, "key", b"body")
    os.kill(project.process.pid, signal.SIGKILL)
    _await_end(project.process)
    assert "crashed" in project.lake("status", code=3)
    assert "although nobody stopped it" in project.lake("up")
    assert project.store.get(Zone.BRONZE, "key") == b"body"


def test_a_stranger_with_the_same_pid_is_left_alone(project: Project) -> None:
    """A pid that was reused is not the server: not for status, not for down, not for up."""
    project.up()
    real = project.process
    os.kill(real.pid, signal.SIGKILL)
    _await_end(real)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        write_local(replace(project.local, process=Process(stranger.pid, real.started)))
        assert "crashed" in project.lake("status", code=3)
        project.lake("down")
        write_local(replace(project.local, process=Process(stranger.pid, real.started)))
        project.up()
        assert stranger.poll() is None
        stranger.kill()


def test_a_taken_port_is_left_to_who_has_it(project: Project) -> None:
    """Others are chosen, and the data is there."""
    project.up()
    project.store.create(Zone.BRONZE, "key", b"body")
    project.down()
    port = project.local.ports["s3"]
    with _taken(port):
        assert "choosing others" in project.lake("up")
        assert project.local.ports["s3"] != port
        assert project.store.get(Zone.BRONZE, "key") == b"body"


@contextmanager
def _taken(port: int) -> Iterator[None]:
    """Somebody has the port: this test, or a server of another test process that was faster and stays."""
    until = time.monotonic() + 10
    while True:
        try:
            held = socket.create_server(("127.0.0.1", port))
        except OSError:
            # The end of a connection, or a server that is going.
            if time.monotonic() > until:
                yield
                return
            time.sleep(0.1)
        else:
            with held:
                yield
            return


def test_a_start_that_takes_too_long_is_undone(project: Project) -> None:
    """What was started is stopped; the message names the log and the setting; the next up succeeds."""
    project.environ["LAKE_STORE_STARTUP_SECONDS"] = "0.01"
    said = project.lake("up", code=3)
    assert "did not answer within 0.01 s" in said
    assert str(project.state / "logs" / f"{project.server}.log") in said
    assert "startup_seconds" in said
    assert _servers_of(project) == []
    project.environ.clear()
    project.up()


def test_a_server_that_ends_as_it_starts_is_quoted(project: Project) -> None:
    """The end of its log says why."""
    project.up()
    project.down()
    damaged = {"minio": ".minio.sys/format.json", "seaweedfs": "filerldb2"}[project.server]
    path = project.state / "data" / damaged
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.write_text("not what it was", encoding="utf-8")
    said = project.lake("up", code=3)
    assert "ended as it started" in said
    assert "the end of its log" in said
    assert str(project.state / "data") in said


def test_a_log_that_is_quoted_shows_no_key(tmp_path: Path) -> None:
    """Of all that the lake made, for requests and for signing, a name stands in its place."""
    (tmp_path / "lake.toml").touch()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "minio"
    program.write_text("#!/bin/sh\ncat ../keys.json\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    project = Project(tmp_path, "minio", {"PATH": f"{program.parent}:{os.environ['PATH']}"})
    said = project.lake("up", code=3)
    keys = read_keys(project.state)
    assert keys is not None
    assert "(secret key)" in said
    for secret in (keys.access_key, keys.secret_key, *keys.signing.values()):
        assert secret not in said


def test_a_frozen_server_is_told_from_a_dead_one(project: Project) -> None:
    """Status answers all the same, and down ends it."""
    project.up()
    frozen = project.process
    os.kill(frozen.pid, signal.SIGSTOP)
    said = project.lake("status", code=3)
    assert "silent (does not answer within" in said
    assert "lake down" in said
    project.lake("down")
    assert not frozen.is_running()


def test_the_data_of_the_other_server_is_not_touched(project: Project) -> None:
    """The message names both, and the way out; it also holds when the state file is lost."""
    project.up()
    project.down()
    other = OTHER[project.server]
    project.environ["LAKE_STORE_SERVER"] = other
    for _ in range(2):
        said = project.lake("up", code=2)
        assert f"made by {project.server}" in said
        assert f"environment LAKE_STORE_SERVER says {other}" in said
        (project.state / "server.json").unlink(missing_ok=True)


def test_a_server_left_by_a_lost_state_file_is_replaced(project: Project) -> None:
    """Two servers on one folder would ruin it: an up that was killed may have left one that nobody remembers."""
    project.up()
    project.store.create(Zone.BRONZE, "key", b"body")
    left = project.process
    (project.state / "server.json").unlink()
    assert "left behind" in project.lake("up")
    assert not left.is_running()
    assert _servers_of(project) == [project.process.pid]
    assert project.store.get(Zone.BRONZE, "key") == b"body"


def test_a_copy_of_a_project_does_not_stop_the_original(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The copy's server is its own."""
    project.up()
    copy = Project(tmp_path_factory.mktemp("copy") / "project", project.server)
    project.store.create(Zone.BRONZE, "key", b"body")
    shutil.copytree(project.folder, copy.folder, ignore=shutil.ignore_patterns("*.sock"))
    assert "nothing to stop" in copy.lake("down")
    copy.lake("up")
    try:
        assert copy.local.url != project.local.url
        assert copy.store.get(Zone.BRONZE, "key") == b"body"
    finally:
        copy.down()
    assert project.process.is_running()
    assert project.store.get(Zone.BRONZE, "key") == b"body"


def test_it_outlives_the_process_group_that_started_it(project: Project) -> None:
    """As when ``make`` ends, or a terminal is closed."""
    script = f"{sys.executable} -m lake up 2>&1; echo ready; sleep 600"
    with subprocess.Popen(
        ["sh", "-c", script],
        cwd=project.folder,
        env=environment(project.server) | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as shell:
        assert shell.stdout is not None
        assert "ready\n" in iter(shell.stdout.readline, "")
        os.killpg(shell.pid, signal.SIGKILL)
    project.lake("status", code=0)


def test_a_long_path_is_no_obstacle(project: Project) -> None:
    """A unix socket's path may have 108 bytes; a project's may have more."""
    deep = Project(project.folder / ("a" * 100) / ("b" * 100), project.server)
    deep.folder.mkdir(parents=True)
    (deep.folder / "lake.toml").touch()
    try:
        deep.lake("up")
        scratch = deep.local.scratch
    finally:
        deep.down()
    assert scratch is not None
    assert not scratch.exists()
    assert deep.state.is_dir()


def test_an_unknown_server_is_refused_by_name(project: Project) -> None:
    """With the nearest that there is; nothing is started."""
    (project.folder / "lake.toml").write_text('[store]\nserver = "seaweed"\n', encoding="utf-8")
    said = project.lake("up", code=2)
    assert "lake.toml [store] server" in said
    assert "did you mean 'seaweedfs'?" in said


def test_a_store_elsewhere_is_used_and_left_alone(project: Project, stores: Stores) -> None:
    """Nothing is started or stopped; the buckets are made; keys that it refuses are an error of its own."""
    elsewhere = stores(OTHER[project.server])
    toml = f'[store]\nendpoint = "{elsewhere.url}"\nbucket_prefix = "elsewhere-{project.server}-"\n'
    (project.folder / "lake.toml").write_text(toml, encoding="utf-8")
    project.environ |= _keys_of(elsewhere)
    project.server = ""
    said = project.lake("up")
    assert "nothing to start" in said
    assert elsewhere.url in project.lake("status")
    assert "nothing to stop" in project.lake("down")
    assert "keeps what the lake rests on" in project.lake("doctor")
    assert not (project.state / "server.json").exists()
    project.environ["LAKE_STORE_SECRET_KEY"] = "wrong"
    assert "refuses these keys" in project.lake("status", code=3)
    assert "refused" in project.lake("up", code=3)
    project.environ["LAKE_STORE_ENDPOINT"] = "http://127.0.0.1:9"
    assert "does not answer" in project.lake("status", code=3)


def test_a_new_lake_takes_minio_where_it_is_installed_and_stays_with_it(tmp_path: Path) -> None:
    """What was chosen is written down: that MinIO comes or goes later changes nothing by itself."""
    (tmp_path / "lake.toml").touch()
    program = find_minio()
    assert program is not None, "MinIO is not installed: run make minio"
    path = os.pathsep.join(["/usr/bin", "/bin"])
    with_minio = {
        "PATH": f"{_linked(program, tmp_path / 'bin')}{os.pathsep}{path}",
        "LAKE_CACHE": str(tmp_path / "none"),
    }
    without = {"PATH": path, "LAKE_CACHE": str(tmp_path / "none")}
    old, new = Project(tmp_path / "old", ""), Project(tmp_path / "new", "")
    for made, environ, expected in ((old, without, "seaweedfs"), (new, with_minio, "minio")):
        made.folder.mkdir()
        (made.folder / "lake.toml").touch()
        made.environ = environ
        made.lake("up")
        made.lake("down")
        assert made.local.server == expected
    old.environ, new.environ = with_minio, without
    assert "seaweedfs is running" in old.lake("up")
    old.lake("down")
    assert "lake minio" in new.lake("up", code=2)


def test_keys_that_are_lost_are_made_anew(project: Project) -> None:
    """They are no part of the data."""
    project.up()
    project.store.create(Zone.BRONZE, "key", b"body")
    (project.state / "keys.json").unlink()
    assert "keys.json is gone" in project.lake("status", code=2)
    project.down()
    project.up()
    assert project.store.get(Zone.BRONZE, "key") == b"body"


def test_what_must_outlive_a_power_cut_is_synced_on_seaweedfs(tmp_path: Path) -> None:
    """Bronze and catalog, whose other copy is deleted or never was; MinIO syncs by itself."""
    with running("seaweedfs", tmp_path):
        local = read_local(tmp_path / ".lake")
        assert local is not None
        weed = Path(sys.executable).parent / "weed"
        shell = [str(weed), "shell", *(f"-{name}=127.0.0.1:{local.ports[name]}" for name in ("master", "filer"))]
        said = subprocess.run(shell, input="fs.configure\n", capture_output=True, text=True, check=True).stdout
    rules = json.loads(said)["locations"]
    assert {rule["locationPrefix"] for rule in rules if rule["fsync"]} == {"/buckets/bronze/", "/buckets/catalog/"}


def _keys_of(endpoint: Endpoint) -> dict[str, str]:
    return {"LAKE_STORE_ACCESS_KEY": endpoint.access_key, "LAKE_STORE_SECRET_KEY": endpoint.secret_key}


def _linked(program: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / program.name).symlink_to(program)
    return folder


def _servers_of(project: Project) -> list[int]:
    data = str(project.state / "data")
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any(data in argument for argument in process.info["cmdline"] or []):
            found.append(process.info["pid"])
    return found


def _await_end(process: Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(process.pid).wait(timeout=30)
