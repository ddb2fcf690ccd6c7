"""Alerts on their way, to real servers: what goes out, what does not get through, and that nothing waits for it."""

import json
import logging
import ssl
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lake.outlets import PASSWORD_VARIABLE
from lake.sending import send
from lake.settings import Settings
from tests.support.listeners import mail_server, silence, web

BODY = {"lake": "shop", "event": "failed", "subject": "shop: run\nfailed", "text": "gold.a: no\n\nnext: lake runs"}
PASSWORD = {PASSWORD_VARIABLE: "right-password"}
MAIL = 'email_to = "a@x.org, b@y.org"\nemail_from = "lake@x.org"\nsmtp_host = "localhost"\nsmtp_user = "lake"\n'


def sent(folder: Path, toml: str, environ: Mapping[str, str] | None = None) -> list[tuple[int, str]]:
    """What is said of an alert, sent as a lake.toml says."""
    said: list[tuple[int, str]] = []
    for thread in send(outlets(folder, toml, environ), BODY, lambda level, told: said.append((level, told))):
        thread.join()
    return said


def outlets(folder: Path, toml: str, environ: Mapping[str, str] | None = None) -> Any:
    (folder / "lake.toml").write_text(f"[alerts]\n{toml}", encoding="utf-8")
    return Settings.load(folder, environ or {}).outlets()


def script(folder: Path, text: str) -> str:
    path = folder / "told.py"
    path.write_text(text, encoding="utf-8")
    return f"{sys.executable} {path}"


def test_a_webhook_gets_json(tmp_path: Path) -> None:
    """By POST, once; whoever reads the log sees its host alone."""
    with web() as server:
        (said,) = sent(tmp_path, f'webhook = "{server.url}/hooks/T0PSECRET?k=v"')
    assert server.posts == [BODY]
    assert server.paths == ["POST /hooks/T0PSECRET?k=v"]
    assert said == (logging.INFO, "an alert went out by the webhook at http://127.0.0.1/(not shown)")


@pytest.mark.parametrize("status", [302, 307, 404, 500])
def test_a_webhook_that_refuses_is_said(tmp_path: Path, status: int) -> None:
    """Nor is it followed to where it sends."""
    with web(status) as server:
        ((level, told),) = sent(tmp_path, f'webhook = "{server.url}/T0PSECRET"')
    assert (level, told[-len(f"it answered {status}") :]) == (logging.WARNING, f"it answered {status}")
    assert server.paths == ["POST /T0PSECRET"]
    assert "T0PSECRET" not in told


def test_a_dead_webhook_delays_nothing_and_is_said(tmp_path: Path) -> None:
    """Sending comes back at once; the other ways go on; what did not answer in its time is said."""
    said: list[tuple[int, str]] = []
    out = tmp_path / "out.json"
    command = script(tmp_path, f"import sys; open({str(out)!r}, 'w').write(sys.stdin.read())")
    with silence() as url:
        ways = outlets(tmp_path, f'webhook = "{url}"\ncommand = "{command}"\nseconds_max = 3')
        began = time.monotonic()
        threads = send(ways, BODY, lambda level, told: said.append((level, told)))
        assert all(thread.is_alive() for thread in threads[1:])
        threads[0].join()
        assert json.loads(out.read_text()) == BODY
        assert threads[1].is_alive()
        threads[1].join()
        assert time.monotonic() - began >= 3
    assert said[1][0] == logging.WARNING
    assert "timed out" in said[1][1]


def test_nobody_listens(tmp_path: Path) -> None:
    """A port that is closed, a host that there is not."""
    with web() as server:
        pass
    for url in (server.url, "http://nowhere.invalid"):
        ((level, told),) = sent(tmp_path, f'webhook = "{url}"')
        assert level == logging.WARNING
        assert "did not get through" in told


def test_a_command_gets_the_alert(tmp_path: Path) -> None:
    """JSON on stdin, subject and event in the environment; no shell reads what is in it."""
    text = "import json, os, sys\nbody = json.load(sys.stdin)\n"
    text += f"open({str(tmp_path / 'out')!r}, 'w').write(body['text'] + os.environ['LAKE_ALERT_EVENT'])"
    ((level, told),) = sent(tmp_path, f'command = "{script(tmp_path, text)} $(touch {tmp_path}/pwned)"')
    assert (level, told) == (logging.INFO, f"an alert went out by the command {sys.executable}")
    assert (tmp_path / "out").read_text() == BODY["text"] + "failed"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import sys; sys.exit('no such channel')", "it ended with 1 no such channel"),
        ("import time; time.sleep(600)", "it took longer than 1 seconds"),
        ("import subprocess; subprocess.run(['sleep', '600'])", "it took longer than 1 seconds"),
    ],
)
def test_a_command_that_fails_or_hangs_is_said(tmp_path: Path, text: str, told: str) -> None:
    """With the last line that it said; it is ended with what it started."""
    ((level, said),) = sent(tmp_path, f'command = "{script(tmp_path, text)}"\nseconds_max = 1')
    assert level == logging.WARNING
    assert said.endswith(told)


def test_a_command_that_there_is_not_is_said(tmp_path: Path) -> None:
    """The operating system's words."""
    ((level, said),) = sent(tmp_path, 'command = "/no/such/program --loud"')
    assert (level, "No such file" in said) == (logging.WARNING, True)


def test_mail_is_sent_plainly(tmp_path: Path) -> None:
    """To everybody, with the subject on one line."""
    with mail_server(tmp_path, "none") as server:
        toml = MAIL.replace('smtp_user = "lake"\n', "")
        ((level, told),) = sent(tmp_path, f'{toml}smtp_port = {server.port}\nsmtp_security = "none"')
    assert (level, told) == (logging.INFO, "an alert went out by e-mail by localhost")
    (mail,) = server.mails
    assert (mail["Subject"], mail["To"], mail["From"]) == ("shop: run failed", "a@x.org, b@y.org", "lake@x.org")
    assert mail.get_content().split() == BODY["text"].split()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_sent_in_tls_with_a_login(tmp_path: Path, security: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's certificate is checked; the password comes from the environment."""
    with mail_server(tmp_path, security) as server:
        toml = f'{MAIL}smtp_port = {server.port}\nsmtp_security = "{security}"'
        ((_, untrusted),) = sent(tmp_path, toml, PASSWORD)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        ((level, told),) = sent(tmp_path, toml, PASSWORD)
        ((_, without),) = sent(tmp_path, toml)
        ((_, wrong),) = sent(tmp_path, toml, {PASSWORD_VARIABLE: "wrong-password"})
    assert "certificate verify failed" in untrusted
    assert (level, told) == (logging.INFO, "an alert went out by e-mail by localhost")
    assert [mail["To"] for mail in server.mails] == ["a@x.org, b@y.org"]
    assert f"{PASSWORD_VARIABLE} is not set" in without
    assert "535" in wrong
    assert "wrong-password" not in wrong
    assert server.logins[0] == ("lake", "right-password")


def test_a_mail_server_that_is_silent_is_said(tmp_path: Path) -> None:
    """After the time that it has."""
    with silence() as url:
        port = url.rpartition(":")[2]
        ((level, told),) = sent(tmp_path, f"{MAIL}smtp_port = {port}\nseconds_max = 1", PASSWORD)
    assert (level, "timed out" in told or "no answer" in told) == (logging.WARNING, True)


def test_every_context_checks_certificates() -> None:
    """What the tests above rest on."""
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
