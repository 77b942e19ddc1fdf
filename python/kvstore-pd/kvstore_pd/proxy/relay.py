"""A worker's answer on its way to the client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import aiohttp
from aiohttp import web

from . import answers, log
from .attempt import RETRIED, AttemptFailed, Exchange, within
from .call import Call, ClientGone
from .events import DONE, Splitter, first_error
from .workers import Worker

_EVENTS = "text/event-stream"
# Not the next hop's business, or made anew there.
_OWN_HEADERS = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding "
    "upgrade content-length content-encoding content-type date server x-request-id".split()
)


async def relay(
    call: Call, worker: Worker, exchange: Exchange, seconds: float
) -> web.StreamResponse:
    """Raises AttemptFailed only as long as the client has been sent nothing; `seconds` is the time
    for that: for the whole answer, or for a stream's first event."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds

    def left() -> float:
        return max(0.001, until - loop.time())

    answer = await within(left(), worker, exchange.begin(), "the answer", seconds)
    if answer.status == 200 and answer.content_type == _EVENTS:
        splitter = Splitter()
        events = _first_events(answer, splitter)
        first = await within(left(), worker, events, "the first event", seconds)
        failure = first_error(first)
        if failure is not None and failure[0] in RETRIED:
            raise AttemptFailed(f"status_{failure[0]}", failure[1], alive=True)
        return await _stream(call, worker, answer, splitter, first)
    body = await within(left(), worker, answer.read(), "the answer", seconds)
    if answer.status in RETRIED:
        raise AttemptFailed(f"status_{answer.status}", answers.message_in(body), alive=True)
    call.answering()
    return web.Response(body=body, status=answer.status, headers=_headers(answer))


async def _first_events(answer: aiohttp.ClientResponse, splitter: Splitter) -> bytes:
    async for chunk in answer.content.iter_any():
        if events := splitter.feed(chunk):
            return events
    raise AttemptFailed("broken", "the stream ended before its first event")


async def _stream(
    call: Call,
    worker: Worker,
    answer: aiohttp.ClientResponse,
    splitter: Splitter,
    first: bytes,
) -> web.StreamResponse:
    """Every event at once. From here on nothing can be asked of another worker: the client would
    see tokens twice."""
    headers = {**_headers(answer), "X-Request-Id": call.id}
    response = web.StreamResponse(status=answer.status, headers=headers)
    await _sent(call, response.prepare(call.request))
    call.answering()
    try:
        events: bytes | None = first
        while events is not None:
            if events:
                await _sent(call, response.write(events))
            events = await _next_events(call, worker, answer, splitter)
        last = splitter.rest()
    except _Cut as cut:
        last = _tell_cut(call, worker, cut)
    except asyncio.CancelledError:
        if not call.told_to_end:
            raise
        last = _tell_cut(call, worker, _Cut("drain", "is not done, and this server ends"))
    if last:
        await _sent(call, response.write(last))
    await _sent(call, response.write_eof())
    return response


class _Cut(Exception):
    """The stream can't go on: why in one word, and in words."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


async def _next_events(
    call: Call, worker: Worker, answer: aiohttp.ClientResponse, splitter: Splitter
) -> bytes | None:
    """May be empty; None at the end. Raises _Cut."""
    began = time.monotonic()
    while True:
        try:
            chunk = await asyncio.wait_for(answer.content.readany(), call.options.idle_timeout)
            break
        except asyncio.TimeoutError:
            await _silent(call, worker, time.monotonic() - began)
        except (aiohttp.ClientError, OSError) as error:
            raise _Cut("broken", f"broke off: {error or type(error).__name__}") from None
    if chunk:
        return splitter.feed(chunk)
    if not splitter.done and DONE not in splitter.rest():
        raise _Cut("no_done", "ended in the midst of its answer")
    return None


async def _silent(call: Call, worker: Worker, seconds: float) -> None:
    """Engines keep back what is not for the client, or not yet: a thought, a tool's call. Therefore
    silence alone is no end, where the worker is there. Raises _Cut."""
    worker.look()
    try:
        await asyncio.wait_for(worker.known(), call.options.health_timeout)
    except asyncio.TimeoutError:
        pass  # Up until it has been silent a few times.
    if not worker.up:
        raise _Cut("idle", f"sent nothing for {seconds:.0f} s, and is down ({worker.why_down})")
    if seconds >= call.options.answer_timeout:
        raise _Cut("idle", f"sent nothing for {seconds:.0f} s")
    log.info("stream_silent", id=call.id, worker=worker.name, seconds=seconds)


def _tell_cut(call: Call, worker: Worker, cut: _Cut) -> bytes:
    """The event that ends the client's stream."""
    worker.look()
    call.metrics.cut.labels(cut.why).inc()
    call.outcome = f"cut_{cut.why}"
    log.warning("stream_cut", id=call.id, worker=worker.name, why=cut.why, message=cut)
    text = f"the decode worker {cut}; what was sent so far is not the whole answer"
    return answers.error_event(text, "server_error", 502)


async def _sent(call: Call, sending: Awaitable[object]) -> None:
    """Raises ClientGone, also where the client does not take it in time: the worker would wait as
    long as it does."""
    try:
        await asyncio.wait_for(sending, call.options.client_timeout)
    except asyncio.TimeoutError:
        call.notes["client"] = "does_not_read"
        if call.request.transport is not None:
            call.request.transport.abort()  # Closing it would wait for the client to read.
        raise ClientGone from None
    except (aiohttp.ClientError, OSError):
        raise ClientGone from None


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    kept = {k: v for k, v in answer.headers.items() if k.lower() not in _OWN_HEADERS}
    if "Content-Type" in answer.headers:
        kept["Content-Type"] = answer.headers["Content-Type"]
    return kept
