"""Objects that are read, and filled, layer by layer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from deployment import SHORT_LEASE
from differences import differs
from memory import Memory, registered
from mooncake.store import MooncakeDistributedStore, ReplicateConfig

SIZE = 1 << 16


@pytest.fixture
def memory(store: MooncakeDistributedStore) -> Iterator[Memory]:
    with registered(store, SIZE) as made:
        yield made


@pytest.fixture
def briefly_leased_memory(briefly_leased: MooncakeDistributedStore) -> Iterator[Memory]:
    with registered(briefly_leased, SIZE) as made:
        yield made


def test_objects_are_read_range_by_range(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    keys = [key + "a", key + "b"]
    store.put_batch(keys, [b"abcdefghij", b"ABCDEFGHIJ"])
    base = memory.address
    read = store.batch_get_into_multi_buffer_ranges
    assert store.batch_get_session_start([keys[0], key, keys[1]]) == [0, -704, 0]
    pointers = [[base], [base + 10, base + 20], [base]]
    assert read([*keys, key], pointers, [[3], [2, 3], [1]], [[2], [0, 5], [0]]) == [3, 5, -600]
    assert (memory.read(0, 3), memory.read(10, 2), memory.read(20, 3)) == (b"cde", b"AB", b"FGH")
    assert read(keys, [[base], [base]], [[3], [3]], [[9], [0]]) == [-600, 3]
    assert read(keys, [[base, base], [base]], [[3], [2]], [[0], [0]]) == [-600, 2]
    assert read(keys[:1], [[base], [base]], [[3]], [[0]]) == [-600]
    assert read(keys[:1], [[base]], [[0]], [[0]]) == [0]
    assert read(keys[:1], [[]], [[]], [[]]) == [0]
    assert store.batch_get_session_start(keys[:1]) == [0]
    assert store.batch_get_session_end([keys[0], key]) == 0
    assert read(keys, [[base], [base]], [[1], [1]], [[0], [0]]) == [-600, 1]
    assert store.batch_get_session_end(keys) == 0


def test_sessions_outlast_their_lease_but_not_their_object(
    briefly_leased: MooncakeDistributedStore, briefly_leased_memory: Memory, key: str
) -> None:
    store, memory = briefly_leased, briefly_leased_memory
    store.put(key, b"value")
    read = store.batch_get_into_multi_buffer_ranges
    assert store.batch_get_session_start([key]) == [0]
    time.sleep(2 * SHORT_LEASE)
    renewed = differs("sessions after their lease")
    assert read([key], [[memory.address]], [[5]], [[0]]) == ([5] if renewed else [-707])
    assert store.batch_get_session_start([key]) == [0]
    assert store.remove(key, True) == 0
    ended = differs("sessions of removed objects")
    assert read([key], [[memory.address]], [[5]], [[0]]) == ([-704] if ended else [5])


def test_sessions_of_none(store: MooncakeDistributedStore) -> None:
    assert store.batch_get_session_start([]) == []
    assert store.batch_get_into_multi_buffer_ranges([], [], [], []) == []
    assert store.batch_get_session_end([]) == 0
    assert store.batch_put_session_start([], []) == []
    assert store.batch_put_from_multi_buffer_ranges([], [], [], []) == []
    assert store.batch_put_session_end([]) == []
    assert store.batch_put_session_revoke([]) == []


def test_objects_are_filled_range_by_range(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    taken, first, second = key, key + "a", key + "b"
    store.put(taken, b"value")
    base = memory.write(0, b"0123456789")
    assert store.batch_put_session_start([first, second, taken], [10, 20, 5]) == [0, 0, -705]
    assert store.batch_put_session_start([first], [10]) == [-600]
    assert store.batch_is_exist([first, second]) == [0, 0]
    write = store.batch_put_from_multi_buffer_ranges
    pointers = [[base, base + 5], [base]]
    assert write([first, second], pointers, [[5, 5], [10]], [[5, 0], [0]]) == [10, 10]
    assert write([first, second], [[base], [base]], [[5], [10]], [[6], [10]]) == [-600, 10]
    assert write([taken], [[base]], [[5]], [[0]]) == [-600]
    assert write([first], [[base], [base]], [[5]], [[0]]) == [-600]
    assert store.batch_put_session_end([first, taken]) == [0, -600]
    assert store.get(first) == b"5678901234"
    assert store.batch_put_session_end([first]) == [-600]
    assert store.batch_put_session_revoke([second, taken, first]) == [0, -600, -600]
    assert store.batch_is_exist([first, second]) == [1, 0]
    assert write([second], [[base]], [[5]], [[0]]) == [-600]


def test_put_sessions_that_can_not_be(store: MooncakeDistributedStore, key: str) -> None:
    start = store.batch_put_session_start
    assert start([key], [10, 2]) == [-600]
    assert start([key], [0]) == [-600]
    assert start([""], [3]) == [-600]
    assert start([key], [1 << 30]) == [-200]
    groups = ReplicateConfig()
    groups.group_ids = ["group"]
    assert start([key + "a", key + "b"], [4, 4], groups) == [-600, -600]
    assert start([key, key], [4, 4]) == [0, -705]
    assert store.batch_put_session_revoke([key]) == [0]


def test_keys_that_are_being_filled_are_taken(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    assert store.batch_put_session_start([key], [10]) == [0]
    assert store.put(key, b"other") == 0
    assert store.batch_put_from([key], [memory.address], [3]) == [0]
    assert store.is_exist(key) == 0
    assert store.batch_put_session_revoke([key]) == [0]
    assert store.put(key, b"other") == 0
    assert store.get(key) == b"other"
