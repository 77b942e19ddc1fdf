"""One request to one worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

import aiohttp

from .workers import Worker

T = TypeVar("T")

# What a worker answers when it could not, rather than would not. Another try may succeed.
RETRIED = (500, 502, 503, 504)
# It is there and does not come to an end: where all are that busy, each further try makes it worse.
TIMEOUT = "timeout"


class AttemptFailed(Exception):
    """`why` is one word, for metrics; `alive`: the worker did answer, be it an error."""

    def __init__(self, why: str, message: str, alive: bool = False) -> None:
        super().__init__(message)
        self.why = why
        self.alive = alive


async def within(
    seconds: float, worker: Worker, work: Awaitable[T], what: str, allowed: float = 0
) -> T:
    """What `work` returns. Raises AttemptFailed if it takes longer, if the worker is found to be
    down meanwhile, or if the connection fails. Whether the worker is down is for its health to say:
    the server may only have closed a connection that was idle. `allowed`: what `seconds` are left
    of, for the message."""
    task = asyncio.ensure_future(work)
    lost = asyncio.ensure_future(worker.lost())
    try:
        await asyncio.wait({task, lost}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if lost.done():
            raise AttemptFailed("lost", worker.why_down)
        raise AttemptFailed(TIMEOUT, f"{what} took longer than {allowed or seconds:g} s")
    except aiohttp.ClientConnectorError as error:
        raise AttemptFailed("connect", f"can't connect: {error.os_error}") from None
    except asyncio.TimeoutError:  # aiohttp's, which is told of connections alone
        raise AttemptFailed("connect", "can't connect: no answer") from None
    except (aiohttp.ClientError, OSError) as error:
        raise AttemptFailed("broken", f"{what}: {error or type(error).__name__}") from None
    finally:
        for each in (task, lost):
            each.cancel()
        await asyncio.gather(task, lost, return_exceptions=True)


class Exchange:
    """A POST or GET under way. Leaving it ends it, at the worker too: its client is gone."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        worker: Worker,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> None:
        self._session = session
        self._worker = worker
        self._request = (method, worker.url + path, headers, body)
        self._answer: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Exchange:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._answer is not None:
            # Does nothing where all was read, and the connection can be used again.
            self._answer.close()

    async def begin(self) -> aiohttp.ClientResponse:
        """Status and headers."""
        method, url, headers, body = self._request
        self._answer = await self._session.request(
            method, url, data=body, headers=headers, allow_redirects=False
        )
        return self._answer
