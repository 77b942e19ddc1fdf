"""Errors of the proxy's own, in the form that OpenAI's clients know."""

from __future__ import annotations

import json

from aiohttp import web

JSON = "application/json"


def error_body(message: str, kind: str, code: int | str) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error(status: int, message: str, kind: str, retry_after: float | None = None) -> web.Response:
    """`retry_after` in seconds: when the same request may succeed."""
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    return web.json_response(error_body(message, kind, status), status=status, headers=headers)


def invalid(message: str, status: int = 400) -> web.Response:
    return error(status, message, "invalid_request_error")


def unavailable(message: str, retry_after: float) -> web.Response:
    return error(503, message, "service_unavailable", retry_after)


def error_event(message: str, kind: str, code: int | str) -> bytes:
    """What ends a stream that can't go on. No [DONE] follows: that would say it was whole."""
    return b"data: " + json.dumps(error_body(message, kind, code)).encode() + b"\n\n"


def message_in(body: bytes) -> str:
    """What a worker's answer says of its error, in one short line."""
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
        while isinstance(found, dict):
            found = found.get("error") or found.get("message") or found.get("detail")
        if isinstance(found, str):
            text = found
    except ValueError:
        pass
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:300] + "..."
