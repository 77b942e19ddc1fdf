"""The metadata server, where requests are none and values too many."""

from __future__ import annotations

import socket

import pytest
from deployment import PATIENCE, Program, http
from mooncake import http_metadata_server
from ports import free_port


def test_requests_that_are_none() -> None:
    """Each is answered, or its connection closed; the next one is served."""
    port = free_port()
    flags = ("--host", "127.0.0.1", "--port", str(port))
    with Program("mooncake_http_metadata_server", *flags) as server:
        url = f"http://127.0.0.1:{port}/metadata?key=key"
        server.wait_http(url)
        put = b"PUT /metadata?key=key HTTP/1.1\r\nHost: here\r\n"
        for request, status in (
            (put + b"Content-Length: 99999999999\r\n\r\n", b" 413 "),
            (put + b"Content-Length: -1\r\n\r\n", b" 413 "),
            (put + b"Transfer-Encoding: chunked\r\n\r\n", b" 413 "),
            (b"nonsense\r\n\r\n", b" 400 "),
            (b"BREW /metadata?key=key HTTP/1.1\r\n\r\n", b" 501 "),
            (b"GET /elsewhere HTTP/1.1\r\nConnection: close\r\n\r\n", b" 404 "),
        ):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                connection.sendall(request)
                answer = b"".join(iter(lambda: connection.recv(4096), b""))  # noqa: B023
            assert status in answer, (request, answer)
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.sendall(put + b"Content-Length: 5\r\n\r\nva")
            connection.shutdown(socket.SHUT_WR)  # and no more
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert b" 413 " in answer, answer
        assert http("GET", url)[0] == 404
        assert http("PUT", url, b"value") == (200, b"metadata updated")
        assert http("GET", url) == (200, b"value")


def test_metadata_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_metadata_server, "MAX_BYTES", 10)
    metadata = http_metadata_server.Metadata()
    assert metadata.put("a", b"12345678")[0] == 200
    assert metadata.put("b", b"123")[0] == 507
    assert metadata.put("a", b"1234567890")[0] == 200
    assert metadata.put("a", b"12345678901")[0] == 507
    assert metadata.delete("a")[0] == 200
    assert metadata.put("b", b"123")[0] == 200
