"""Logs of runs and where alerts go: what is in them, what is not, and how long they stay."""

import json
import logging
import os
import time
from pathlib import Path

import pytest

from catalog.errors import NotFound, UsageError
from lake import logs
from lake.logs import IDLE, RunLog, read_log, sweep
from lake.outlets import PASSWORD_VARIABLE
from lake.redact import redactor
from lake.settings import Settings

SECRETS = {"SHOP_PASSWORD": "hunter2-and-more", "API_TOKEN": "hunter2-and-more-yet", PASSWORD_VARIABLE: "mail-word"}


def load(folder: Path, toml: str = "", environ: dict[str, str] | None = None) -> Settings:
    (folder / "lake.toml").write_text(toml, encoding="utf-8")
    return Settings.load(folder, environ or {})


def lines(folder: Path, run: str = "r") -> list[dict[str, object]]:
    return list(read_log(folder, run))


def test_a_log_is_json_lines_without_secrets(tmp_path: Path) -> None:
    """Of the lake, of a job, and in a traceback; what is longer goes first."""
    log = RunLog(tmp_path / "logs", "r", redactor(load(tmp_path, "", SECRETS)))
    with log.open():
        log.say(logging.INFO, "begun", "begun", where=["hunter2-and-more", "http://me:pw@host/x"])
        logging.getLogger("lake.job").warning("token %s", "hunter2-and-more-yet")
        try:
            raise ValueError("mail-word\nnext line")
        except ValueError as error:
            log.say(logging.ERROR, "ended", "failed", error=error)
    logging.getLogger("lake.job").warning("afterwards")
    first, second, third = lines(tmp_path / "logs")
    assert (first["run"], first["event"], first["level"]) == ("r", "begun", "info")
    assert first["where"] == ["(SHOP_PASSWORD)", "http://(login)@host/x"]
    assert (second["event"], second["message"]) == ("lake.job", "token (API_TOKEN)")
    assert f"ValueError: ({PASSWORD_VARIABLE})" in str(third["traceback"])
    text = (tmp_path / "logs" / "r.jsonl").read_text()
    assert len(text.splitlines()) == 3
    assert not any(secret in text for secret in SECRETS.values())


def test_who_listens_to_the_logger_hears_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A notebook may log to its own page."""
    log = RunLog(tmp_path / "logs", "r", redactor(load(tmp_path, "", SECRETS)))
    with log.open():
        log.say(logging.INFO, "said", "it is hunter2-and-more")
    assert "it is (SHOP_PASSWORD)" in caplog.text


def test_a_run_that_did_nothing_has_a_line(tmp_path: Path) -> None:
    """In the file of such runs; its own is gone."""
    for run in ("a", "b"):
        log = RunLog(tmp_path, run, lambda value: value)
        with log.open():
            log.say(logging.INFO, "begun", "begun")
        log.nothing("run: nothing new")
    assert [path.name for path in tmp_path.iterdir()] == [IDLE]
    assert [json.loads(line)["run"] for line in (tmp_path / IDLE).read_text().splitlines()] == ["a", "b"]
    with pytest.raises(NotFound, match="no log of run a"):
        lines(tmp_path, "a")


def test_a_log_is_cut_at_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came last is kept, in order; a line that a crash cut off is passed over."""
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 2_000)
    log = RunLog(tmp_path, "r", lambda value: value)
    with log.open():
        for number in range(200):
            log.say(logging.INFO, "said", str(number))
    with log.path.open("a") as file:
        file.write('{"at": "2026')
    kept = [int(str(line["message"])) for line in lines(tmp_path)]
    assert kept == list(range(kept[0], 200))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 * 2_100


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does logging spell out its own trouble on the terminal."""
    (tmp_path / "logs").write_text("a file")
    log = RunLog(tmp_path / "logs", "r", lambda value: value)
    with log.open():
        log.say(logging.INFO, "said", "x")
    log.append(logging.INFO, "said", "x")
    log.nothing("x")
    assert capsys.readouterr().err == ""


def test_old_logs_go_and_the_oldest_beyond_the_room(tmp_path: Path) -> None:
    """Other files stay."""
    now = time.time()
    for days, name in ((100, "old.jsonl"), (3, "third.jsonl.1"), (2, "second.jsonl"), (1, "first.jsonl")):
        (tmp_path / name).write_bytes(b"x" * 1_000)
        os.utime(tmp_path / name, (now - days * 86_400, now - days * 86_400))
    (tmp_path / "other.txt").touch()
    sweep(tmp_path, 90, 2_500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.jsonl", "other.txt", "second.jsonl"]


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ('on = "faild"', ["[alerts] on", "'faild'", "failed"]),
        ('webhook = "hooks.example.org/x"', ["[alerts] webhook", "https://"]),
        ('email_to = "me"', ["[alerts] email_to", "'me'"]),
        ('email_to = "a@x.org"', ["email_to", "smtp_host"]),
        ('smtp_password = "mail-word"', ["smtp_password", PASSWORD_VARIABLE]),
        ('smtp_security = "ssl"', ["smtp_security", "'tls'"]),
        ("comand = 'x'", ["'comand'", "'command'"]),
    ],
)
def test_what_is_wrong_with_alerts_is_named(tmp_path: Path, toml: str, named: list[str]) -> None:
    """And no secret is quoted."""
    with pytest.raises(UsageError) as caught:
        load(tmp_path, f"[alerts]\n{toml}\n")
    assert [name for name in named if name not in str(caught.value)] == []
    assert "mail-word" not in str(caught.value)


def test_alerts_are_shown_without_what_is_secret(tmp_path: Path) -> None:
    """Of a webhook its host; of a password that it is set. From the environment, too."""
    environ = SECRETS | {"LAKE_ALERTS_WEBHOOK": "https://hooks.example.org/T0PSECRET?key=T1PSECRET"}
    settings = load(tmp_path, '[alerts]\nemail_to = "a@x.org"\nsmtp_host = "mail.x.org"\n', environ)
    shown = {name: (value, where) for name, value, where in settings.rows()}
    assert shown["alerts.webhook"] == ("https://hooks.example.org/(not shown)", "environment LAKE_ALERTS_WEBHOOK")
    assert shown["alerts.smtp_password"] == ("set", f"environment {PASSWORD_VARIABLE}")
    assert not any(secret in repr(settings) + str(shown) for secret in (*SECRETS.values(), "T0PSECRET", "T1PSECRET"))
    outlets = settings.outlets()
    assert outlets.mail is not None
    assert (outlets.mail.password, outlets.mail.sender) == ("mail-word", "a@x.org")
    assert "mail-word" not in repr(outlets)
    assert "PSECRET" not in redactor(settings)("posting to https://hooks.example.org/T0PSECRET?key=T1PSECRET")


def test_nothing_goes_anywhere_by_default(tmp_path: Path) -> None:
    """Whoever wants to be told says so."""
    assert not load(tmp_path).outlets()


def test_short_words_are_no_secrets(tmp_path: Path) -> None:
    """Or every "a" would be hidden, and the secret told by it."""
    redact = redactor(load(tmp_path, "", {"A_TOKEN": "a"}))
    assert redact({"n": 1, "t": ("an a", None)}) == {"n": 1, "t": ["an a", None]}
