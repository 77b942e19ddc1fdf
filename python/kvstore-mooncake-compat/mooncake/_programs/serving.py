"""A small HTTP server. No TLS, no credentials: who reaches the port is answered."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_log = logging.getLogger(__name__)

MAX_BODY = 64 << 20


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    parameters: dict[str, str]
    body: bytes


Answer = tuple[HTTPStatus, bytes]
Answering = Callable[[Request], Answer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # seconds that a connection may be silent
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send((HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"a body of known length is wanted"))
            return
        target = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(target.query).items()}
        self._send(self.server.answer(Request(self.command, target.path, parameters, body)))

    do_PUT = do_DELETE = do_POST = do_HEAD = do_PATCH = do_OPTIONS = do_GET

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY or "Transfer-Encoding" in self.headers:
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None  # the client has ended before

    def _send(self, answer: Answer) -> None:
        status, body = answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)


class Server(ThreadingHTTPServer):
    """Listens from the start; serve() answers. Raises OSError where it can't listen."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, answer: Answering) -> None:
        self.answer = answer
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """As the base does, without asking the name service for this host's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def serve(self) -> None:
        """Until the process ends."""
        self.serve_forever(poll_interval=3600)

    def close(self) -> None:
        """This process's end of it."""
        self.server_close()
