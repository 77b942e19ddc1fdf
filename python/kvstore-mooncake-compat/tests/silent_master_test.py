"""A master that does not answer stops no engine. Timeouts are those that engines have."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mooncake._store import patience
from mooncake._store import putting as putting_memory
from mooncake.store import MooncakeDistributedStore, ReplicateConfig
from pool import PATIENCE, Pool

import kvstore

MB = 1 << 20
LOOK = patience._LOOK  # as it is where nothing is patched


@pytest.fixture(autouse=True)
def looks_as_they_are(patient_looks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_LOOK", LOOK)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as started:
        yield started


def joined(pool: Pool, timeout: float = 30.0) -> MooncakeDistributedStore:
    store = MooncakeDistributedStore()
    texts = {"local_hostname": "localhost", "metadata_server": "none", "global_segment_size": "0"}
    timing = {"master_server_addr": pool.address, "transfer_timeout": str(timeout)}
    assert store.setup({**texts, **timing}) == 0
    return store


def took(call: Callable[[], Any], answer: Any) -> float:
    began = time.monotonic()
    assert call() == answer
    return time.monotonic() - began


def await_answers(store: MooncakeDistributedStore) -> None:
    """Until looks are answered again."""
    until = time.monotonic() + PATIENCE
    while store._patience.silent:
        assert time.monotonic() < until
        store.is_exist("silent")


def check_that_calls_are_short(store: MooncakeDistributedStore) -> None:
    """Of looks, which took 5 and 30 s, and of gets and puts, which took 30 s."""
    memory = ctypes.create_string_buffer(8)
    at = ctypes.addressof(memory)
    assert took(lambda: store.is_exist("none"), 0) < 4.5
    assert took(lambda: store.batch_is_exist(["none"] * 5000), [0] * 5000) < 4.5
    assert took(lambda: [store.is_exist("none") for _ in range(20)], [0] * 20) < 10
    assert took(lambda: store.get("none"), b"") < 10
    silent = (-900, -901)  # dead, or hanging
    assert took(lambda: store.put("none", b"value") in silent, True) < 10
    assert took(lambda: store.batch_put_from(["none"], [at], [8])[0] in silent, True) < 10
    assert took(lambda: store.batch_put_session_start(["none"], [8]), [-900]) < 10


def test_a_master_that_hangs(pool: Pool) -> None:
    store = joined(pool)
    assert store.put("key", b"value") == 0
    pool.master.hang()
    try:
        check_that_calls_are_short(store)
    finally:
        os.kill(pool.master.pid, signal.SIGCONT)
    until = time.monotonic() + PATIENCE
    while store.is_exist("key") != 1:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert store.put("other", b"value") == 0
    assert store.get("other") == b"value"
    assert store.batch_put_session_start(["session"], [8]) == [0]
    time.sleep(1.5)  # more than a call in silence may take
    assert store.batch_put_session_end(["session"]) == [0]
    store.close()


def test_a_master_that_hangs_is_noticed_by_who_only_puts(pool: Pool) -> None:
    store = joined(pool, 1.0)
    pool.master.hang()
    try:
        assert store.put("key", b"value") in (-900, -901)
        assert store._patience.silent
    finally:
        pool.master.resume()
    store.close()


def test_a_master_that_answers_late_is_heard_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later than looks in silence wait: an engine's own would never be answered."""
    monkeypatch.setattr(patience, "_LOOK_IN_SILENCE", 1e-6)
    store = joined(pool)
    assert store.put("key", b"value") == 0
    until = time.monotonic() + PATIENCE
    for _ in range(2):
        pool.master.hang()
        try:
            while store.is_exist("key") != 0:
                assert time.monotonic() < until
        finally:
            pool.master.resume()
        while store.is_exist("key") != 1:
            assert time.monotonic() < until
            time.sleep(0.02)
    store.close()


def test_a_master_that_stands_still_for_a_moment_fails_no_put(pool: Pool) -> None:
    """A machine may be as busy as that; what is not put is computed again by others."""
    store = joined(pool)
    codes: list[int] = []
    pool.master.hang()
    try:
        putting = threading.Thread(target=lambda: codes.append(store.put("key", b"value")))
        putting.start()
        putting.join(0.8)
        assert putting.is_alive()
    finally:
        pool.master.resume()
    putting.join(PATIENCE)
    assert codes == [0]
    assert store.get("key") == b"value"
    store.close()


