"""What keeps objects from eviction until they are loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import kvstore

from ..plugins.link import Link

# A third of the lease is left for an answer that is late, or was lost once.
_RENEWALS_PER_LEASE = 3
# Of an object that expires the lease has less left, and nothing is to be renewed for that.
_SHORTEST_LEASE = 1.0


@dataclass
class _Lock:
    holders: int
    until: float  # then it is given up, whoever holds it


class Locks:
    """Locks of many keys, each held by any number of tasks, by leases of the master's.

    A lease lets nothing evict the object (kvstore_master's lease_ms: 5 s, and a second at least),
    and a thread here renews those of all keys that are locked, in batches. So a lock ends by itself
    when this process does, within one lease; and for a task that never unlocks, after `longest`
    seconds. Locks of other servers are leases, too: they do not touch each other, and the longest
    counts. Removal by name and the death of a holder end a lock as they end a lease.

    Used by many threads.
    """

    def __init__(self, link: Link, longest: float) -> None:
        self._link = link
        self._longest = longest
        self._mutex = threading.Lock()
        self._changed = threading.Condition(self._mutex)
        self._locks: dict[str, _Lock] = {}
        self._lease = _SHORTEST_LEASE  # as given last
        self._due = 0.0  # when all are renewed next, if there are any
        self._closed = False
        self.refused = 0  # objects that are there and could not be locked
        self.lost = 0  # that were locked and are gone: removed, or with their holder
        self.expired = 0  # that were held for too long
        self._keeper = threading.Thread(target=self._keep, name="kvstore-locks", daemon=True)
        self._keeper.start()

    def __len__(self) -> int:
        """How many keys are locked."""
        with self._mutex:
            return len(self._locks)

    def held(self, key: str) -> bool:
        with self._mutex:
            return key in self._locks

    def lock(self, keys: Sequence[str]) -> list[bool | kvstore.Error | None]:
        """True: it is there and now locked, once more. False: it is there but got no lease, so that
        it may be gone before it is loaded. None: it was not found. An error: nobody says."""
        found = self._link.look_each(keys)
        there = [key for key, answer in zip(keys, found, strict=True) if answer is True]
        leased = self._leased(there)
        refused = sum(key not in leased for key in there)
        with self._mutex:
            self.refused += refused
            if leased:
                # Less has what expires, whose lease need not be renewed, and what was not asked for
                # here.
                self._lease = max(_SHORTEST_LEASE, *leased.values())
            now = time.monotonic()
            until = now + self._longest
            due = now + self._lease / _RENEWALS_PER_LEASE
            # Those that are held have a turn already, which comes no sooner for each new lock.
            if leased and (not self._locks or due < self._due):
                self._due = due
                self._changed.notify()
            for key in there:
                if key in leased:
                    held = self._locks.get(key)
                    self._locks[key] = _Lock(held.holders + 1 if held else 1, until)
        if refused:
            self._link.complaints.add(
                "objects were found that can't be locked, and count as misses",
                "the master gives no leases on them: see leased_share_allowed and lease_ms, and "
                "whether their node answers (kvctl doctor)",
                refused,
            )
        states: list[bool | kvstore.Error | None] = []
        for key, answer in zip(keys, found, strict=True):
            if isinstance(answer, kvstore.Error):
                states.append(answer)
            else:
                states.append(key in leased if answer else None)
        return states

    def unlock(self, keys: Iterable[str]) -> None:
        """Once each. What is not locked any more is passed over."""
        with self._mutex:
            for key in keys:
                held = self._locks.get(key)
                if held is None:
                    continue
                held.holders -= 1
                if held.holders == 0:
                    del self._locks[key]

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            self._changed.notify()
        self._keeper.join()

    def _leased(self, keys: Sequence[str]) -> dict[str, float]:
        """Those that have a lease, and how long it lasts."""
        client = self._link.client
        if client is None or not keys:
            return {}
        stats = client.stat_batch(keys, timeout=self._link.seconds_of_looks)
        return {
            key: stat.lease_left
            for key, stat in zip(keys, stats, strict=True)
            if isinstance(stat, kvstore.Stat) and stat.lease_left > 0
        }

    def _keep(self) -> None:
        while True:
            with self._mutex:
                # Without a lock there is nothing to renew, until one comes.
                while not self._closed and (not self._locks or self._due > time.monotonic()):
                    self._changed.wait(self._due - time.monotonic() if self._locks else None)
                if self._closed:
                    return
                self._give_up_old()
                keys = list(self._locks)
                self._due = time.monotonic() + self._lease / _RENEWALS_PER_LEASE
            try:
                self._renew(keys)
            except Exception as error:  # the next round may do
                self._link.complaints.add("locks could not be renewed", error)

    def _give_up_old(self) -> None:
        """Those held for longer than they may be. With the mutex."""
        now = time.monotonic()
        old = [key for key, held in self._locks.items() if now >= held.until]
        for key in old:
            del self._locks[key]
        self.expired += len(old)
        if old:
            self._link.complaints.add(
                "locks were not given back, and end", f"after {self._longest} s", len(old)
            )

    def _renew(self, keys: Sequence[str]) -> None:
        answers = self._link.look_again(keys)
        with self._mutex:
            for key, answer in zip(keys, answers, strict=True):
                # Not for one that nobody has answered: a lease may last.
                if answer is False:
                    self.lost += self._locks.pop(key, None) is not None
