"""What mooncake_client tells processes of its host: which pool it belongs to.

A process that knows only the daemon's address (setup_dummy) asks there for the master's, and then
joins the pool itself; the daemon's memory is shared with it as with any other process of the host.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from http import HTTPStatus

from .serving import Answer, Request, Server

_PATH = "/master"


def rendezvous(host: str, port: int, master: str) -> Server:
    """Answers master_of. Raises OSError where it can't listen."""

    def answer(request: Request) -> Answer:
        if request.path == "/health":
            return HTTPStatus.OK, b"OK"
        if request.path != _PATH:
            return HTTPStatus.NOT_FOUND, b"only /master and /health are served"
        return HTTPStatus.OK, json.dumps({"master": master}).encode()

    return Server(host, port, answer)


def master_of(server_address: str, timeout: float = 10.0) -> str:
    """The master's address, from the mooncake_client at HOST:PORT. Raises OSError, also for what is
    there and no such daemon."""
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{server_address}{_PATH}", timeout=timeout) as reply:
            return str(json.load(reply)["master"])
    except urllib.error.URLError as error:
        raise OSError(f"no mooncake_client answers at {server_address}: {error.reason}") from error
    except (http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise OSError(f"what answers at {server_address} is no mooncake_client") from error
