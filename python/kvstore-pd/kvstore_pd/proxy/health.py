"""Who of the workers is there: GET /health again and again, at once where a request has failed."""

from __future__ import annotations

import asyncio

import aiohttp

from . import log
from .options import Options
from .workers import Worker

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 5.0


async def watch(worker: Worker, session: aiohttp.ClientSession, options: Options) -> None:
    """Never returns. A worker that refuses, or says that it is ill, is down at once; one that is
    silent is down after `health_failures` times, since one that is busy may be late. It is up again
    with its first good answer."""
    loop = asyncio.get_running_loop()
    silent = 0
    delay = _FIRST_DELAY
    while True:
        worker.check_now.clear()
        why = await _ill(worker, session, options)
        if why is None:
            silent, delay = 0, _FIRST_DELAY
            if worker.mark_up():
                log.info("worker_up", role=worker.role, worker=worker.name)
        else:
            silent = silent + 1 if why == _SILENT else options.health_failures
            if silent >= options.health_failures and worker.mark_down(why):
                log.warning("worker_down", role=worker.role, worker=worker.name, why=why)
        pause = options.health_interval
        if not worker.up:
            pause, delay = delay, min(delay * 2, _LONGEST_DELAY)
        worker.next_check = loop.time() + pause
        worker.looked()
        try:
            await asyncio.wait_for(worker.check_now.wait(), pause)
        except asyncio.TimeoutError:
            pass


_SILENT = "no answer to /health"


async def _ill(worker: Worker, session: aiohttp.ClientSession, options: Options) -> str | None:
    timeout = aiohttp.ClientTimeout(total=options.health_timeout)
    try:
        async with session.get(worker.url + "/health", timeout=timeout) as answer:
            await answer.read()
            return None if answer.status == 200 else f"/health answers {answer.status}"
    except asyncio.TimeoutError:
        return _SILENT
    except (aiohttp.ClientError, OSError) as error:
        return f"/health: {error or type(error).__name__}"
