"""mooncake.async_store: the store with calls that are awaited."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from .store import MooncakeDistributedStore


class MooncakeDistributedStoreAsync(MooncakeDistributedStore):
    """Has async_NAME for each method NAME: the same call in a thread of the event loop's default
    executor. A task that is cancelled stops waiting; its call goes on to its end, and uses the
    memory that it was given until then."""

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(type(self), name.removeprefix("async_"), None)
        if not name.startswith("async_") or not callable(method):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        blocking = functools.partial(method, self)

        @functools.wraps(method)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            call = functools.partial(blocking, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(None, call)

        return awaited
