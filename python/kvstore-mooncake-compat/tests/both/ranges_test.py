"""Parts of objects into several places of a buffer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from memory import Memory, registered
from mooncake.store import MooncakeDistributedStore

SIZE = 1 << 16


@pytest.fixture
def memory(store: MooncakeDistributedStore) -> Iterator[Memory]:
    with registered(store, SIZE) as made:
        yield made


@pytest.fixture
def keys(store: MooncakeDistributedStore, key: str) -> list[str]:
    made = [key + "a", key + "b"]
    assert store.put_batch(made, [b"abcdefghij", b"ABCDEFGHIJ"]) == 0
    return made


def test_ranges_land_where_they_are_wanted(
    store: MooncakeDistributedStore, memory: Memory, keys: list[str]
) -> None:
    memory.write(0, b"0123456789....")
    base = memory.address
    read = store.get_into_ranges(
        [base, base + 100],
        [keys, keys[:1]],
        [[[0, 4], [8]], [[0]]],
        [[[2, 5], [0]], [[0]]],
        [[[3, 2], [4]], [[10]]],
    )
    assert read == [[[3, 2], [4]], [[10]]]
    assert memory.read(0, 14) == b"cde3fg67ABCD.."
    assert memory.read(100, 10) == b"abcdefghij"


def test_a_bad_range_fails_alone(
    store: MooncakeDistributedStore, memory: Memory, keys: list[str], key: str
) -> None:
    base = memory.address
    get = store.get_into_ranges
    beyond_object = get([base], [keys[:1]], [[[0, 4, 8]]], [[[8, 0, 20]]], [[[3, 2, 1]]])
    assert beyond_object == [[[-600, 2, -600]]]
    beyond_buffer = get([base], [keys[:1]], [[[SIZE - 2, 4]]], [[[0, 0]]], [[[3, 2]]])
    assert beyond_buffer == [[[-600, 2]]]
    missing = get([base], [[key, keys[1]]], [[[0, 4], [8]]], [[[2, 5], [0]]], [[[3, 2], [4]]])
    assert missing == [[[-704, -704], [4]]]


def test_lists_of_other_lengths(
    store: MooncakeDistributedStore, memory: Memory, keys: list[str]
) -> None:
    base = memory.address
    get = store.get_into_ranges
    assert get([base], [keys[:1]], [[[0, 4]]], [[[0]]], [[[3, 2]]]) == [[[-600, -600]]]
    assert get([base], [keys], [[[0]]], [[[0]]], [[[3]]]) == [[[-600], [-600]]]
    assert get([base] * 2, [keys[:1]], [[[0]]], [[[0]]], [[[3]]]) == [[[-600]], [[-600]]]


def test_no_ranges(store: MooncakeDistributedStore, memory: Memory, keys: list[str]) -> None:
    get = store.get_into_ranges
    assert get([], [], [], [], []) == []
    assert get([memory.address], [[]], [[]], [[]], [[]]) == [[]]
    assert get([memory.address], [keys[:1]], [[[]]], [[[]]], [[[]]]) == [[[]]]
    assert get([memory.address], [keys[:1]], [[[0]]], [[[0]]], [[[0]]]) == [[[0]]]


def test_buffers_are_registered(store: MooncakeDistributedStore, keys: list[str]) -> None:
    memory = Memory(100)
    get = store.get_into_ranges
    assert get([memory.address], [keys[:1]], [[[0]]], [[[0]]], [[[3]]]) == [[[-600]]]
    assert get([0], [keys[:1]], [[[0]]], [[[0]]], [[[3]]]) == [[[-600]]]
    assert memory.read(0, 3) == bytes(3)