def test_memory_that_is_filled_anew_while_its_put_waits_is_not_stored(pool: Pool) -> None:
    """LMCache waits for a second; then the memory is the next chunk's."""
    store = joined(pool)
    size = 33 * MB  # is not put into memory that was granted before
    memory = ctypes.create_string_buffer(size)
    at = ctypes.addressof(memory)
    ctypes.memset(at, ord("a"), size)
    assert store.register_buffer(at, size) == 0
    codes: list[int] = []

    def put(key: str) -> threading.Thread:
        thread = threading.Thread(
            target=lambda: codes.extend(store.batch_put_from([key], [at], [size]))
        )
        thread.start()
        return thread

    pool.master.hang()
    try:
        putting = put("waits")
        putting.join(1.0)
        assert putting.is_alive()
        ctypes.memset(at, ord("b"), size)
        assert store.is_exist("silent") == 0
        later = put("found silent")
        later.join(PATIENCE)
        assert codes == [-900]
    finally:
        os.kill(pool.master.pid, signal.SIGCONT)
    putting.join(PATIENCE)
    assert codes == [-900, -800]
    await_answers(store)
    assert store.get("waits") == store.get("found silent") == b""
    assert store.put_from("waits", at, size) == 0
    assert store.get("waits") == b"b" * size
    store.close()


def test_memory_that_is_filled_anew_is_not_put_with_fewer_replicas(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt compares the memory with what it held when that attempt began."""
    store = joined(pool)
    size = 33 * MB
    memory = ctypes.create_string_buffer(size)
    at = ctypes.addressof(memory)
    ctypes.memset(at, ord("a"), size)
    assert store.register_buffer(at, size) == 0
    two = ReplicateConfig()
    two.replica_num = 2  # there is one node
    codes: list[int] = []
    pool.master.hang()
    try:
        putting = threading.Thread(
            target=lambda: codes.extend(store.batch_put_from(["key"], [at], [size], two))
        )
        putting.start()
        putting.join(1.2)
        assert putting.is_alive()
        ctypes.memset(at, ord("b"), size)
    finally:
        pool.master.resume()
    putting.join(PATIENCE)
    assert codes == [-800]
    assert store.get("key") == b""
    monkeypatch.setattr(putting_memory, "_MEMORY_STAYS", PATIENCE)  # it does, from here on
    assert store.batch_put_from(["key"], [at], [size], two) == [0]
    assert store.get("key") == b"b" * size
    store.close()


def test_a_master_that_is_dead(pool: Pool) -> None:
    store = joined(pool)
    assert store.is_exist("key") == 0
    pool.master.kill()
    check_that_calls_are_short(store)
    assert took(store.close, 0) < 30


def test_calls_that_are_under_way_when_the_master_dies(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not told of it by a look before; it hangs first, so that they are under way."""
    store = joined(pool, 600.0)
    assert store.put("key", b"value") == 0
    client = store._client
    assert client is not None
    memory = ctypes.create_string_buffer(8)
    at = ctypes.addressof(memory)
    calls: dict[str, tuple[Callable[[], Any], Any]] = {
        "get": (lambda: store.get("none"), [b""]),
        "into": (lambda: store.batch_get_into(["none"], [at], [8]), [[-900]]),
        "size": (lambda: store.get_size("none"), [-900]),
        "session": (lambda: store.batch_get_session_start(["none"]), [[-900]]),
        "replicas": (lambda: store.get_replica_desc("none"), [[]]),
        "remove": (lambda: store.remove("none", True), [-901]),
        # Where memory was held ahead its commit is what gets no answer.
        "put": (lambda: store.batch_put_from(["new"], [at], [8]), [[-900], [-901]]),
    }
    ends: dict[str, Any] = {}
    monkeypatch.setattr(patience, "_LATELY", float("inf"))
    assert store.is_exist("answered just now") == 0
    pool.master.hang()
    asked = client.counters.master_requests
    threads = [
        threading.Thread(target=lambda n=name: ends.update({n: calls[n][0]()}), daemon=True)
        for name in calls
    ]
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
        assert end in calls[name][1], name
    assert took(store.close, 0) < 30


def test_open_sessions_do_not_hold_up_a_close(pool: Pool) -> None:
    """Each waits for the master by itself, for a second."""
    store = joined(pool)
    keys = [f"key-{i}" for i in range(45)]
    assert store.batch_put_session_start(keys, [100] * 45) == [0] * 45
    pool.master.kill()
    assert took(lambda: store.batch_put_session_revoke(keys[:20]), [0] * 20) < 15
    assert took(store.close, 0) < 18


def test_a_read_session_that_is_begun_while_the_store_closes(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep the member in the pool."""
    store = joined(pool)
    assert store.put("key", b"value") == 0
    begin = kvstore.Client.read_session

    def closing(self: kvstore.Client, *args: Any, **kwargs: Any) -> kvstore.ReadSession:
        session = begin(self, *args, **kwargs)
        store.close()
        return session

    monkeypatch.setattr(kvstore.Client, "read_session", closing)
    assert store.batch_get_session_start(["key"]) == [-600]
    monkeypatch.undo()
    memory = ctypes.create_string_buffer(8)
    at = ctypes.addressof(memory)
    read = store.batch_get_into_multi_buffer_ranges(["key"], [[at]], [[5]], [[0]])
    assert read == [-600]
