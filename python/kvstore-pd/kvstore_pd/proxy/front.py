"""What is served by which path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from . import answers, log
from .body import parse
from .call import Call, ClientGone
from .metrics import Metrics
from .options import Options
from .pair import Pair

_UPLOAD_SECONDS = 60.0
LAST_WORDS_SECONDS = 5.0  # for telling clients that their request was ended
_Serve = Callable[[Call], Awaitable[web.StreamResponse]]


class Front:
    def __init__(self, options: Options, pair: Pair, metrics: Metrics) -> None:
        self._options = options
        self._pair = pair
        self._metrics = metrics
        self._ending = False
        self._running: dict[asyncio.Task[object], Call] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def application(self) -> web.Application:
        application = web.Application(client_max_size=self._options.max_body_bytes)
        add = application.router
        for path in ("/v1/completions", "/v1/chat/completions"):
            add.add_post(path, self._route(path, self._complete))
        for path in ("/v1/models", "/version"):
            add.add_get(path, self._route(path, self._by_decode), allow_head=False)
        for path in ("/tokenize", "/detokenize"):
            add.add_post(path, self._route(path, self._by_decode))
        add.add_get("/health", self._health)
        add.add_get("/metrics", self._show_metrics)
        add.add_route("*", "/{path:.*}", self._unknown)
        return application

    async def drain(self, seconds: float) -> int:
        """Waits for what is under way, and ends what is not done by then: how many those were."""
        self._ending = True
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        left = dict(self._running)
        for task, call in left.items():
            call.told_to_end = True
            task.cancel()
        try:
            await asyncio.wait_for(self._idle.wait(), LAST_WORDS_SECONDS)
        except asyncio.TimeoutError:
            pass  # Clients that don't read.
        return len(left)

    def _route(
        self, path: str, serve: _Serve
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Counts the request, names it, and tells of it if it was odd."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._ending:
                response = answers.unavailable("the server is ending", 1)
                response.force_close()
                return response
            call = Call(request, self._options, self._metrics)
            task = asyncio.current_task()
            assert task is not None
            self._running[task] = call
            self._idle.clear()
            self._metrics.running.inc()
            code = "499"
            try:
                answer = await serve(call)
                code = str(answer.status)
                return answer
            except (asyncio.CancelledError, ClientGone):
                if call.told_to_end:
                    call.outcome, code = "drain", "503"
                    return answers.unavailable("the server is ending", 1)
                call.outcome = "client_gone"
                self._metrics.client_gone.inc()
                # As aiohttp itself says it of a client that hangs up.
                raise asyncio.CancelledError from None
            except Exception:
                code = "500"
                call.outcome = "bug"
                log.bug("unexpected", id=call.id)
                return answers.error(500, "the proxy failed; its log says more", "server_error")
            finally:
                del self._running[task]
                if not self._running:
                    self._idle.set()
                self._metrics.running.dec()
                self._metrics.requests.labels(path, code).inc()
                self._metrics.request_seconds.observe(call.seconds())
                _tell(call, path, code)

        return handle

    async def _complete(self, call: Call) -> web.StreamResponse:
        try:
            raw = await _body(call)
            asked = parse(raw)
        except ValueError as error:
            return _named(call, answers.invalid(str(error)))
        except web.HTTPRequestEntityTooLarge:
            return _named(
                call,
                answers.invalid(
                    f"the body is larger than {self._options.max_body_bytes} bytes", 413
                ),
            )
        return _named(call, await self._pair.answer(call, asked))

    async def _by_decode(self, call: Call) -> web.StreamResponse:
        try:
            body = await _body(call) if call.request.can_read_body else None
        except (ValueError, web.HTTPRequestEntityTooLarge) as error:
            return _named(call, answers.invalid(str(error), getattr(error, "status", 400)))
        seconds = self._options.first_byte_timeout
        return _named(call, await self._pair.decode(call, body, seconds))

    async def _health(self, _: web.Request) -> web.Response:
        prefill, decode = self._pair.prefill_fleet, self._pair.decode_fleet
        if self._ending:
            word = "ending"
        elif not decode.any_up():
            word = "no decode worker"
        else:
            word = "ok" if prefill.any_up() else "no prefill worker"
        state = {"status": word, "prefill": prefill.state(), "decode": decode.state()}
        healthy = not self._ending and decode.any_up()
        return web.json_response(state, status=200 if healthy else 503)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _unknown(self, request: web.Request) -> web.Response:
        return answers.invalid(f"{request.method} {request.path} is not served here", 404)


async def _body(call: Call) -> bytes:
    """Raises ValueError, for the client to read; ClientGone."""
    try:
        return await asyncio.wait_for(call.request.read(), _UPLOAD_SECONDS)
    except asyncio.TimeoutError:
        raise ValueError(f"the body did not come within {_UPLOAD_SECONDS:g} s") from None
    except web.RequestPayloadError as error:
        raise ValueError(f"the body can't be read: {error}") from None
    except (aiohttp.ClientError, OSError):
        raise ClientGone from None


def _named(call: Call, response: web.StreamResponse) -> web.StreamResponse:
    if not response.prepared:
        response.headers["X-Request-Id"] = call.id
    return response


def _tell(call: Call, path: str, code: str) -> None:
    smooth = call.outcome == "ok" and code < "400" and not call.notes
    say = log.debug if smooth else log.info
    say(
        "request",
        id=call.id,
        path=path,
        code=code,
        outcome=call.outcome,
        seconds=call.seconds(),
        **call.notes,
    )
