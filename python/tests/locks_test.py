"""Locks by leases hold against eviction for as long as somebody renews them, and no longer."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import pytest
from pool import PATIENCE, Pool

import kvstore
from kvstore.lmcache.locks import Locks
from kvstore.plugins.link import Link
from kvstore.plugins.settings import Settings

LOGGER = logging.getLogger("locks_test")
MIB = 1 << 20
LEASE = 4.0  # seconds; a renewal is due after a third
_numbers = count()


@pytest.fixture(scope="module")
def small() -> Iterator[Pool]:
    """A pool of 64 MiB."""
    with Pool("64MiB", 1, "127.0.0.1:0", "--lease_ms", str(int(LEASE * 1000))) as started:
        yield started


@contextmanager
def locking(address: str, longest: float = 300.0) -> Iterator[Locks]:
    link = Link(Settings(master=address, look_seconds=10.0), LOGGER)
    locks = Locks(link, longest)
    try:
        yield locks
    finally:
        locks.close()
        link.close()


def put(client: kvstore.Client, names: int) -> list[str]:
    """So many new objects of 1 MiB."""
    keys = [f"lock-{next(_numbers)}" for _ in range(names)]
    assert client.put_batch([(key, bytes(MIB)) for key in keys]) == [None] * names
    return keys


def there(client: kvstore.Client, key: str) -> bool:
    """Asked so that it is no use of the object, and brings no lease."""
    return not isinstance(client.stat_batch([key])[0], kvstore.NotFound)


def fill_until(client: kvstore.Client, done: Callable[[], bool]) -> None:
    """Puts more and more, so that whatever may be evicted is."""
    until = time.monotonic() + PATIENCE
    while not done():
        put(client, 8)
        assert time.monotonic() < until


def test_a_locked_object_outlives_a_pool_that_fills(small: Pool) -> None:
    with kvstore.Client(small.address) as client, locking(small.address) as locks:
        kept, other = put(client, 2)
        assert locks.lock([kept, "none"]) == [True, None]
        began = time.monotonic()
        fill_until(client, lambda: not there(client, other))
        # Longer than a lease: what was given at first does not last so long by itself.
        fill_until(client, lambda: time.monotonic() > began + 1.5 * LEASE)
        assert there(client, kept)
        locks.unlock([kept])
        assert len(locks) == 0
        fill_until(client, lambda: not there(client, kept))


def test_each_that_locks_must_unlock(small: Pool) -> None:
    with kvstore.Client(small.address) as client, locking(small.address) as locks:
        (key,) = put(client, 1)
        assert locks.lock([key, key]) == [True, True]
        locks.unlock([key])
        assert locks.held(key)
        locks.unlock([key, key, "none"])
        assert not locks.held(key)


def test_a_lock_renews_no_others(small: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a hundred renewals of all for a hundred locks: each would ask for every key."""
    rounds: list[int] = []
    renew = Link.look_again

    def counted(link: Link, keys: Sequence[str]) -> list[bool | kvstore.Error]:
        rounds.append(len(keys))
        return renew(link, keys)

    monkeypatch.setattr(Link, "look_again", counted)
    with kvstore.Client(small.address) as client, locking(small.address) as locks:
        (key,) = put(client, 1)
        began = time.monotonic()
        for _ in range(100):
            assert locks.lock([key]) == [True]
        # A lease is a moment shorter when it is heard of.
        assert len(rounds) <= 1 + (time.monotonic() - began) / (0.9 * LEASE / 3)


def test_locks_end_with_their_process(small: Pool) -> None:
    code = f"""
import logging, sys
from kvstore.lmcache.locks import Locks
from kvstore.plugins.link import Link
from kvstore.plugins.settings import Settings
settings = Settings(master={small.address!r}, look_seconds=20.0)
locks = Locks(Link(settings, logging.getLogger()), 300.0)
print(locks.lock([sys.argv[1]]), flush=True)
sys.stdin.read()
"""
    with kvstore.Client(small.address) as client:
        (key,) = put(client, 1)
        child = subprocess.Popen(
            [sys.executable, "-c", code, key], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert child.stdout
            assert child.stdout.readline() == b"[True]\n"
            began = time.monotonic()
            fill_until(client, lambda: time.monotonic() > began + 1.5 * LEASE)
            assert there(client, key)
        finally:
            child.kill()
            child.wait(PATIENCE)
        fill_until(client, lambda: not there(client, key))


def test_a_lock_that_is_not_given_back_ends(small: Pool, caplog: pytest.LogCaptureFixture) -> None:
    with kvstore.Client(small.address) as client, locking(small.address, longest=0.5) as locks:
        (key,) = put(client, 1)
        assert locks.lock([key]) == [True]
        fill_until(client, lambda: not there(client, key))
        assert locks.expired == 1
        assert len(locks) == 0
        assert "locks were not given back" in caplog.text


def test_what_gets_no_lease_is_not_locked() -> None:
    with (
        Pool("64MiB", 1, "127.0.0.1:0", "--leased_share_allowed", "0.05") as pool,
        kvstore.Client(pool.address) as client,
        locking(pool.address) as locks,
    ):
        keys = put(client, 10)
        locked = locks.lock(keys)
        # 5 % of 64 MiB.
        assert 1 <= locked.count(True) <= 3
        assert locks.refused == locked.count(False) == 10 - locked.count(True)
        assert len(locks) == locked.count(True)


def test_a_lock_on_what_is_removed_is_lost(small: Pool) -> None:
    with kvstore.Client(small.address) as client, locking(small.address) as locks:
        gone, stays = put(client, 2)
        assert locks.lock([gone, stays]) == [True, True]
        client.remove(gone)
        until = time.monotonic() + PATIENCE
        while locks.lost == 0:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert not locks.held(gone)
        assert locks.held(stays)


def test_a_master_that_hangs_loses_no_lock(small: Pool) -> None:
    with kvstore.Client(small.address) as client, locking(small.address) as locks:
        (key,) = put(client, 1)
        assert locks.lock([key]) == [True]
        small.master.hang()
        assert isinstance(locks.lock([key])[0], kvstore.Error)
        small.master.resume()
        until = time.monotonic() + PATIENCE
        while client.stat(key).lease_left < LEASE / 2:
            assert time.monotonic() < until
            time.sleep(0.01)
        began = time.monotonic()
        fill_until(client, lambda: time.monotonic() > began + 1.5 * LEASE)
        assert there(client, key)
        assert locks.lost == 0
