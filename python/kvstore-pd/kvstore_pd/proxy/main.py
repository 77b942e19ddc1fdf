"""kvstore-pd-proxy: the process."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

import aiohttp
from aiohttp import web

from . import health, log, options
from .front import LAST_WORDS_SECONDS, Front
from .metrics import Metrics
from .options import Options
from .pair import Pair
from .workers import DECODE, PREFILL, Fleet

# Less than uvicorn's 5 s, so that connections are seldom used that a worker is just closing.
_KEEP_IDLE_CONNECTIONS = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options.read(arguments)
    log.set_up(chosen.log_level)
    try:
        return asyncio.run(_serve(chosen))
    except OSError as error:
        print(f"can't listen on {chosen.host}:{chosen.port}: {error}", file=sys.stderr)
        return 1


async def _serve(chosen: Options) -> int:
    """Raises OSError where the port can't be had."""
    prefill, decode = Fleet(PREFILL, chosen.prefillers), Fleet(DECODE, chosen.decoders)
    metrics = Metrics((prefill, decode))
    told = _signals()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_IDLE_CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=chosen.connect_timeout),
        auto_decompress=False,
        # What a worker sets for one client is not another's.
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=1 << 18,
    ) as session:
        front = Front(chosen, Pair(session, prefill, decode), metrics)
        runner = web.AppRunner(
            front.application(),
            handler_cancellation=True,  # of those whose client hangs up
            shutdown_timeout=LAST_WORDS_SECONDS,
            access_log=None,
        )
        await runner.setup()
        site = web.TCPSite(runner, chosen.host, chosen.port, backlog=1024)
        await site.start()
        watches = [
            asyncio.ensure_future(health.watch(worker, session, chosen))
            for worker in (*prefill.workers, *decode.workers)
        ]
        for where in runner.addresses:
            log.info("ready", listens=f"{where[0]}:{where[1]}")
        await told.get()
        await _end(front, site, runner, chosen, told)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        await runner.cleanup()
    return 0


def _signals() -> asyncio.Queue[None]:
    """An entry for each SIGTERM or SIGINT."""
    told: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for end in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(end, told.put_nowait, None)
    return told


async def _end(
    front: Front,
    site: web.TCPSite,
    runner: web.AppRunner,
    chosen: Options,
    told: asyncio.Queue[None],
) -> None:
    log.info("ending", drain_timeout=chosen.drain_timeout)
    await site.stop()
    draining = asyncio.ensure_future(front.drain(chosen.drain_timeout))
    again = asyncio.ensure_future(told.get())
    await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        cut = await front.drain(0)
    else:
        cut = draining.result()
    again.cancel()
    log.info("ended", cut=cut)


if __name__ == "__main__":
    sys.exit(main())
