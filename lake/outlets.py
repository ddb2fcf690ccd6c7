"""Where alerts go, and what is worth one: what ``lake.toml`` may say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from catalog.errors import UsageError
from lake.values import Key, Unfit, Value

PASSWORD_VARIABLE = "LAKE_ALERTS_SMTP_PASSWORD"  # noqa: S105 - the name of the variable, not what is in it

EVENTS = ("failed", "quarantined", "late")
SECURITY = ("starttls", "tls", "none")


@dataclass(frozen=True)
class Hook:
    """The URL that alerts are posted to; only its host is ever shown, since whoever knows the rest can post there."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}/(not shown)"


@dataclass(frozen=True)
class Mail:
    """A mail server, who logs in there, and whom it is to tell."""

    host: str
    port: int
    security: str
    user: str
    sender: str
    to: tuple[str, ...]
    password: str = field(repr=False)


@dataclass(frozen=True)
class Outlets:
    """Where alerts go, and what is worth one; all of it may be empty."""

    command: str
    hook: Hook | None
    mail: Mail | None
    events: tuple[str, ...]
    seconds_max: float
    repeat_hours: float

    def __bool__(self) -> bool:
        """Whether an alert would go anywhere."""
        return bool(self.command or self.hook or self.mail)


def events(text: str) -> str:
    """Check the events that are worth an alert.

    >>> events("late,failed")
    'late, failed'
    """
    named = listed(text)
    for name in named:
        if name not in EVENTS:
            raise Unfit(f"{name!r} is nothing that is alerted of", f"name some of {', '.join(EVENTS)}")
    return ", ".join(named)


def hook(text: str) -> Hook | str:
    """Check the URL of a webhook; an empty text is none."""
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Unfit("not the URL of a webhook", "write https://host/path")
    return Hook(text)


def addresses(text: str) -> str:
    """Check e-mail addresses.

    >>> addresses("a@x.org,b@y.org")
    'a@x.org, b@y.org'
    """
    named = listed(text)
    for name in named:
        if name.count("@") != 1 or any(sign.isspace() or not sign.isprintable() for sign in name):
            raise Unfit(f"{name!r} is no e-mail address", "write name@host, and commas between several")
    return ", ".join(named)


ALERT_KEYS: Mapping[str, Key] = {
    "on": Key(str, "failed", f"what is worth an alert: {', '.join(EVENTS)}", check=events),
    "command": Key(str, "", "a program that gets each alert, as JSON on stdin"),
    "webhook": Key(str, "", "a URL that gets each alert, as JSON by POST", check=hook),
    "email_to": Key(str, "", "who gets each alert by e-mail", check=addresses),
    "email_from": Key(str, "", "whom it is from; empty: the first of email_to", check=addresses),
    "smtp_host": Key(str, "", "the mail server"),
    "smtp_port": Key(int, 587, "its port", minimum=1, maximum=65535),
    "smtp_security": Key(str, "starttls", "how it is talked to", choices=SECURITY),
    "smtp_user": Key(str, "", f"who logs in there; the password is {PASSWORD_VARIABLE} in the environment"),
    "seconds_max": Key(float, 10.0, "how long an alert may take", minimum=0.1, maximum=600),
    "repeat_hours": Key(float, 6.0, "the same alert is not sent again for so long", minimum=0),
}


def listed(text: str) -> list[str]:
    """The items of a text with commas between them."""
    return [item.strip() for item in text.split(",") if item.strip()]


def outlets(values: Mapping[str, Value], password: str) -> Outlets:
    """Where alerts go by the settings, and the mail server's password."""
    said = {name: values[f"alerts.{name}"].value for name in ALERT_KEYS}
    to = tuple(listed(said["email_to"]))
    mail = Mail(
        host=said["smtp_host"],
        port=int(said["smtp_port"]),
        security=said["smtp_security"],
        user=said["smtp_user"],
        sender=said["email_from"] or (to[0] if to else ""),
        to=to,
        password=password,
    )
    return Outlets(
        command=said["command"],
        hook=said["webhook"] or None,
        mail=mail if to else None,
        events=tuple(listed(said["on"])),
        seconds_max=float(said["seconds_max"]),
        repeat_hours=float(said["repeat_hours"]),
    )


def require_sound(values: Mapping[str, Value]) -> None:
    """Raise `UsageError` where who is to be told by e-mail cannot be."""
    to, host = values["alerts.email_to"], values["alerts.smtp_host"]
    if to.value and not host.value:
        raise UsageError(f"{to.source}: no mail server to send by", next="name it: [alerts] smtp_host in lake.toml")
