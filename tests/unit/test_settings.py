"""Settings: where each value comes from, and what is said of a value that cannot be."""

import os
from pathlib import Path

import pytest

from catalog.errors import StoreError, UsageError
from catalog.objects import Endpoint
from ingestion.options import DatasetPolicy
from ingestion.routing import Routes
from lake.local import Keys, Local, Process, write_keys, write_local
from lake.options import KEYS
from lake.settings import Settings, cache_root, find_project
from lake.values import Value

KEY_VARIABLES = {"LAKE_STORE_ACCESS_KEY": "the-access-key", "LAKE_STORE_SECRET_KEY": "the-secret-key"}


def load(folder: Path, toml: str = "", environ: dict[str, str] | None = None) -> Settings:
    (folder / "lake.toml").write_text(toml, encoding="utf-8")
    return Settings.load(folder, environ or {})


def test_everything_has_a_default(tmp_path: Path) -> None:
    """An empty lake.toml is a whole lake."""
    settings = load(tmp_path)
    assert {value.source for value in settings.values.values()} == {"default"}
    assert (settings.worker_memory_gb, settings.worker_seconds_max, settings.cache_gb) == (2.0, 600.0, 10.0)
    assert settings.memory_gb > 0
    assert settings.is_local
    assert settings.name == tmp_path.name
    assert settings.policy("anything") == DatasetPolicy()
    assert settings.routes() == Routes()
    assert settings.schedules() == {}


def test_the_environment_outranks_the_file_which_outranks_the_default(tmp_path: Path) -> None:
    """And each value says which it was."""
    toml = "[ingest]\nworker_memory_gb = 4\nworker_seconds_max = 30\n"
    settings = load(tmp_path, toml, {"LAKE_INGEST_WORKER_MEMORY_GB": "8.5"})
    assert settings.get("ingest.worker_memory_gb") == Value(8.5, "environment LAKE_INGEST_WORKER_MEMORY_GB")
    assert settings.get("ingest.worker_seconds_max") == Value(30.0, "lake.toml [ingest] worker_seconds_max")
    assert settings.get("ingest.on_correction") == Value("replace", "default")


def test_an_empty_override_is_an_override(tmp_path: Path) -> None:
    """An empty text in the environment takes back what the file says."""
    settings = load(tmp_path, '[store]\nendpoint = "aws"\n', {"LAKE_STORE_ENDPOINT": ""})
    assert settings.is_local


