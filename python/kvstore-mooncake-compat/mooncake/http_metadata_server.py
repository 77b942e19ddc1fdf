"""mooncake_http_metadata_server: what Mooncake's transfer engine keeps about its peers.

    GET|PUT|DELETE /metadata?key=KEY

kvstore itself needs none of it: this is for a transfer engine of Mooncake's that runs beside. In
memory only. No TLS, no credentials: who reaches the port may read and write.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from http import HTTPStatus

from ._programs.serving import Answer, Request, Server

_log = logging.getLogger(__name__)

MAX_BYTES = 1 << 30  # of all values


class Metadata:
    """Values by key. May be used by many threads."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        key = request.parameters.get("key", "").strip()
        if request.path == "/health":
            return HTTPStatus.OK, b"OK"
        if request.path != "/metadata":
            return HTTPStatus.NOT_FOUND, b"only /metadata?key= is served"
        if not key:
            return HTTPStatus.BAD_REQUEST, b"metadata key is required"
        if request.method == "GET":
            return self.get(key)
        if request.method == "PUT":
            return self.put(key, request.body)
        if request.method == "DELETE":
            return self.delete(key)
        return HTTPStatus.METHOD_NOT_ALLOWED, b"Method not allowed"

    def get(self, key: str) -> Answer:
        with self._lock:
            value = self._values.get(key)
        if value is None:
            return HTTPStatus.NOT_FOUND, b"metadata not found"
        return HTTPStatus.OK, value

    def put(self, key: str, value: bytes) -> Answer:
        """A server's own address, under a key with "rpc_meta", is not replaced by another one:
        it would be that of a second process with the same name."""
        with self._lock:
            former = self._values.get(key)
            if former is not None and "rpc_meta" in key:
                if former == value:
                    return HTTPStatus.OK, b"metadata unchanged"
                return HTTPStatus.BAD_REQUEST, b"Duplicate rpc_meta key not allowed"
            total = self._bytes + len(value) - len(former or b"")
            if total > MAX_BYTES:
                return HTTPStatus.INSUFFICIENT_STORAGE, b"too much metadata"
            self._values[key] = value
            self._bytes = total
        return HTTPStatus.OK, b"metadata updated"

    def delete(self, key: str) -> Answer:
        with self._lock:
            value = self._values.pop(key, None)
            if value is None:
                return HTTPStatus.NOT_FOUND, b"metadata not found"
            self._bytes -= len(value)
        return HTTPStatus.OK, b"metadata deleted"


def metadata_server(host: str, port: int) -> Server:
    """Raises OSError."""
    return Server(host, port, Metadata().answer)


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="mooncake_http_metadata_server", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument(
        "--log-level",
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    )
    options = parser.parse_args()
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    try:
        server = metadata_server(options.host, options.port)
    except OSError as error:
        print(f"can't listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, lambda *_: sys.exit(0))
    _log.info("serves /metadata on %s:%d", *server.server_address[:2])
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
