"""The workers, and which one is next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PREFILL = "prefill"
DECODE = "decode"


class Worker:
    """One engine's HTTP server. It counts as up until something says otherwise."""

    def __init__(self, role: str, host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        self.role = role
        self.name = f"{shown}:{port}"
        self.url = f"http://{self.name}"
        self.outstanding = 0
        self.up = True
        self.why_down = ""
        self.next_check = 0.0  # by the loop's clock
        self.check_now = asyncio.Event()
        self._looked = asyncio.Event()
        self.chosen = 0  # the how manieth choice of its fleet it was last
        self._lost = asyncio.Event()

    def mark_up(self) -> bool:
        """Whether that is new."""
        changed, self.up, self.why_down = not self.up, True, ""
        self._lost.clear()
        return changed

    def mark_down(self, why: str) -> bool:
        """Whether that is new. Whoever waits for an answer of it stops waiting."""
        changed, self.up, self.why_down = self.up, False, why
        self._lost.set()
        return changed

    def look(self) -> None:
        """Has its health looked at, at once."""
        self.check_now.set()
        self._looked.clear()

    def looked(self) -> None:
        """A look is done. One that was asked for meanwhile is not."""
        if not self.check_now.is_set():
            self._looked.set()

    async def known(self) -> None:
        """Returns when the look that was asked for last is done."""
        await self._looked.wait()

    async def lost(self) -> None:
        """Returns when it is down."""
        await self._lost.wait()

    @contextmanager
    def busy(self) -> Iterator[None]:
        self.outstanding += 1
        try:
            yield
        finally:
            self.outstanding -= 1


class Fleet:
    """All workers of one role. What one of them has stored the others find in the pool as well, so
    that it does not matter which one gets which prompt: the least busy one does."""

    def __init__(self, role: str, addresses: Sequence[tuple[str, int]]) -> None:
        self.role = role
        self.workers = [Worker(role, host, port) for host, port in addresses]
        self._choices = 0

    def choose(self, tried: Sequence[Worker] = ()) -> Worker | None:
        """Of those that are up the least tried one, of those the least busy, of those the one that
        was chosen longest ago. None: all are down."""
        worker = min(
            (worker for worker in self.workers if worker.up),
            key=lambda each: (tried.count(each), each.outstanding, each.chosen),
            default=None,
        )
        if worker is not None:
            self._choices += 1
            worker.chosen = self._choices
        return worker

    def any_up(self) -> bool:
        return any(worker.up for worker in self.workers)

    def seconds_to_check(self) -> float:
        """Until the next look at one that is down."""
        now = asyncio.get_running_loop().time()
        return max(0.0, min(worker.next_check for worker in self.workers) - now)

    def state(self) -> list[dict[str, object]]:
        return [
            {
                "worker": worker.name,
                "up": worker.up,
                "outstanding": worker.outstanding,
                **({} if worker.up else {"why": worker.why_down}),
            }
            for worker in self.workers
        ]