def test_a_dataset_may_have_its_own_policy(tmp_path: Path) -> None:
    """The others keep the lake's."""
    toml = '[ingest]\non_correction = "append"\n[datasets.flights]\non_correction = "replace"\n'
    settings = load(tmp_path, toml)
    assert settings.policy("flights").on_correction == "replace"
    assert settings.policy("planes").on_correction == "append"


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[store]\nsevrer = 'minio'\n", ["lake.toml [store]", "'sevrer'", "'server'"]),
        ("[stroe]\n", ["lake.toml", "[stroe]", "'store'"]),
        ("store = 3\n", ["lake.toml", "[store]"]),
        ("[store]\nserver = 'mino'\n", ["lake.toml [store] server", "'mino'", "'minio'"]),
        ("[store]\nserver = 3\n", ["lake.toml [store] server", "text"]),
        ("[ingest]\nworker_memory_gb = '2'\n", ["lake.toml [ingest] worker_memory_gb", "number"]),
        ("[ingest]\nworker_memory_gb = true\n", ["lake.toml [ingest] worker_memory_gb", "number"]),
        ("[ingest]\nworker_memory_gb = -1\n", ["lake.toml [ingest] worker_memory_gb", "0.1"]),
        ("[ingest]\nworker_memory_gb = nan\n", ["lake.toml [ingest] worker_memory_gb", "0.1"]),
        ("[datasets.flights]\non_corection = 'append'\n", ["lake.toml [datasets.flights]", "'on_correction'"]),
        ("[datasets]\nflights = 'append'\n", ["lake.toml", "[datasets.flights]"]),
        ("[datasets.'My Flights']\n", ["lake.toml", "My Flights"]),
        ("[datasets.flights]\non_correction = 'refuze'\n", ["[datasets.flights] on_correction", "'refuze'"]),
        ("[store]\nendpoint = 'localhost:9000'\n", ["lake.toml [store] endpoint", "http"]),
        ("[store]\nendpoint = 'http://h:9000/bucket'\n", ["lake.toml [store] endpoint", "http"]),
        ("[store]\nbucket_prefix = 'No_'\n", ["lake.toml [store] bucket_prefix", "No_"]),
        ("[store]\nserver = 'minio'\nendpoint = 'http://h:9000'\n", ["[store] server", "[store] endpoint"]),
        ("[store\n", ["lake.toml", "line 1"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, toml: str, named: list[str]) -> None:
    """The message names file, key, and the nearest that there is."""
    with pytest.raises(UsageError) as refused:
        load(tmp_path, toml)
    for part in named:
        assert part in str(refused.value)
    assert refused.value.next


@pytest.mark.parametrize("key", ["secret_key", "access_key", "AWS_SECRET_ACCESS_KEY", "password", "session_token"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    """The message says where it belongs."""
    with pytest.raises(UsageError) as refused:
        load(tmp_path, f"[store]\n{key} = 'hunter2'\n")
    assert "LAKE_STORE_SECRET_KEY" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_keys_in_a_url_are_refused_and_not_repeated(tmp_path: Path) -> None:
    """A URL may be shown; keys may not."""
    with pytest.raises(UsageError) as refused:
        load(tmp_path, "[store]\nendpoint = 'http://me:hunter2@h:9000'\n")
    assert "hunter2" not in str(refused.value)


def test_a_slip_in_the_environment_is_refused(tmp_path: Path) -> None:
    """A variable that looks like a setting and is none; others of the lake's are let be."""
    with pytest.raises(UsageError, match="'LAKE_STORE_SERVER'"):
        load(tmp_path, "", {"LAKE_STORE_SEVER": "minio"})
    with pytest.raises(UsageError, match="LAKE_INGEST_WORKER_SECONDS_MAX: a number"):
        load(tmp_path, "", {"LAKE_INGEST_WORKER_SECONDS_MAX": "ten"})
    load(tmp_path, "", {"LAKE_CACHE": "/c", "LAKE_PROJECT": "/p", "LAKE_SOMETHING_ELSE": "x"})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Saved in another encoding."""
    (tmp_path / "lake.toml").write_bytes("[lake]\nname = 'Größe'".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-8"):
        Settings.load(tmp_path, {})


def test_a_store_elsewhere_takes_its_keys_from_the_environment(tmp_path: Path) -> None:
    """Its own variables first, then AWS's; a pair is never mixed."""
    toml = "[store]\nendpoint = 'https://s3.example:9000'\nregion = 'eu-1'\nbucket_prefix = 'office-'\n"
    aws = {"AWS_ACCESS_KEY_ID": "aws-access", "AWS_SECRET_ACCESS_KEY": "aws-secret"}
    endpoint = load(tmp_path, toml, aws | KEY_VARIABLES).endpoint()
    assert (endpoint.url, endpoint.region, endpoint.bucket("landing")) == (
        "https://s3.example:9000",
        "eu-1",
        "office-landing",
    )
    assert (endpoint.access_key, endpoint.secret_key) == ("the-access-key", "the-secret-key")
    assert load(tmp_path, toml, aws).endpoint().access_key == "aws-access"
    with pytest.raises(UsageError, match="LAKE_STORE_ACCESS_KEY without LAKE_STORE_SECRET_KEY"):
        load(tmp_path, toml, aws | {"LAKE_STORE_ACCESS_KEY": "alone"})
    with pytest.raises(UsageError, match="no keys"):
        load(tmp_path, toml).endpoint()


def test_aws_is_an_endpoint_without_a_url(tmp_path: Path) -> None:
    """And half a pair of AWS's variables is no concern of a lake with a server of its own."""
    assert load(tmp_path, "[store]\nendpoint = 'aws'\n", KEY_VARIABLES).endpoint().url == ""
    assert load(tmp_path, "", {"AWS_ACCESS_KEY_ID": "alone"}).keys is None


def test_the_environment_may_choose_a_server_over_an_endpoint_in_the_file(tmp_path: Path) -> None:
    """The environment has the last word; two words of the environment that differ are refused."""
    toml = "[store]\nendpoint = 'http://h:9000'\n"
    assert load(tmp_path, toml, {"LAKE_STORE_SERVER": "minio"}).is_local
    assert not load(tmp_path, "[store]\nserver = 'minio'\n", {"LAKE_STORE_ENDPOINT": "aws"}).is_local
    with pytest.raises(UsageError, match="both"):
        load(tmp_path, "", {"LAKE_STORE_SERVER": "minio", "LAKE_STORE_ENDPOINT": "aws"})


def test_no_key_is_shown(tmp_path: Path) -> None:
    """Not in the rows of lake status, not in a representation."""
    settings = load(tmp_path, "[store]\nendpoint = 'aws'\n", KEY_VARIABLES)
    shown = f"{settings!r} {settings.rows()} {settings.endpoint()!r}"
    assert ("store.keys", "set", "environment LAKE_STORE_ACCESS_KEY, LAKE_STORE_SECRET_KEY") in settings.rows()
    assert not any(key in shown for key in KEY_VARIABLES.values())
    assert {name for name, _, _ in settings.rows()} == {*KEYS, "store.keys"}


def test_without_a_running_server_there_is_no_endpoint(tmp_path: Path) -> None:
    """The message says how to start one."""
    with pytest.raises(StoreError, match="lake up"):
        load(tmp_path).endpoint()


def test_the_server_is_remembered(tmp_path: Path) -> None:
    """What the first start chose is the lake's, and says so."""
    settings = load(tmp_path)
    write_local(Local(settings.state, "minio", {"s3": 20_001, "console": 20_002}))
    assert settings.server == Value("minio", ".lake/server.json")


def test_a_local_store_is_in_no_region(tmp_path: Path) -> None:
    """A region that is set for a store elsewhere does not spoil the signatures for the local one."""
    settings = load(tmp_path, "[store]\nregion = 'eu-1'\n")
    write_keys(settings.state, Keys("access", "secret", {}))
    me = Process.of(os.getpid())
    write_local(Local(settings.state, "minio", {"s3": 20_001, "console": 20_002}, me))
    assert settings.endpoint() == Endpoint("http://127.0.0.1:20001", "access", "secret")


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', "not json", '{"format": 1, "ports": 3}'])
@pytest.mark.parametrize("name", ["server.json", "keys.json"])
def test_a_damaged_state_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    """With what to do about it, and without its content."""
    settings = load(tmp_path)
    write_keys(settings.state, Keys("access", "secret", {}))
    write_local(Local(settings.state, "minio", {"s3": 20_001, "console": 20_002}))
    (settings.state / name).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{name} is damaged\n  next: delete it"):
        Local(settings.state, "minio", {"s3": 1}).endpoint("") if name == "keys.json" else settings.endpoint()


def test_a_state_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """Rather than misread."""
    settings = load(tmp_path)
    settings.state.mkdir()
    (settings.state / "server.json").write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(UsageError, match="newer lake"):
        settings.endpoint()


def test_a_project_is_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument, else LAKE_PROJECT, else the nearest folder upwards."""
    inner, other = tmp_path / "a" / "b", tmp_path / "other"
    for folder in (inner, other):
        folder.mkdir(parents=True)
    for folder in (tmp_path, other):
        (folder / "lake.toml").touch()
    monkeypatch.chdir(inner)
    assert find_project(None, {}) == tmp_path
    assert find_project(None, {"LAKE_PROJECT": str(other)}) == other
    assert find_project(tmp_path, {"LAKE_PROJECT": str(other)}) == tmp_path
    with pytest.raises(UsageError, match=r"lake init"):
        find_project(inner, {})
    (tmp_path / "lake.toml").unlink()
    with pytest.raises(UsageError, match=r"lake init DIR"):
        find_project(None, {})


def test_the_cache_is_one_folder_of_the_user() -> None:
    """LAKE_CACHE, else XDG_CACHE_HOME, else ~/.cache."""
    assert cache_root({"LAKE_CACHE": "/c", "XDG_CACHE_HOME": "/x"}) == Path("/c/lake")
    assert cache_root({}) == Path.home() / ".cache" / "lake"


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    """A slip in our own code is named too."""
    with pytest.raises(UsageError, match=r"'store\.server'"):
        load(tmp_path).get("store.servr")
