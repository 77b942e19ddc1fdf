"""Objects as bytes: put, get, look, remove."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from deployment import PATIENCE, SHORT_LEASE, Master, new_store
from differences import differs
from memory import Memory
from mooncake.store import MooncakeDistributedStore, ReplicateConfig

StoreFactory = Callable[..., MooncakeDistributedStore]


def keys_of(key: str, count: int) -> list[str]:
    return [f"{key}-{i}" for i in range(count)]


def test_what_was_put_is_there_at_once(store: MooncakeDistributedStore, key: str) -> None:
    assert store.is_exist(key) == 0
    assert store.put(key, b"value") == 0
    assert store.is_exist(key) == 1
    assert store.get(key) == b"value"
    assert store.get_size(key) == 5


def test_a_taken_key_keeps_its_value(store: MooncakeDistributedStore, key: str) -> None:
    assert store.put(key, b"first") == 0
    assert store.put(key, b"second") == 0
    assert store.get(key) == b"first"


@pytest.mark.parametrize("value", [b"ab", bytearray(b"ab"), memoryview(b"ab")], ids=type)
def test_values_are_buffers(store: MooncakeDistributedStore, key: str, value: bytes) -> None:
    assert store.put(key, value) == 0
    assert store.get(key) == b"ab"


@pytest.mark.parametrize("value", ["ab", 3, None, [b"ab"]], ids=str)
def test_other_values_are_wrong_types(
    store: MooncakeDistributedStore, key: str, value: object
) -> None:
    with pytest.raises(TypeError):
        store.put(key, value)
    with pytest.raises(TypeError):
        store.put_parts(key, value)
    assert store.is_exist(key) == 0


def test_values_are_stored_whole(store: MooncakeDistributedStore, key: str) -> None:
    wide = memoryview(bytes(range(12))).cast("I")
    assert store.put(key + "a", wide) == 0
    whole = differs("values of wide items")
    assert store.get(key + "a") == (bytes(range(12)) if whole else bytes(range(3)))
    assert store.put(key + "b", memoryview(b"abcdef")[::2]) == 0
    assert store.get(key + "b") == (b"ace" if differs("values with gaps") else b"abc")


def test_keys_are_text_or_its_bytes(store: MooncakeDistributedStore, key: str) -> None:
    assert store.put(key.encode(), b"value") == 0  # type: ignore[arg-type]
    assert store.is_exist(key) == 1
    with pytest.raises(TypeError):
        store.put(3, b"value")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.batch_is_exist([key, None])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        store.batch_is_exist(key)
    long_key = key + "x" * 500
    assert store.put(long_key, b"value") == 0
    assert store.get(long_key) == b"value"


def test_an_unknown_keyword_is_named(store: MooncakeDistributedStore, key: str) -> None:
    with pytest.raises(TypeError, match="colour"):
        store.put(key, b"value", colour="red")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="colour"):
        store.batch_put_from([key], [1], [1], colour="red")  # type: ignore[call-arg]


def test_nothing_can_not_be_stored(store: MooncakeDistributedStore, key: str) -> None:
    assert store.put(key, b"") == -600
    assert store.put("", b"value") == -600
    assert store.put_batch([key, key + "b"], [b"", b"value"]) == -600
    assert store.put_parts(key) == 0
    assert store.put_parts(key, b"", b"") == 0
    assert store.batch_is_exist([key, key + "b", ""]) == [0, 0, 0]


def test_missing_objects(store: MooncakeDistributedStore, key: str) -> None:
    assert store.get(key) == b""
    assert store.get_batch([key]) == [b""]
    assert store.get_buffer(key) is None
    assert store.batch_get_buffer([key]) == [None]
    assert store.get_size(key) == -704
    assert store.remove(key) == -704
    assert store.batch_remove([key]) == [-704]


def test_parts_are_joined(store: MooncakeDistributedStore, key: str) -> None:
    assert store.put_parts(key, b"ab", bytearray(b"cd"), memoryview(b"ef")) == 0
    assert store.get(key) == b"abcdef"


def test_parts_have_one_dimension_of_bytes(store: MooncakeDistributedStore, key: str) -> None:
    with pytest.raises(RuntimeError):
        store.put_parts(key, memoryview(bytearray(12)).cast("B", (3, 4)))
    with pytest.raises(RuntimeError):
        store.put_parts(key, memoryview(bytearray(12)).cast("I"))
    assert store.is_exist(key) == 0


def test_batches(store: MooncakeDistributedStore, key: str) -> None:
    first, second, third = keys_of(key, 3)
    assert store.put_batch([first, second], [b"1", b"22"]) == 0
    assert store.put_batch([second, third], [b"other", b"333"]) == 0
    assert store.get_batch([first, key, second, third]) == [b"1", b"", b"22", b"333"]
    assert store.batch_is_exist([third, key, first]) == [1, 0, 1]
    assert store.get_batch([first, first]) == [b"1", b"1"]


def test_batches_of_none(store: MooncakeDistributedStore) -> None:
    assert store.put_batch([], []) == 0
    assert store.get_batch([]) == ([] if differs("a batch of no keys") else [b""])
    assert store.batch_is_exist([]) == []
    assert store.batch_get_buffer([]) == []
    assert store.batch_remove([]) == []


def test_batches_have_as_many_values_as_keys(store: MooncakeDistributedStore, key: str) -> None:
    assert store.put_batch([key, key + "b"], [b"value"]) == -600
    assert store.upsert_batch([key, key + "b"], [b"value"]) == -600
    assert store.batch_is_exist([key, key + "b"]) == [0, 0]


def test_buffers(store: MooncakeDistributedStore, key: str) -> None:
    store.put(key, b"value")
    buffer = store.get_buffer(key)
    assert buffer is not None
    view = memoryview(buffer)
    assert (buffer.size(), len(buffer), bytes(view)) == (5, 5, b"value")
    assert (view.ndim, view.itemsize, view.readonly) == (1, 1, False)
    assert buffer.ptr() != 0
    found, missing = store.batch_get_buffer([key, key + "b"])
    assert found is not None and missing is None
    store.remove(key, True)
    assert bytes(memoryview(buffer)) == bytes(memoryview(found)) == b"value"


def test_a_read_object_is_removed_when_its_lease_is_over(
    briefly_leased: MooncakeDistributedStore, key: str
) -> None:
    store = briefly_leased
    for read in (store.is_exist, store.get, store.get_size):
        store.put(key, b"value")
        assert read(key)
        assert store.remove(key) == -706
        time.sleep(SHORT_LEASE)
        assert store.remove(key) == 0
        assert store.is_exist(key) == 0


def test_an_object_that_was_not_read_is_removed_at_once(
    store: MooncakeDistributedStore, key: str
) -> None:
    store.put(key, b"value")
    assert store.remove(key) == 0
    store.put(key, b"value")
    store.is_exist(key)
    assert store.remove(key, force=True) == 0


def test_a_hit_among_many_keys_is_leased(store: MooncakeDistributedStore, key: str) -> None:
    store.put(key, b"value")
    assert store.batch_is_exist([*keys_of(key, 3000), key]) == [0] * 3000 + [1]
    assert store.remove(key) == -706


def test_batches_are_removed_key_by_key(store: MooncakeDistributedStore, key: str) -> None:
    first, second = keys_of(key, 2)
    store.put_batch([first, second], [b"1", b"2"])
    store.is_exist(second)
    assert store.batch_remove([first, second, key]) == [0, -706, -704]
    assert store.batch_remove([first, second], force=True) == [-704, 0]


def test_upserts_replace(store: MooncakeDistributedStore, key: str) -> None:
    for value in (b"abc", b"xyz", b"longer", b"s"):
        assert store.upsert(key, value) == 0
        assert store.get(key) == value  # leased from now on
    assert store.upsert_parts(key, b"a", b"b") == 0
    assert store.get(key) == b"ab"
    assert store.upsert_batch([key, key + "b"], [b"1", b"2"]) == 0
    assert store.get_batch([key, key + "b"]) == [b"1", b"2"]


def test_upserts_of_nothing_leave_what_is_there(store: MooncakeDistributedStore, key: str) -> None:
    store.put(key, b"value")
    assert store.upsert(key, b"") == -600
    assert store.upsert_parts(key) == 0
    assert store.upsert("", b"value") == -600
    assert store.upsert_batch([], []) == 0
    assert store.get(key) == b"value"


def test_without_a_local_buffer_bytes_are_not_put(store_factory: StoreFactory, key: str) -> None:
    store = store_factory(local=0)
    assert store.put(key, b"value") == -600
    assert store.put_parts(key, b"value") == -600
    assert store.put_batch([key], [b"value"]) == -600
    assert store.upsert(key, b"value") == -600
    assert store.is_exist(key) == 0
    memory = Memory(5)
    assert store.put_from(key, memory.write(0, b"value"), 5) == 0
    assert store.get(key) == (b"value" if differs("no local buffer") else b"")


def test_objects_vanish_with_their_store(key: str) -> None:
    with Master() as master:
        lender = new_store(master.address, 32 << 20, 16 << 20)
        other = new_store(master.address, 0, 16 << 20)
        assert other.put(key, b"value") == 0
        assert other.get(key) == b"value"
        assert lender.close() == 0
        until = time.monotonic() + PATIENCE  # the master may write it down first
        while other.is_exist(key) == 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert other.get(key) == b""
        other.close()


def test_configurations_that_can_not_be(store: MooncakeDistributedStore, key: str) -> None:
    none, lone_ttl, groups, same_node = (ReplicateConfig() for _ in range(4))
    none.replica_num = 0
    lone_ttl.soft_pin_ttl_ms = 1000
    groups.group_ids = ["a", "b"]
    same_node.prefer_alloc_in_same_node = True
    for config in (none, lone_ttl, groups, same_node):
        assert store.put(key, b"value", config) == -600
        assert store.put_batch([key], [b"value"], config) == -600
        assert store.upsert(key, b"value", config) == -600
    assert store.is_exist(key) == 0


def test_configurations_that_count_for_little(store: MooncakeDistributedStore, key: str) -> None:
    config = ReplicateConfig()
    config.replica_num = 7
    config.with_hard_pin = True
    config.preferred_segments = ["nowhere:1"]
    config.group_ids = ["group"]
    assert store.put(key, b"value", config) == 0
    assert store.get(key) == b"value"
    groups = ReplicateConfig()
    groups.group_ids = ["a", "b"]
    assert store.put_batch([key + "a", key + "b"], [b"1", b"2"], groups) == 0
    assert store.get_batch([key + "b", key + "a"]) == [b"2", b"1"]
