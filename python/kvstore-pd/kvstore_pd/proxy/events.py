"""Server-sent events, as far as a proxy must know them."""

from __future__ import annotations

import json

DONE = b"data: [DONE]"
# What can't be told into events by then is handed on as it is.
MAX_EVENT_BYTES = 1 << 20


class Splitter:
    """Lets whole events through at once, and keeps the beginning of the next one back: where a
    stream is cut in the midst of an event, one can still be added that clients can read."""

    def __init__(self) -> None:
        self._rest = b""
        self.done = False  # [DONE] went through

    def feed(self, chunk: bytes) -> bytes:
        data = self._rest + chunk
        end = max(_after(data, b"\n\n"), _after(data, b"\r\n\r\n"))
        if end == 0 and len(data) > MAX_EVENT_BYTES:
            end = len(data)
        whole, self._rest = data[:end], data[end:]
        self.done = self.done or DONE in whole
        return whole

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return self._rest


def _after(data: bytes, end: bytes) -> int:
    at = data.rfind(end)
    return 0 if at < 0 else at + len(end)


def first_error(events: bytes) -> tuple[int, str] | None:
    """Code and message, if the first of these events is an error. vLLM answers a stream with 200
    before it knows whether there will be a token, and tells of an error in there."""
    line = events.lstrip().split(b"\n", 1)[0]
    if not line.startswith(b"data:") or b'"error"' not in line:
        return None
    try:
        found = json.loads(line[len(b"data:") :])
        failure = found["error"]
        return int(failure.get("code") or 500), str(failure.get("message") or "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
