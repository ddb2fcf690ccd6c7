"""Real servers that alerts go to: a web server, a mail server with TLS and a login, and one that never answers."""

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Web:
    """A web server that keeps what is posted to it, and answers with a status."""

    status: int = 200
    posts: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def web(status: int = 200) -> Iterator[Web]:
    """A web server; where its status says so it sends to another place."""
    kept = Web(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            kept.paths.append(f"{self.command} {self.path}")
            self.send_response(kept.status)
            if 300 <= kept.status < 400:
                self.send_header("Location", f"{kept.url}/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silence() -> Iterator[str]:
    """The URL of a server that takes a connection and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@dataclass
class MailServer:
    """A mail server that keeps what it is given."""

    port: int = 0
    certificate: Path = Path()
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        self.mails.append(BytesParser(policy=default).parsebytes(envelope.content or b""))  # type: ignore[arg-type]
        return "250 OK"

    def login(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> AuthResult:
        """Let in whoever has the password, and nobody else."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right-password", handled=False)


@contextmanager
def mail_server(folder: Path, security: str) -> Iterator[MailServer]:
    """A mail server that talks plainly (none), in TLS (tls), or in TLS when it is asked to (starttls)."""
    kept = MailServer()
    options: dict[str, Any] = {}
    if security != "none":
        kept.certificate = _certificate(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        of_kind = {"ssl_context": context} if security == "tls" else {"tls_context": context, "require_starttls": True}
        options = {
            **of_kind,
            "authenticator": kept.login,
            "auth_required": True,
            "auth_require_tls": security == "starttls",
        }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        kept.port = probe.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=kept.port, server_hostname="localhost", **options)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()


def _certificate(folder: Path) -> Path:
    made = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    of_localhost = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *of_localhost, *made],
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"
