"""Engines whose every answer a test decides, and the proxy before them as a process of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lines import Lines
from ports import free_port

PATIENCE = 60.0  # seconds, for what must happen on a busy machine
ASKED = {"model": "m", "prompt": "hello", "max_tokens": 7}
STREAM = {**ASKED, "stream": True}


@dataclass
class Seen:
    path: str
    headers: Message
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Conversation(BaseHTTPRequestHandler):
    """What a script does with one request."""

    protocol_version = "HTTP/1.1"
    server: _Server
    raw = b""

    def setup(self) -> None:
        super().setup()
        self.server.engine.connections.append(self.connection)

    def do_GET(self) -> None:
        engine = self.server.engine
        if self.path == "/health":
            self.answer(*engine.health())
        else:
            engine.serve(self)

    def do_POST(self) -> None:
        self.raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.engine.serve(self)

    def answer(self, status: int, body: object, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def stream(self, *events: object) -> None:
        """Begins one, and sends these; the connection stays open."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            self.event(event)

    def event(self, event: object) -> None:
        self.part(b"data: " + json.dumps(event).encode() + b"\n\n")

    def part(self, raw: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
        self.wfile.flush()

    def done(self) -> None:
        self.part(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def end_without_done(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def die(self) -> None:
        """As a process that was killed: the connection is gone."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def wait_hung_up(self) -> None:
        """Until the proxy gives this request up."""
        self.connection.settimeout(PATIENCE)
        try:
            assert self.connection.recv(1) == b""
        except ConnectionError:
            pass
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    engine: Engine

    def handle_error(self, *_: object) -> None:
        pass  # A connection that a script has cut.


Script = Callable[[Conversation], None]


def tokens(conversation: Conversation) -> None:
    """What a healthy engine does."""
    asked = json.loads(conversation.raw or b"{}")
    if asked.get("stream"):
        conversation.stream(*({"choices": [{"text": f"t{i}"}]} for i in range(3)))
        conversation.done()
    else:
        name = conversation.server.engine.name
        conversation.answer(200, {"choices": [{"text": "t0t1t2"}], "by": name})


def fails(conversation: Conversation) -> None:
    conversation.answer(500, {"error": {"message": "KV load failure (failure_policy=fail)"}})


def refuses(conversation: Conversation) -> None:
    conversation.answer(400, {"error": {"message": "prompt too long", "code": 400}})


def hangs(conversation: Conversation) -> None:
    conversation.wait_hung_up()


def dies(conversation: Conversation) -> None:
    conversation.die()


def fails_in_stream(conversation: Conversation) -> None:
    """As vLLM does it: status and headers are sent before the first token is asked for."""
    conversation.stream({"error": {"message": "KV load failure", "code": 500}})
    conversation.done()


def dies_before_first_event(conversation: Conversation) -> None:
    conversation.stream()
    conversation.die()


def seconds(script: Script) -> str:
    """For an answer: no longer than needed where none will come, long where the machine is busy."""
    return "10" if script is hangs else "60"


class Engine:
    """An engine's HTTP server on a port of its own. Scripts are used up one by one, then `then`."""

    def __init__(self, name: str, *scripts: Script, then: Script = tokens) -> None:
        self.name = name
        self.seen: list[Seen] = []
        self.asked = threading.Condition()
        self.health: Callable[[], tuple[int, object]] = lambda: (200, {})
        self._scripts = list(scripts)
        self._then = then
        self._server: _Server | None = None
        self.connections: list[socket.socket] = []
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), Conversation)
        self._server.engine = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """As if the process had been killed: connections end, and are refused from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It has ended already.
        self.connections.clear()

    def serve(self, conversation: Conversation) -> None:
        with self.asked:
            self.seen.append(Seen(conversation.path, conversation.headers, conversation.raw))
            script = self._scripts.pop(0) if self._scripts else self._then
            self.asked.notify_all()
        script(conversation)

    def wait_asked(self, times: int) -> None:
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.seen) >= times, PATIENCE)


def wait_all_asked(engines: list[Engine], times: int) -> None:
    """Until they have been asked so often, together. Who is asked may learn of it after who asks
    has given it up."""
    until = time.monotonic() + PATIENCE
    while sum(len(engine.seen) for engine in engines) < times:
        assert time.monotonic() < until
        time.sleep(0.01)


class Proxy:
    """kvstore-pd-proxy at work."""

    def __init__(self, prefill: list[Engine], decode: list[Engine], *flags: str) -> None:
        command = [
            str(Path(sys.executable).with_name("kvstore-pd-proxy")),
            *("--port", "0", "--health-interval", "0.1"),
            *("--prefiller-port", *(str(engine.port) for engine in prefill)),
            *("--decoder-port", *(str(engine.port) for engine in decode)),
            *flags,
        ]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._output = Lines(self.process.stderr)
        self.port = int(self.wait_line(r" ready listens=127\.0\.0\.1:(\d+)").group(1))

    @property
    def lines(self) -> list[str]:
        """What it has written so far."""
        return self._output.read

    def wait_line(self, pattern: str) -> re.Match[str]:
        """The first line that matches."""
        return self._output.wait(pattern, PATIENCE)

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def post(self, body: object, path: str = "/v1/completions", **headers: str) -> HTTPResponse:
        connection = self.connect()
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection.request("POST", path, raw, sent)
        return connection.getresponse()

    def get(self, path: str) -> HTTPResponse:
        connection = self.connect()
        connection.request("GET", path)
        return connection.getresponse()

    def metric(self, line: str) -> float:
        text = self.get("/metrics").read().decode()
        return next((float(v) for k, v in _samples(text) if k == line), 0.0)

    def wait_health(self, word: str) -> None:
        """Until /health says so."""
        ended = threading.Event()
        for _ in range(int(PATIENCE / 0.02)):
            if json.loads(self.get("/health").read())["status"] == word:
                return
            ended.wait(0.02)
        raise AssertionError(self.get("/health").read())

    def wait_metric(self, line: str, value: float) -> None:
        ended = threading.Event()
        for _ in range(int(PATIENCE / 0.02)):
            if self.metric(line) >= value:
                return
            ended.wait(0.02)
        raise AssertionError(self.get("/metrics").read().decode())

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.terminate()
        return self.process.wait(PATIENCE)


def _samples(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            yield name, value


@contextmanager
def serving(prefill: list[Engine], decode: list[Engine], *flags: str) -> Iterator[Proxy]:
    proxy = Proxy(prefill, decode, *flags)
    try:
        yield proxy
    finally:
        proxy.process.kill()
        proxy.process.wait(PATIENCE)
        for engine in (*prefill, *decode):
            engine.stop()
