"""Objects from and to memory that is named by addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from differences import differs
from memory import Memory, registered
from mooncake.store import MooncakeDistributedStore, ReplicateConfig

SIZE = 1 << 20


@pytest.fixture
def memory(store: MooncakeDistributedStore) -> Iterator[Memory]:
    with registered(store, SIZE) as made:
        yield made


def test_regions_do_not_overlap(store: MooncakeDistributedStore, memory: Memory) -> None:
    base = memory.address
    assert store.register_buffer(base, SIZE) == -600
    assert store.register_buffer(base + 4096, 4096) == -600
    assert store.register_buffer(base + 4096, 2 * SIZE) == -600


def test_regions_that_can_not_be(store: MooncakeDistributedStore, memory: Memory) -> None:
    other = Memory(4096)
    assert store.register_buffer(other.address, 0) == -600
    assert store.register_buffer(0, 4096) == -600
    assert store.unregister_buffer(memory.address + 4096) == -600
    assert store.unregister_buffer(other.address) == -600
    with pytest.raises(TypeError):
        store.register_buffer(-1, 4096)


def test_put_from(store: MooncakeDistributedStore, memory: Memory, key: str) -> None:
    address = memory.write(0, b"value")
    assert store.put_from(key, address, 5) == 0
    assert store.put_from(key, address, 3) == 0
    assert store.get(key) == b"value"
    assert store.put_from(key=key + "b", buffer_ptr=address, size=2) == 0
    assert store.get(key + "b") == b"va"
    assert store.put_from("", address, 5) == -600


def test_negative_numbers_are_wrong_types(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    for address, size in ((-1, 5), (memory.address, -5)):
        with pytest.raises(TypeError):
            store.put_from(key, address, size)
        with pytest.raises(TypeError):
            store.batch_put_from([key], [address], [size])
        with pytest.raises(TypeError):
            store.batch_put_from_multi_buffers([key], [[address]], [[size]])
        with pytest.raises(TypeError):
            store.batch_get_into([key], [address], [size])
        with pytest.raises(TypeError):
            store.batch_get_into_multi_buffers([key], [[address]], [[size]])
    assert store.is_exist(key) == 0


def test_put_from_of_nothing_stores_nothing(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    assert store.put_from(key, memory.address, 0) == 0
    assert store.upsert_from(key, memory.address, 0) == 0
    assert store.put_from_with_metadata(key, memory.address, memory.address, 0, 5) == 0
    assert store.is_exist(key) == 0


def test_put_from_with_metadata(store: MooncakeDistributedStore, memory: Memory, key: str) -> None:
    data, metadata = memory.write(0, b"data"), memory.write(100, b"meta")
    assert store.put_from_with_metadata(key, data, metadata, 4, 4) == 0
    assert store.get(key) == b"metadata"
    assert store.put_from_with_metadata(key + "b", data, metadata, 4, 0) == 0
    assert store.get(key + "b") == b"data"


def test_batch_put_from(store: MooncakeDistributedStore, memory: Memory, key: str) -> None:
    first, second = memory.write(0, b"one"), memory.write(10, b"two!")
    keys = [key + "a", key + "b"]
    assert store.batch_put_from(keys, [first, second], [3, 4]) == [0, 0]
    assert store.batch_put_from(keys, [second, first], [4, 3]) == [0, 0]
    assert store.get_batch(keys) == [b"one", b"two!"]


def test_batch_put_from_is_key_by_key(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    address = memory.write(0, b"value")
    keys = [key + "a", "", key + "b"]
    assert store.batch_put_from(keys, [address] * 3, [0, 5, 5]) == [-600, -600, 0]
    assert store.batch_is_exist(keys) == [0, 0, 1]
    assert store.batch_put_from([key] * 2, [address] * 2, [5, 5]) == [0, 0]
    assert store.get(key) == b"value"


def test_lists_of_other_lengths(store: MooncakeDistributedStore, memory: Memory, key: str) -> None:
    address = memory.address
    two = [key, key + "b"]
    assert store.batch_put_from(two, [address], [3, 3]) == [-600] * 2
    assert store.batch_upsert_from(two, [address], [3, 3]) == [-600] * 2
    assert store.batch_get_into(two, [address], [3, 3]) == [-600] * 2
    assert store.batch_put_from_multi_buffers(two, [[address]], [[3]]) == [-600] * 2
    assert store.batch_put_from_multi_buffers(two, [[address]] * 2, [[3, 3], [3]]) == [-600] * 2
    assert store.batch_get_into_multi_buffers(two, [[address]], [[3]]) == [-600] * 2
    assert store.batch_is_exist(two) == [0, 0]


def test_lists_of_none(store: MooncakeDistributedStore) -> None:
    assert store.batch_put_from([], [], []) == []
    assert store.batch_upsert_from([], [], []) == []
    assert store.batch_get_into([], [], []) == []
    assert store.batch_put_from_multi_buffers([], [], []) == []
    assert store.batch_get_into_multi_buffers([], [], []) == []


def test_upsert_from(store: MooncakeDistributedStore, memory: Memory, key: str) -> None:
    address = memory.write(0, b"value")
    assert store.put(key, b"other") == 0
    assert store.upsert_from(key, address, 5) == 0
    assert store.get(key) == b"value"
    keys = [key, key + "b", key + "c"]
    assert store.batch_upsert_from(keys, [address] * 3, [2, 3, 0]) == [0, 0, -600]
    assert store.get_batch(keys) == [b"va", b"val", b""]


def test_get_into(store: MooncakeDistributedStore, memory: Memory, key: str) -> None:
    store.put(key, b"value")
    memory.write(0, b"........")
    assert store.get_into(key, memory.address + 1, 5) == 5
    assert memory.read(0, 8) == b".value.."
    assert store.get_into(key, memory.address, SIZE) == 5
    assert store.get_into(key, memory.address, 4) == -600
    assert store.get_into(key, memory.address, 0) == -600
    assert store.get_into(key + "b", memory.address, 4) == -704


def test_the_null_address_is_no_memory(store: MooncakeDistributedStore, key: str) -> None:
    if not differs("the null address"):
        pytest.skip("Mooncake takes it for memory")
    store.put(key, b"value")
    assert store.put_from(key + "b", 0, 5) == -600
    assert store.batch_put_from([key + "b"], [0], [5]) == [-600]
    assert store.batch_put_from_multi_buffers([key + "b"], [[0]], [[5]]) == [-600]
    assert store.get_into(key, 0, 5) == -600
    assert store.batch_get_into_multi_buffers([key], [[0]], [[5]]) == [-600]
    assert store.is_exist(key + "b") == 0


def test_batch_get_into_says_the_objects_size(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    store.put_batch([key + "a", key + "b"], [b"one", b"two!"])
    keys = [key + "a", key, key + "b", key + "b"]
    pointers = [memory.address + offset for offset in (0, 10, 20, 30)]
    assert store.batch_get_into(keys, pointers, [3, 9, 9, 3]) == [3, -704, 4, -600]
    assert memory.read(0, 3) == b"one"
    assert memory.read(20, 4) == b"two!"


def test_several_buffers(store: MooncakeDistributedStore, memory: Memory, key: str) -> None:
    one, two, three = (memory.write(i * 10, text) for i, text in enumerate((b"ab", b"cde", b"f")))
    keys = [key + "a", key + "b"]
    put = store.batch_put_from_multi_buffers
    assert put(keys, [[one, two], [three]], [[2, 3], [1]]) == [0, 0]
    assert put(keys, [[two], [three]], [[3], [1]]) == [0, 0]
    assert store.get_batch(keys) == [b"abcde", b"f"]
    assert put([key + "c", key + "d"], [[], [one]], [[], [2]]) == [-600, 0]
    assert put([key + "e"], [[one, two]], [[0, 3]]) == [0]
    assert store.get(key + "e") == b"cde"

    base = memory.address + 100
    get = store.batch_get_into_multi_buffers
    pointers = [[base, base + 10], [base + 20], [base + 30]]
    assert get([keys[0], key, keys[1]], pointers, [[3, 2], [1], [1]]) == [5, -704, 1]
    assert (memory.read(100, 3), memory.read(110, 2)) == (b"abc", b"de")
    assert get(keys[:1], [[base, base + 10]], [[1, 4]], True) == [5]
    assert (memory.read(100, 1), memory.read(110, 4)) == (b"a", b"bcde")


def test_several_buffers_are_filled_or_it_is_an_error(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    store.put(key, b"value")
    base = memory.address
    get = store.batch_get_into_multi_buffers
    assert get([key], [[base]], [[4]]) == [-600]
    assert get([key], [[base, base + 10]], [[3, 3]])[0] < 0
    assert get([key], [[base, base + 10]], [[3, 2]]) == [5]


def test_several_buffers_may_ask_for_the_same_node(
    store: MooncakeDistributedStore, memory: Memory, key: str
) -> None:
    config = ReplicateConfig()
    config.prefer_alloc_in_same_node = True
    address = memory.write(0, b"value")
    assert store.put_from(key, address, 5, config) == -600
    assert store.batch_put_from([key], [address], [5], config) == [-600]
    assert store.batch_put_from_multi_buffers([key], [[address]], [[5]], config) == [0]
    assert store.get(key) == b"value"


def test_memory_need_not_be_registered(store: MooncakeDistributedStore, key: str) -> None:
    memory = Memory(100)
    assert store.put_from(key, memory.write(0, b"value"), 5) == 0
    assert store.get_into(key, memory.address + 50, 50) == 5
    assert memory.read(50, 5) == b"value"
