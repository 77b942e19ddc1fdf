"""A request's way: prefill, then decode."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from aiohttp import web

from . import answers, log
from .attempt import AttemptFailed, Exchange, within
from .body import Asked, for_prefill
from .call import Call
from .relay import relay
from .workers import Fleet, Worker

_LONGEST_PAUSE = 1.0


class Pair:
    def __init__(self, session: aiohttp.ClientSession, prefill: Fleet, decode: Fleet) -> None:
        self._session = session
        self.prefill_fleet = prefill
        self.decode_fleet = decode

    async def answer(self, call: Call, asked: Asked) -> web.StreamResponse:
        """Nothing needs to be waited for between the two: a decode worker that asks the pool for
        keys whose put is still under way waits there, by its own setting (await_puts)."""
        refused = await self.prefill(call, asked)
        if refused is not None:
            return refused
        seconds = call.options.first_byte_timeout if asked.stream else call.options.answer_timeout
        return await self.decode(call, asked.raw, seconds)

    async def prefill(self, call: Call, asked: Asked) -> web.Response | None:
        """What the client did wrong, in the worker's words; None: go on to decode, which gets from
        the pool what prefill has put there, and computes what is missing."""
        if not self.decode_fleet.any_up():
            return None  # Prefill's work would be for nobody.
        body = for_prefill(asked, chat=call.request.path.endswith("/chat/completions"))
        tried: list[Worker] = []
        why = "down"
        while len(tried) < call.options.prefill_attempts:
            worker = self.prefill_fleet.choose(tried)
            # The same once more only where it may just have closed a connection that was idle.
            if worker is None or (worker in tried and why != "broken"):
                break
            tried.append(worker)
            try:
                with worker.busy():
                    refused = await self._prefill_once(call, worker, body, len(tried))
            except AttemptFailed as failure:
                why = failure.why
                self._note(call, worker, failure)
                continue
            call.metrics.prefill_seconds.observe(call.seconds())
            outcome = "ok" if refused is None else "refused"
            call.metrics.attempts.labels(worker.role, worker.name, outcome).inc()
            return refused
        call.metrics.skipped.labels(why).inc()
        call.notes["prefill"] = f"skipped_{why}"
        return None

    async def _prefill_once(
        self, call: Call, worker: Worker, body: bytes, attempt: int
    ) -> web.Response | None:
        headers = call.headers(attempt)
        headers["Content-Type"] = answers.JSON
        async with self._exchange(call, worker, headers, body) as exchange:

            async def whole() -> tuple[aiohttp.ClientResponse, bytes]:
                answer = await exchange.begin()
                return answer, await answer.read()

            answer, text = await within(
                call.options.prefill_timeout, worker, whole(), "prefill's answer"
            )
        if answer.status == 200:
            return None
        if 400 <= answer.status < 500:
            call.notes["refused_by"] = worker.name
            return web.Response(
                body=text, status=answer.status, headers={"Content-Type": _type(answer)}
            )
        raise AttemptFailed(f"status_{answer.status}", answers.message_in(text), alive=True)

    async def decode(self, call: Call, body: bytes | None, seconds: float) -> web.StreamResponse:
        """A decode worker's answer, or that there is none."""
        fleet = self.decode_fleet
        tried: list[Worker] = []
        last: AttemptFailed | None = None
        while len(tried) < call.options.decode_attempts:
            worker = fleet.choose(tried)
            if worker is None:
                break
            if worker in tried:
                await asyncio.sleep(min(0.1 * 2 ** (len(tried) - 1), _LONGEST_PAUSE))
            tried.append(worker)
            headers = call.headers(len(tried))
            try:
                with worker.busy():
                    async with self._exchange(call, worker, headers, body) as exchange:
                        response = await relay(call, worker, exchange, seconds)
            except AttemptFailed as failure:
                last = failure
                self._note(call, worker, failure)
                continue
            outcome = "refused" if 400 <= response.status < 500 else call.outcome
            call.metrics.attempts.labels(worker.role, worker.name, outcome).inc()
            return response
        return self._nobody(call, last, len(tried))

    def _nobody(self, call: Call, last: AttemptFailed | None, tries: int) -> web.Response:
        if last is not None and last.alive:
            # It is there, and fails at this request each time: to be told to try again would not
            # help.
            call.outcome = "failed"
            return answers.error(
                502, f"decode failed {tries} times, last with {last.why}: {last}", "server_error"
            )
        call.outcome = "unavailable"
        reason = "all decode workers are down" if last is None else f"decode: {last}"
        return answers.unavailable(
            f"{reason}; try again later", self.decode_fleet.seconds_to_check()
        )

    def _exchange(
        self, call: Call, worker: Worker, headers: Mapping[str, str], body: bytes | None
    ) -> Exchange:
        request = call.request
        return Exchange(self._session, worker, request.method, request.path_qs, headers, body)

    def _note(self, call: Call, worker: Worker, failure: AttemptFailed) -> None:
        call.metrics.attempts.labels(worker.role, worker.name, failure.why).inc()
        log.warning(
            "attempt_failed",
            id=call.id,
            role=worker.role,
            worker=worker.name,
            why=failure.why,
            message=failure,
        )


def _type(answer: aiohttp.ClientResponse) -> str:
    return answer.headers.get("Content-Type", answers.JSON)
