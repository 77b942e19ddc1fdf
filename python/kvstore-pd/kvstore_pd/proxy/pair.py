"""A request's way: prefill, then decode."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from aiohttp import web

from . import answers, log
from .attempt import TIMEOUT, AttemptFailed, Exchange, within
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
        await self.prefill(call, asked)
        seconds = call.options.first_byte_timeout if asked.stream else call.options.answer_timeout
        return await self.decode(call, asked.raw, seconds)

    async def prefill(self, call: Call, asked: Asked) -> None:
        """However it ends, decode is next: it gets from the pool what prefill has put there, and
        computes what is missing."""
        if not self.decode_fleet.any_up():
            return  # Prefill's work would be for nobody.
        body = for_prefill(asked, chat=call.request.path.endswith("/chat/completions"))
        tried: list[Worker] = []
        limit = call.options.prefill_attempts
        why = "down"
        while len(tried) < limit:
            worker = self.prefill_fleet.choose(tried)
            # The same once more only where it may just have closed a connection that was idle.
            if worker is None or (worker in tried and why != "broken"):
                break
            tried.append(worker)
            try:
                with worker.busy():
                    status = await self._prefill_once(call, worker, body, len(tried))
            except AttemptFailed as failure:
                why = failure.why
                self._note(call, worker, failure)
                limit = _limit_after(failure, limit, len(tried))
                continue
            if status == 200:
                call.metrics.prefill_seconds.observe(call.seconds())
                call.metrics.attempts.labels(worker.role, worker.name, "ok").inc()
                return
            # It may be for what we changed in the request, for this worker's own limits, or for a
            # key that only others take. Where the client is wrong, decode says so as well, and of
            # the request as it came.
            why = "refused"
            call.metrics.attempts.labels(worker.role, worker.name, why).inc()
            call.notes.update(refused_by=worker.name, refused_with=status)
            break
        call.metrics.skipped.labels(why).inc()
        call.notes["prefill"] = f"skipped_{why}"

    async def _prefill_once(self, call: Call, worker: Worker, body: bytes, attempt: int) -> int:
        """The status: 200, or a 4xx."""
        headers = call.headers(attempt)
        headers["Content-Type"] = answers.JSON
        async with self._exchange(call, worker, headers, body) as exchange:

            async def whole() -> tuple[aiohttp.ClientResponse, bytes]:
                answer = await exchange.begin()
                return answer, await answer.read()

            answer, text = await within(
                call.options.prefill_timeout, worker, whole(), "prefill's answer"
            )
        if answer.status == 200 or 400 <= answer.status < 500:
            return answer.status
        raise AttemptFailed(f"status_{answer.status}", answers.message_in(text), alive=True)

    async def decode(self, call: Call, body: bytes | None, seconds: float) -> web.StreamResponse:
        """A decode worker's answer, or that there is none."""
        fleet = self.decode_fleet
        tried: list[Worker] = []
        failures: list[AttemptFailed] = []
        limit = call.options.decode_attempts
        while len(tried) < limit:
            worker = fleet.choose(tried)
            if worker in tried:
                if any(failure.why == TIMEOUT for failure in failures):
                    break
                await asyncio.sleep(min(0.1 * 2 ** (len(tried) - 1), _LONGEST_PAUSE))
                worker = fleet.choose(tried)  # It may be down by now.
            if worker is None:
                break
            tried.append(worker)
            headers = call.headers(len(tried))
            try:
                with worker.busy():
                    async with self._exchange(call, worker, headers, body) as exchange:
                        response = await relay(call, worker, exchange, seconds)
            except AttemptFailed as failure:
                failures.append(failure)
                self._note(call, worker, failure)
                limit = _limit_after(failure, limit, len(tried))
                continue
            outcome = "refused" if 400 <= response.status < 500 else call.outcome
            call.metrics.attempts.labels(worker.role, worker.name, outcome).inc()
            return response
        return await self._nobody(call, list(zip(tried, failures, strict=True)))

    async def _nobody(
        self, call: Call, tries: list[tuple[Worker, AttemptFailed]]
    ) -> web.StreamResponse:
        """Where a worker is there, and fails at this request or has not enough time for it, to be
        told to try again would not help. Where none is, it will."""
        looks = (worker.known() for worker, _ in tries)
        try:
            await asyncio.wait_for(asyncio.gather(*looks), call.options.health_timeout)
        except asyncio.TimeoutError:
            pass  # Silent, and not down as long as it has not been so a few times.
        of_those_up = [failure for worker, failure in tries if worker.up]
        last = tries[-1][1] if tries else None
        if any(failure.why == TIMEOUT for failure in of_those_up):
            call.outcome = "timeout"
            return answers.error(
                504, f"decode took too long, tries: {len(tries)}; last: {last}", "server_error"
            )
        answered = [failure for failure in of_those_up if failure.alive]
        if answered:
            call.outcome = "failed"
            why = answered[-1]
            return answers.error(
                502, f"decode failed {len(tries)} times, last with {why.why}: {why}", "server_error"
            )
        call.outcome = "unavailable"
        down = last is None or not self.decode_fleet.any_up()
        reason = "all decode workers are down" if down else f"decode: {last}"
        return answers.unavailable(
            f"{reason}; try again later", self.decode_fleet.seconds_to_check()
        )

    def _exchange(
        self, call: Call, worker: Worker, headers: Mapping[str, str], body: bytes | None
    ) -> Exchange:
        request = call.request
        return Exchange(self._session, worker, request.method, request.path_qs, headers, body)

    def _note(self, call: Call, worker: Worker, failure: AttemptFailed) -> None:
        """An answer of 500 may be an engine's last."""
        worker.look()
        call.metrics.attempts.labels(worker.role, worker.name, failure.why).inc()
        log.warning(
            "attempt_failed",
            id=call.id,
            role=worker.role,
            worker=worker.name,
            why=failure.why,
            message=failure,
        )


def _limit_after(failure: AttemptFailed, limit: int, tries: int) -> int:
    """Of tries in all: one more after the first that took too long."""
    return min(limit, tries + 1) if failure.why == TIMEOUT else limit
