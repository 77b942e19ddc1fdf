"""What goes wrong has the right code, and neither ends the process nor holds it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pool import PATIENCE, Pool

import kvstore

MIB = 1 << 20


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.put(3, b""),
        lambda client: client.put("k", None),
        lambda client: client.put("k", "text"),
        lambda client: client.put("k", [3]),
        lambda client: client.put("k", b"", {"ttl": 3}),
        lambda client: client.put("k", b"", timeout="soon"),
        lambda client: client.put_batch(3),
        lambda client: client.put_batch("keys"),
        lambda client: client.put_batch([("k",)]),
        lambda client: client.put_batch(["ab"]),
        lambda client: client.get_batch("keys"),
        lambda client: client.get_batch([None]),
        lambda client: client.get_into("k", "text"),
        lambda client: client.create("k", "size"),
        lambda client: client.put_addresses(["k"], ["a"], [1]),
        lambda client: client.read_session(None),
        lambda client: client.lend(-1),
    ],
)
def test_wrong_types_are_refused(
    client: kvstore.Client, call: Callable[[kvstore.Client], Any]
) -> None:
    with pytest.raises((TypeError, AttributeError)):
        call(client)
    with pytest.raises(ValueError):
        client.create("k", -1)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.put("", b""),
        lambda client: client.put("k" * 1025, b""),
        lambda client: client.put("k", b"", kvstore.PutOptions(replicas=0)),
        lambda client: client.put("k", b"", kvstore.PutOptions(ttl=-1)),
        lambda client: kvstore.PutOptions(placement="anywhere"),
        lambda client: kvstore.PutOptions(soft_pin=float("nan")),
        lambda client: client.get("k", timeout=0),
        lambda client: client.register_memory(0, 10),
        lambda client: kvstore.Client(ways=["carrier pigeon"]),
        lambda client: kvstore.Client(master="nowhere"),
        lambda client: kvstore.Client(listen="0.0.0.0:0"),
        lambda client: kvstore.Client(connect_timeout=-1),
    ],
)
def test_wrong_values_are_refused(
    client: kvstore.Client, call: Callable[[kvstore.Client], Any]
) -> None:
    with pytest.raises(kvstore.InvalidArgument) as caught:
        call(client)
    assert isinstance(caught.value, ValueError)
    assert caught.value.message


def test_targets_must_be_writable_and_large_enough(client: kvstore.Client, key: str) -> None:
    client.put(key, b"0123456789")
    with pytest.raises(BufferError):
        client.get_into(key, b"0123456789")
    with pytest.raises(kvstore.InvalidArgument, match="10"):
        client.get_into(key, bytearray(9))
    with pytest.raises(ValueError):
        client.get_into_batch([(key, bytearray(10))], offsets=[0, 0])
    with pytest.raises(ValueError):
        client.put_batch([(key, b"")], positions=[])


def test_every_code_has_its_class() -> None:
    for code in kvstore.Code:
        error = kvstore.errors.error_of(code, "why")
        assert (type(error).code, str(error), error.message) == (code, "why", "why")
        assert type(error) is not kvstore.Error
        assert getattr(kvstore, type(error).__name__) is type(error)
    assert isinstance(kvstore.errors.error_of(99, "why"), kvstore.Internal)


def test_no_master_is_unavailable() -> None:
    with pytest.raises(kvstore.Unavailable):
        kvstore.Client("127.0.0.1:1", connect_timeout=0.2)


def test_a_dead_master_is_told_of_in_time() -> None:
    with Pool() as pool, kvstore.Client(pool.address) as client:
        client.put("known", b"bytes")
        assert client.get("known") == b"bytes"
        pool.master.kill()
        began = time.monotonic()
        with pytest.raises((kvstore.Unavailable, kvstore.DeadlineExceeded)):
            client.put("other", b"", timeout=1)
        with pytest.raises((kvstore.Unavailable, kvstore.DeadlineExceeded)):
            client.get("other", timeout=1)
        for error in client.exists_batch(["a", "b"], timeout=1):
            assert isinstance(error, (kvstore.Unavailable, kvstore.DeadlineExceeded))
        with pytest.raises((kvstore.Unavailable, kvstore.DeadlineExceeded)):
            client.wait_exists("other", 2.5)
        assert time.monotonic() - began < PATIENCE


def test_calls_that_are_under_way_when_the_master_dies() -> None:
    """It hangs first, so that they are under way for sure."""
    replace = kvstore.PutOptions(replace=True)
    calls: dict[str, tuple[Callable[[kvstore.Client], object], Any]] = {
        "exists": (lambda c: c.exists("other", timeout=600), kvstore.Unavailable),
        "get": (lambda c: c.get("other", timeout=600), kvstore.Unavailable),
        "stat": (lambda c: c.stat("other", timeout=600), kvstore.Unavailable),
        "wait": (lambda c: c.wait_exists("other", 600), kvstore.Unavailable),
        # The master may have done these; a put only where memory is held ahead for it.
        "remove": (lambda c: c.remove("other", timeout=600), kvstore.DeadlineExceeded),
        "put": (
            lambda c: c.put("known", b"new", replace, timeout=600),
            (kvstore.Unavailable, kvstore.DeadlineExceeded),
        ),
    }
    with Pool() as pool, kvstore.Client(pool.address, master_patience=2.0) as client:
        client.put("known", b"bytes")
        assert client.get("known") == b"bytes"
        ends: dict[str, BaseException | object] = {}

        def run(name: str) -> None:
            try:
                ends[name] = calls[name][0](client)
            except kvstore.Error as error:
                ends[name] = error

        pool.master.hang()
        asked = client.counters.master_requests
        threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in calls]
        for thread in threads:
            thread.start()
        until = time.monotonic() + PATIENCE
        while client.counters.master_requests < asked + len(calls):
            assert time.monotonic() < until
            time.sleep(0.01)
        pool.master.kill()
        for thread in threads:
            thread.join(PATIENCE)
        assert set(ends) == set(calls)
        for name, end in ends.items():
            assert isinstance(end, calls[name][1]), (name, end)
        # Those that follow don't wait at all.
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(kvstore.Unavailable):
                client.exists("other", timeout=600)
        with pytest.raises(kvstore.Unavailable):
            client.put("other", b"new", timeout=600)
        with pytest.raises(kvstore.Unavailable):
            client.wait_exists("other", 600)
        assert time.monotonic() - began < PATIENCE


def test_a_full_pool_is_resource_exhausted() -> None:
    with Pool(lend="64MiB") as pool, kvstore.Client(pool.address) as client:
        with pytest.raises(kvstore.ResourceExhausted):
            client.put("larger than all", bytes(65 * MIB))
        pinned = kvstore.PutOptions(hard_pin=True)
        client.put("k0", bytes(16 * MIB), pinned)
        with pytest.raises(kvstore.ResourceExhausted):
            for i in range(1, 8):
                client.put(f"k{i}", bytes(16 * MIB), pinned)
        assert client.get("k0") == bytes(16 * MIB)


def test_a_killed_holder_is_told_of() -> None:
    with Pool(nodes=2) as pool, kvstore.Client(pool.address) as client:
        both = kvstore.PutOptions(replicas=2)
        client.put("lost", b"x" * MIB)
        client.put("kept", b"y" * MIB, both)
        holder = client.stat("lost").replicas[0].node
        view = client.view("lost")
        pool.nodes[int(holder.removeprefix("shelf-"))].kill()
        assert bytes(view.data[:10]) == b"x" * 10  # what is mapped stays
        assert client.get("kept") == b"y" * MIB
        with pytest.raises((kvstore.Unavailable, kvstore.NotFound)):
            client.get("lost", timeout=5)
        with pytest.raises((kvstore.Unavailable, kvstore.NotFound)):
            client.get_into("lost", bytearray(MIB), timeout=5)


def test_calls_of_many_threads(client: kvstore.Client, key: str) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(50):
                name = f"{key}-{number}-{i}"
                client.put(name, name.encode() * 50)
                assert client.get(name) == name.encode() * 50
                client.remove(name)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures


def test_others_run_while_one_waits(client: kvstore.Client, key: str) -> None:
    waiting = threading.Thread(target=lambda: client.wait_exists_batch([key], PATIENCE))
    waiting.start()
    client.put(f"{key}-meanwhile", b"x")
    assert waiting.is_alive()
    client.put(key, b"x")
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
