"""A real HTTP/1.1 proxy before a store, which loses replies, answers falsely or waits when a test says so.

The Host header goes through unchanged, so that signatures, which cover it, still verify. Bodies stream both ways.

    proxy.drop_reply("PUT", r"/tables/flights/_delta_log/")       it happens, and nobody hears of it
    proxy.answer(503, "PUT", r"/commits/", times=2)               it does not happen, and somebody says so
"""

import http.client
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from catalog.objects import Endpoint

PIECE_BYTES = 64 * 1024
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "expect",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
}


@dataclass
class Request:
    """One request as it came; ``target`` is its path and query, decoded, and ``status`` what the client was told."""

    method: str
    raw_target: str
    headers: dict[str, str]
    status: int | None = None

    @property
    def target(self) -> str:
        return unquote(self.raw_target)


@dataclass
class Rule:
    """What to do with requests of a method whose target a pattern is found in; ``left`` is how often (None: always)."""

    method: str
    pattern: re.Pattern[str]
    left: int | None
    before: Callable[[Request], object] | None = None
    answer: tuple[int, bytes] | None = None
    lose_request: bool = False
    lose_reply: bool = False
    cut_after_bytes: int | None = None
    rewrite: Callable[[bytes], bytes] | None = None
    alter: Callable[[bytes], bytes] | None = None
    hits: int = field(default=0)

    @property
    def is_final(self) -> bool:
        """Whether it decides what becomes of the reply: only one such rule acts on a request."""
        return self.answer is not None or self.lose_request or self.lose_reply or self.cut_after_bytes is not None

    def matches(self, request: Request) -> bool:
        if self.left == 0 or self.method not in {request.method, "*"}:
            return False
        return self.pattern.search(request.target) is not None


