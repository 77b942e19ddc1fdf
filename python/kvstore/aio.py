"""The client for asyncio.

    async with kvstore.aio.Client("127.0.0.1:50051") as client:
        await client.put("key", b"value")
        print(await client.get("key"))

Every call runs kvstore.Client's, which stands behind it, in a thread of the client's own. A task
that is cancelled stops waiting; its call goes on to its end, and keeps the memory that it was
given: don't use that for anything else before the call's timeout has passed. Waits for objects
(wait_exists) that go on so end when the client is closed.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from . import client as _client

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _awaited(
    method: Callable[Concatenate[_client.Client, _P], _R],
) -> Callable[Concatenate[Client, _P], Coroutine[Any, Any, _R]]:
    async def call(self: Client, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return await self.run(method, self.blocking, *args, **kwargs)

    functools.update_wrapper(call, method)
    return call


class Client:
    """kvstore.Client with calls that are awaited. Of one event loop.

    Takes kvstore.Client's arguments, and `threads`: how many calls may be under way at once;
    further ones wait for their turn, their timeouts not running yet. Connects in `async with`, or
    by open(). Views, new objects and read sessions are those of kvstore; their calls that may wait
    (seal, read, verify) are run by `await client.run(session.read, 0, target)`.
    """

    def __init__(self, *args: Any, threads: int = 16, **kwargs: Any) -> None:
        self._connect = functools.partial(_client.Client, *args, **kwargs)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="kvstore")
        self._blocking: _client.Client | None = None

    @property
    def blocking(self) -> _client.Client:
        """The client behind it."""
        if self._blocking is None:
            raise RuntimeError("the client is not connected: use `async with`, or await open()")
        return self._blocking

    async def open(self) -> None:
        """Connects and joins; raises what kvstore.Client does."""
        self._blocking = await self.run(self._connect)

    async def close(self) -> None:
        """As kvstore.Client.close: it leaves once the calls under way are through. Those of
        wait_exists end within a second, also where the task that made them was cancelled."""
        if self._blocking is not None:
            # Not in the client's threads: waits may have them all.
            await asyncio.get_running_loop().run_in_executor(None, self._blocking.close)
        self._threads.shutdown(wait=False)

    async def __aenter__(self) -> Client:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Runs any call in one of the client's threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(call, *args, **kwargs))

    put = _awaited(_client.Client.put)
    put_batch = _awaited(_client.Client.put_batch)
    put_addresses = _awaited(_client.Client.put_addresses)
    get = _awaited(_client.Client.get)
    get_batch = _awaited(_client.Client.get_batch)
    get_into = _awaited(_client.Client.get_into)
    get_into_batch = _awaited(_client.Client.get_into_batch)
    get_addresses = _awaited(_client.Client.get_addresses)
    read_session = _awaited(_client.Client.read_session)
    view = _awaited(_client.Client.view)
    view_batch = _awaited(_client.Client.view_batch)
    create = _awaited(_client.Client.create)
    create_batch = _awaited(_client.Client.create_batch)
    exists = _awaited(_client.Client.exists)
    exists_batch = _awaited(_client.Client.exists_batch)
    wait_exists = _awaited(_client.Client.wait_exists)
    wait_exists_batch = _awaited(_client.Client.wait_exists_batch)
    stat = _awaited(_client.Client.stat)
    stat_batch = _awaited(_client.Client.stat_batch)
    remove = _awaited(_client.Client.remove)
    remove_batch = _awaited(_client.Client.remove_batch)
    remove_matching = _awaited(_client.Client.remove_matching)
    pin = _awaited(_client.Client.pin)
    pin_batch = _awaited(_client.Client.pin_batch)
    list_objects = _awaited(_client.Client.list_objects)
    start_task = _awaited(_client.Client.start_task)
    tasks = _awaited(_client.Client.tasks)
    wait_drained = _awaited(_client.Client.wait_drained)
