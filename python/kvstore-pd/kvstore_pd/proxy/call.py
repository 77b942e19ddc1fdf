"""One request of a client, and what is to be told of it afterwards."""

from __future__ import annotations

import os
import re
import time
import uuid

from aiohttp import web
from multidict import CIMultiDict

from .metrics import Metrics
from .options import Options

_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")
_NOT_PASSED = frozenset(
    "host connection keep-alive proxy-authorization proxy-connection te trailer transfer-encoding "
    "upgrade expect content-length content-encoding accept-encoding x-request-id".split()
)


class ClientGone(Exception):
    """The client hung up."""


class Call:
    def __init__(self, request: web.Request, options: Options, metrics: Metrics) -> None:
        self.request = request
        self.options = options
        self.metrics = metrics
        given = request.headers.get("X-Request-Id", "")
        self.id = given if _ID.match(given) else uuid.uuid4().hex
        self.began = time.monotonic()
        self.outcome = "ok"  # one word, for the log
        self.notes: dict[str, object] = {}  # what did not go smoothly
        self.told_to_end = False  # the proxy ends: what cancels the call is not its client
        self._headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_PASSED}
        key = os.environ.get("OPENAI_API_KEY")
        if key and "Authorization" not in request.headers:
            self._headers["Authorization"] = f"Bearer {key}"

    def headers(self, attempt: int) -> CIMultiDict[str]:
        """For a worker. A second try has an id of its own: the first may still be under way."""
        headers = CIMultiDict(self._headers)
        headers["X-Request-Id"] = self.id if attempt == 1 else f"{self.id}-{attempt}"
        headers["Accept-Encoding"] = "identity"
        return headers

    def answering(self) -> None:
        """The client is sent its first byte."""
        self.metrics.first_byte_seconds.observe(self.seconds())

    def seconds(self) -> float:
        return time.monotonic() - self.began