class Proxy:
    """A proxy on a free port before ``upstream``; a context manager. Rules may come and go while it runs.

    Of several rules that match, those that wait, call, alter or rewrite all act; of those that answer, lose or cut, the
    first.
    Paths are regular expressions searched in the decoded ``/bucket/key?query``; the method may be ``*``.
    """

    def __init__(self, upstream: Endpoint) -> None:
        self.upstream = upstream
        self.log: list[Request] = []
        self.errors: list[BaseException] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.endpoint = replace(upstream, url=f"http://127.0.0.1:{self._server.server_address[1]}")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        assert self.errors == [], f"the proxy itself failed: {self.errors}"

    def drop_reply(self, method: str, path_regex: str, times: int | None = 1) -> Rule:
        """Forward the request, wait for the store's answer, then close the connection without a word."""
        return self._add(method, path_regex, times, lose_reply=True)

    def drop_request(self, method: str, path_regex: str, times: int | None = 1) -> Rule:
        """Close the connection without forwarding."""
        return self._add(method, path_regex, times, lose_request=True)

    def cut_reply(self, method: str, path_regex: str, times: int | None = 1, after_bytes: int = 0) -> Rule:
        """Forward; pass on the head of the answer and the first bytes of its body, then close the connection."""
        return self._add(method, path_regex, times, cut_after_bytes=after_bytes)

    def answer(
        self, status: int, method: str, path_regex: str, times: int | None = 1, body: bytes | None = None
    ) -> Rule:
        """Answer without forwarding: a 503, or a 404 that is a lie; without ``body`` an S3 error of that status."""
        return self._add(method, path_regex, times, answer=(status, _s3_error(status) if body is None else body))

    def rewrite(self, change: Callable[[bytes], bytes], method: str, path_regex: str, times: int | None = None) -> Rule:
        """Forward, and pass on ``change(body)`` instead of the body of the answer."""
        return self._add(method, path_regex, times, rewrite=change)

    def alter(self, change: Callable[[bytes], bytes], method: str, path_regex: str, times: int | None = 1) -> Rule:
        """Forward ``change(body)``, which must be of the same length, instead of the body of the request."""
        return self._add(method, path_regex, times, alter=change)

    def delay(self, seconds: float, method: str, path_regex: str, times: int | None = None) -> Rule:
        """Wait before forwarding."""
        return self._add(method, path_regex, times, before=lambda _: time.sleep(seconds))

    def on_request(
        self, call: Callable[[Request], object], method: str, path_regex: str, times: int | None = 1
    ) -> Rule:
        """Run ``call`` before forwarding: the moment at which a rival acts, or a process dies."""
        return self._add(method, path_regex, times, before=call)

    def remove(self, rule: Rule) -> None:
        """Forget a rule, if it is not forgotten yet."""
        with self._lock:
            self._rules = [kept for kept in self._rules if kept is not rule]

    def clear(self) -> None:
        """Forget all rules and the log."""
        with self._lock:
            self._rules.clear()
            self.log.clear()

    def seen(self, method: str, path_regex: str) -> list[Request]:
        """The requests so far that match, in the order of their coming."""
        wanted = Rule(method, re.compile(path_regex), None)
        with self._lock:
            return [request for request in self.log if wanted.matches(request)]

    def take(self, request: Request) -> list[Rule]:
        """Log the request, and use up the rules that act on it."""
        taken: list[Rule] = []
        with self._lock:
            self.log.append(request)
            for rule in self._rules:
                if rule.matches(request) and not (rule.is_final and any(other.is_final for other in taken)):
                    rule.hits += 1
                    rule.left = None if rule.left is None else rule.left - 1
                    taken.append(rule)
        return taken

    def _add(self, method: str, path_regex: str, times: int | None, **action: Any) -> Rule:
        rule = Rule(method, re.compile(path_regex), times, **action)
        with self._lock:
            self._rules.append(rule)
        return rule


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of ours; anything else fails the test when the proxy closes."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.proxy.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    _upstream: http.client.HTTPConnection | None = None

    def handle_any(self) -> None:
        request = Request(self.command, self.path, dict(self.headers.items()))
        rules = self.server.proxy.take(request)
        for rule in rules:
            if rule.before is not None:
                rule.before(request)
        final = next((rule for rule in rules if rule.is_final), None)
        rewrites = [rule.rewrite for rule in rules if rule.rewrite is not None]
        if final is not None and final.lose_request:
            self._hang_up()
        elif final is not None and final.answer is not None:
            self._answer(request, *final.answer)
        else:
            reply = self._ask([rule.alter for rule in rules if rule.alter is not None])
            self._pass_on(request, reply, final, rewrites)
            # Reading to the end closes a reply unless its body is empty, and an open one blocks the connection.
            reply.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = handle_any  # noqa: N815

    def _answer(self, request: Request, status: int, body: bytes) -> None:
        for _ in self._body():
            pass
        request.status = status
        self._head(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        if self.command != "HEAD":
            self.wfile.write(body)

    def _pass_on(
        self,
        request: Request,
        reply: http.client.HTTPResponse,
        final: Rule | None,
        rewrites: list[Callable[[bytes], bytes]],
    ) -> None:
        if final is not None and final.lose_reply:
            reply.read()
            self._hang_up()
            return
        headers = [(name, value) for name, value in reply.getheaders() if name.lower() not in _HOP_BY_HOP]
        request.status = reply.status
        if self.command == "HEAD" or reply.status in {204, 304}:
            self._head(reply.status, headers)
            reply.read()
        elif final is not None and final.cut_after_bytes is not None:
            body = reply.read()
            self._head(reply.status, _sized(headers, len(body)))
            self.wfile.write(body[: final.cut_after_bytes])
            self._hang_up()
        elif rewrites:
            body = reply.read()
            for change in rewrites:
                body = change(body)
            self._head(reply.status, _sized(headers, len(body)))
            self.wfile.write(body)
        else:
            self._stream(reply, headers)

    def _ask(self, alterations: list[Callable[[bytes], bytes]]) -> http.client.HTTPResponse:
        """Send the request on, over the connection that this client's earlier requests used, and await the answer."""
        connection = self._connection()
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                connection.putheader(name, value)
        chunked = "Content-Length" not in self.headers and self.headers.get("Transfer-Encoding") is not None
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for piece in _altered(self._body(), alterations):
            connection.send(_chunk(piece) if chunked else piece)
        if chunked:
            connection.send(_chunk(b""))
        return connection.getresponse()

    def _connection(self) -> http.client.HTTPConnection:
        if self._upstream is not None and self._upstream.sock is not None:
            readable, _, _ = select.select([self._upstream.sock], [], [], 0)
            if not readable:
                return self._upstream
            self._upstream.close()
        self._upstream = http.client.HTTPConnection(urlsplit(self.server.proxy.upstream.url).netloc, timeout=120)
        return self._upstream

    def _stream(self, reply: http.client.HTTPResponse, headers: list[tuple[str, str]]) -> None:
        chunked = reply.getheader("Content-Length") is None
        self._head(reply.status, [*headers, ("Transfer-Encoding", "chunked")] if chunked else headers)
        while piece := reply.read1(PIECE_BYTES):
            self.wfile.write(_chunk(piece) if chunked else piece)
        if chunked:
            self.wfile.write(_chunk(b""))

    def _body(self) -> Iterator[bytes]:
        """The body of the request in pieces, whichever way its length is told."""
        if "Content-Length" in self.headers:
            left = int(self.headers["Content-Length"])
            while left:
                piece = self.rfile.read(min(left, PIECE_BYTES))
                if not piece:
                    raise ConnectionResetError("the client hung up within its body")
                left -= len(piece)
                yield piece
        elif "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass

    def _head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True

    def finish(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """The log is `Proxy.log`."""


def _altered(pieces: Iterator[bytes], alterations: list[Callable[[bytes], bytes]]) -> Iterator[bytes]:
    if not alterations:
        return pieces
    body = b"".join(pieces)
    for change in alterations:
        body = change(body)
    return iter([body])


def _sized(headers: list[tuple[str, str]], size_bytes: int) -> list[tuple[str, str]]:
    return [*((n, v) for n, v in headers if n.lower() != "content-length"), ("Content-Length", str(size_bytes))]


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _s3_error(status: int) -> bytes:
    codes = {403: "AccessDenied", 404: "NoSuchKey", 409: "OperationAborted", 412: "PreconditionFailed", 503: "SlowDown"}
    code = codes.get(status, "InternalError")
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>said the proxy</Message></Error>".encode()
