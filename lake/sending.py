"""An alert on its way: a program, a webhook, an e-mail, each in a thread of its own and within a time."""

import http.client
import json
import logging
import os
import shlex
import signal
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import partial
from threading import Thread
from typing import Any

from lake.outlets import PASSWORD_VARIABLE, Hook, Mail, Outlets

Said = Callable[[int, str], None]

GRACE_SECONDS = 1.0
"""Each way keeps to the time by itself; this much later it is given up, whatever it does."""


class Undelivered(Exception):
    """Why an alert did not get through."""


def send(outlets: Outlets, body: Mapping[str, Any], said: Said) -> list[Thread]:
    """Send an alert every way that there is; each is said when it is done, and so is what did not get through.

    The threads that it goes on in: nobody has to wait for them, and this process does not end before they do.
    """
    threads = []
    for way, deliver in _ways(outlets, body):
        answers: list[str] = []
        work = Thread(target=_try, args=(deliver, answers), daemon=True)
        watch = Thread(target=_watch, args=(work, answers, way, outlets.seconds_max, said))
        work.start()
        watch.start()
        threads.append(watch)
    return threads


def _ways(outlets: Outlets, body: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], None]]]:
    seconds = outlets.seconds_max
    if outlets.command:
        yield f"the command {_program(outlets.command)}", partial(_run, outlets.command, body, seconds)
    if outlets.hook is not None:
        yield f"the webhook at {outlets.hook}", partial(_post, outlets.hook, body, seconds)
    if outlets.mail is not None:
        yield f"e-mail by {outlets.mail.host}", partial(_mail, outlets.mail, body, seconds)


def _try(deliver: Callable[[], None], answers: list[str]) -> None:
    try:
        deliver()
    except (OSError, ValueError, Undelivered, smtplib.SMTPException, http.client.HTTPException) as error:
        answers.append(f"{error or type(error).__name__}")
    else:
        answers.append("")


def _watch(work: Thread, answers: list[str], way: str, seconds: float, said: Said) -> None:
    work.join(seconds + GRACE_SECONDS)
    problem = answers[0] if answers else f"no answer in {seconds:g} seconds"
    if problem:
        said(logging.WARNING, f"an alert did not get through by {way}: {problem}")
    else:
        said(logging.INFO, f"an alert went out by {way}")


def _run(command: str, body: Mapping[str, Any], seconds: float) -> None:
    """Run a program with the alert as JSON on stdin, and its subject and event in the environment."""
    arguments = shlex.split(command)
    known = {"LAKE_ALERT_EVENT": body["event"], "LAKE_ALERT_SUBJECT": body["subject"], "LAKE_ALERT_TEXT": body["text"]}
    with subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | known,
        start_new_session=True,
        text=True,
    ) as child:
        try:
            _, err = child.communicate(json.dumps(body, ensure_ascii=False) + "\n", timeout=seconds)
        except subprocess.TimeoutExpired:
            # What it has started goes with it: it would hold the pipe open.
            os.killpg(child.pid, signal.SIGKILL)
            raise Undelivered(f"it took longer than {seconds:g} seconds") from None
    if child.returncode:
        last = next(iter(reversed(err.split("\n")[:-1])), "")
        raise Undelivered(f"it ended with {child.returncode} {last}".rstrip())


def _post(hook: Hook, body: Mapping[str, Any], seconds: float) -> None:
    """Post the alert as JSON; what the hook answers beside its status is not looked at, and it is not followed."""
    request = urllib.request.Request(  # noqa: S310 - the settings take http and https alone
        hook.url,
        data=json.dumps(body, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "lake"},
        method="POST",
    )
    try:
        with urllib.request.build_opener(_Straight).open(request, timeout=seconds):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise Undelivered(f"it answered {error.code}") from None
    except urllib.error.URLError as error:
        raise Undelivered(str(error.reason)) from None


class _Straight(urllib.request.HTTPRedirectHandler):
    """A hook that sends elsewhere is not followed: the POST would become a GET, and the alert be lost in silence."""

    def redirect_request(self, *_: Any) -> None:
        """Go nowhere."""


def _mail(mail: Mail, body: Mapping[str, Any], seconds: float) -> None:
    """Send the alert as plain text."""
    if mail.user and not mail.password:
        raise Undelivered(f"{PASSWORD_VARIABLE} is not set in the environment")
    message = EmailMessage()
    message["Subject"] = " ".join(str(body["subject"]).split())
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="lake.invalid")
    message.set_content(f"{body['text']}\n")
    context = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(mail.host, mail.port, timeout=seconds, context=context)
        if mail.security == "tls"
        else smtplib.SMTP(mail.host, mail.port, timeout=seconds)
    ) as server:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.user:
            server.login(mail.user, mail.password)
        server.send_message(message)


def _program(command: str) -> str:
    return next(iter(shlex.split(command)), "")
