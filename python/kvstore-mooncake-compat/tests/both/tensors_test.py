"""Tensors: whole ones, and such as are split evenly over ranks."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from differences import differs
from mooncake import store as names
from mooncake.store import MooncakeDistributedStore, ReplicateConfig

torch = pytest.importorskip("torch")

HEADER = 304
Store = MooncakeDistributedStore


def matrix() -> Any:
    return torch.arange(24, dtype=torch.float32).reshape(4, 6)


def same(one: Any, other: Any) -> bool:
    return one is not None and one.dtype == other.dtype and torch.equal(one, other)


class Registered:
    """Memory that the store knows of."""

    def __init__(self, store: Store, size: int) -> None:
        self._store = store
        self.memory = ctypes.create_string_buffer(size)
        self.address = ctypes.addressof(self.memory)
        assert store.register_buffer(self.address, size) == 0

    def __enter__(self) -> Registered:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._store.unregister_buffer(self.address) == 0


def test_the_header() -> None:
    assert names._tensor_metadata_size() == HEADER
    header, address, size, owner = names._serialize_tensor(matrix())
    assert (len(header), size) == (HEADER, 96)
    assert address == owner.data_ptr()
    data = ctypes.string_at(address, size)
    assert same(names._deserialize_tensor(header + data), matrix())
    for wrong in (b"", header, header + data[1:], header + data + b"x", bytes(400)):
        with pytest.raises(ValueError):
            names._deserialize_tensor(wrong)
    with pytest.raises(ValueError):
        names._serialize_tensor([1.0])


@pytest.mark.parametrize(
    "dtype",
    [
        *("float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64"),
        *("bool", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"),
    ],
)
def test_types(store: Store, key: str, dtype: str) -> None:
    if not hasattr(torch, dtype):
        pytest.skip(f"this torch has no {dtype}")
    if not hasattr(torch, "uint16") and not differs("a torch without uint16"):
        pytest.skip("Mooncake wants a newer torch")
    tensor = (torch.arange(12) % 2).reshape(3, 4).to(getattr(torch, dtype))
    assert store.put_tensor(key, tensor) == 0
    got = store.get_tensor(key)
    assert got.dtype == tensor.dtype
    assert torch.equal(got.to(torch.float64), tensor.to(torch.float64))


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 0, 3), (0,), (1,) * 8])
def test_shapes(store: Store, key: str, shape: tuple[int, ...]) -> None:
    tensor = torch.ones(shape)
    assert store.put_tensor(key, tensor) == 0
    assert store.get_size(key) == HEADER + 4 * tensor.numel()
    assert same(store.get_tensor(key), tensor)


def test_a_scalar(store: Store, key: str) -> None:
    assert store.put_tensor(key, torch.tensor(5.0)) == 0
    shape = () if differs("the shape of a scalar") else (1,)
    assert store.get_tensor(key).shape == shape
    assert store.get_tensor(key).item() == 5


def test_a_tensor_that_is_not_contiguous(store: Store, key: str) -> None:
    tensor = matrix().t()
    assert store.put_tensor(key, tensor) == 0
    assert same(store.get_tensor(key), tensor)


def test_what_is_got_is_its_own(store: Store, key: str) -> None:
    assert store.put_tensor(key, matrix()) == 0
    got = store.get_tensor(key)
    got += 1
    assert same(store.get_tensor(key), matrix())


def test_what_is_no_tensor(store: Store, key: str) -> None:
    for wrong in (3, None, [1.0], b"bytes", torch.zeros(2, dtype=torch.complex64)):
        assert store.put_tensor(key, wrong) == -600
    assert store.put_tensor(key, torch.zeros((1,) * 9)) == -600
    assert store.put_tensor("", matrix()) == -600
    assert store.is_exist(key) == 0
    assert store.get_tensor(key) is None
    for number, value in enumerate((b"abc", bytes(1000))):
        assert store.put(f"{key}{number}", value) == 0
        assert store.get_tensor(f"{key}{number}") is None


def test_put_keeps_and_upsert_replaces(store: Store, key: str) -> None:
    assert store.put_tensor(key, matrix()) == 0
    assert store.put_tensor(key, matrix() + 1) == 0
    assert same(store.get_tensor(key), matrix())
    assert store.upsert_tensor(key, matrix() + 2) == 0
    assert same(store.get_tensor(key), matrix() + 2)
    assert store.upsert_pub_tensor(key, torch.ones(3), ReplicateConfig()) == 0
    assert same(store.get_tensor(key), torch.ones(3))


def test_configurations(store: Store, key: str) -> None:
    config = ReplicateConfig()
    assert store.pub_tensor(key, matrix()) == 0
    assert store.pub_tensor(key=f"{key}a", tensor=matrix(), config=config) == 0
    config.prefer_alloc_in_same_node = True
    assert store.pub_tensor(f"{key}b", matrix(), config) == 0
    config.replica_num = 0
    assert store.pub_tensor(f"{key}c", matrix(), config) == -600
    assert [store.is_exist(key + end) for end in ("", "a", "b", "c")] == [1, 1, 1, 0]


def test_batches(store: Store, key: str) -> None:
    keys = [f"{key}{number}" for number in range(3)]
    tensors = [matrix(), matrix() + 1, torch.ones(2, dtype=torch.int8)]
    assert store.batch_put_tensor(keys, tensors) == [0, 0, 0]
    for got, tensor in zip(store.batch_get_tensor(keys), tensors, strict=True):
        assert same(got, tensor)
    assert store.batch_get_tensor([]) == store.batch_put_tensor([], []) == []
    assert store.put(f"{key}raw", b"abc") == 0
    got = store.batch_get_tensor([f"{key}none", keys[2], f"{key}raw"])
    assert (got[0], got[2]) == (None, None)
    assert same(got[1], tensors[2])
    assert store.batch_put_tensor([f"{key}a", f"{key}b"], [matrix(), 3]) == [0, -600]
    assert store.batch_put_tensor([f"{key}c", f"{key}d"], [matrix()]) == [-600, -600]
    config = ReplicateConfig()
    assert store.batch_pub_tensor([f"{key}e"], [matrix()], config) == [0]
    assert store.batch_upsert_tensor(keys, [matrix()] * 3) == [0, 0, 0]
    assert store.batch_upsert_pub_tensor(keys[:1], [matrix() + 5], config) == [0]
    got = store.batch_get_tensor(keys)
    assert same(got[0], matrix() + 5)
    assert same(got[2], matrix())


def test_buffers(store: Store, key: str) -> None:
    assert store.put_tensor(key, matrix()) == 0
    with Registered(store, 4096) as buffer:
        at = buffer.address
        got = store.get_tensor_into(key, at, 4096)
        assert same(got, matrix())
        assert got.data_ptr() == at + HEADER
        assert same(store.get_tensor_into(key, at, HEADER + 96), matrix())
        assert store.get_tensor_into(key, at, HEADER + 95) is None
        assert store.get_tensor_into(f"{key}none", at, 4096) is None
        assert store.put(f"{key}raw", b"abc") == 0
        assert store.get_tensor_into(f"{key}raw", at, 4096) is None
        keys = [key, f"{key}none", f"{key}small"]
        assert store.put_tensor(keys[2], torch.ones(2)) == 0
        ats = [at, at + 1024, at + 2048]
        got = store.batch_get_tensor_into(keys, ats, [1024] * 3)
        assert same(got[0], matrix())
        assert got[1] is None
        assert same(got[2], torch.ones(2))
        assert store.batch_get_tensor_into(keys, ats[:2], [1024] * 3) == [-600] * 3
        assert store.batch_get_tensor_into([], [], []) == []


def test_puts_from_buffers(store: Store, key: str) -> None:
    assert store.put_tensor(key, matrix()) == 0
    size = HEADER + 96
    with Registered(store, 4096) as buffer:
        at = buffer.address
        assert store.get_into(key, at, 4096) == size
        assert store.put_tensor_from(f"{key}a", at, size) == 0
        assert same(store.get_tensor(f"{key}a"), matrix())
        for wrong in (0, 100, size - 1, size + 1):
            assert store.put_tensor_from(f"{key}b", at, wrong) == -600
        assert store.put_tensor_from(f"{key}b", at + 8, size) == -600
        keys = [f"{key}c", f"{key}d"]
        assert store.batch_put_tensor_from(keys, [at, at], [size, 100]) == [-600, -600]
        assert store.batch_put_tensor_from(keys, [at], [size, size]) == [-600, -600]
        assert [store.is_exist(one) for one in keys] == [0, 0]
        assert store.batch_put_tensor_from(keys, [at, at], [size, size]) == [0, 0]
        assert store.put_tensor(f"{key}e", torch.ones(1)) == 0
        assert store.upsert_tensor_from(f"{key}e", at, size) == 0
        assert store.batch_upsert_tensor_from(keys, [at, at], [size, size]) == [0, 0]
        for one in (*keys, f"{key}e"):
            assert same(store.get_tensor(one), matrix())


def test_tensors_of_a_gpu_are_refused(store: Store, key: str) -> None:
    assert store.put_tensor(key, matrix()) == 0
    assert store.get_tensor_into_cuda(key, torch.zeros(4, 6)) == -600
    assert store.batch_get_tensor_into_cuda([key], [torch.zeros(4, 6)]) == [-600]


@pytest.mark.parametrize("split_dim", [0, 1])
def test_parts(store: Store, key: str, split_dim: int) -> None:
    tensor = matrix()
    expected = tensor.chunk(2, split_dim)
    assert store.put_tensor_with_tp(key, tensor, 0, 2, split_dim) == 0
    assert [store.is_exist(key + end) for end in ("", "_tp_0", "_tp_1", "_tp_2")] == [0, 1, 1, 0]
    for rank in range(2):
        assert same(store.get_tensor_with_tp(key, rank, 2, split_dim), expected[rank])
        assert store.get_size(f"{key}_tp_{rank}") == HEADER + 48
        # All of them are put, whoever is asked.
        assert store.put_tensor_with_tp(key, tensor, tp_rank=rank, tp_size=2) == 0
    assert store.get_tensor_with_tp(key, 2, 2, split_dim) is None
    assert store.get_tensor_with_tp(key) is None
    got = store.batch_get_tensor_with_tp([key, f"{key}none"], 1, 2)
    assert same(got[0], expected[1])
    assert got[1] is None
    with Registered(store, 4096) as buffer:
        at = buffer.address
        assert same(store.get_tensor_with_tp_into(key, at, 2048, 1, 2, split_dim), expected[1])
        got = store.batch_get_tensor_with_tp_into([key, "none"], [at, at], [2048, 2048], 0, 2)
        assert got[1] is None


def test_one_part_is_the_whole(store: Store, key: str) -> None:
    assert store.put_tensor_with_tp(key, matrix()) == 0
    assert same(store.get_tensor(key), matrix())
    assert same(store.get_tensor_with_tp(key), matrix())
    assert same(store.batch_get_tensor_with_tp([key])[0], matrix())


def test_what_can_not_be_split(store: Store, key: str) -> None:
    for size, split_dim in ((4, 1), (8, 0), (2, 2), (2, -1)):
        assert store.put_tensor_with_tp(key, matrix(), 0, size, split_dim) == -600
    assert store.put_tensor_with_tp(key, 3, 0, 2) == -600
    assert store.is_exist(f"{key}_tp_0") == 0


def test_batches_of_parts(store: Store, key: str) -> None:
    keys = [f"{key}a", f"{key}b"]
    assert store.batch_put_tensor_with_tp(keys, [matrix(), matrix() + 1], 0, 2, 1) == [0, 0]
    got = store.batch_get_tensor_with_tp(keys, 1, 2)
    assert same(got[0], matrix()[:, 3:])
    assert same(got[1], matrix()[:, 3:] + 1)
    config = ReplicateConfig()
    assert store.pub_tensor_with_tp(f"{key}c", matrix(), config, 0, 2) == 0
    assert store.batch_pub_tensor_with_tp([f"{key}d"], [matrix()], config, tp_size=4) == [0]
    assert same(store.get_tensor_with_tp(f"{key}d", 3, 4), matrix()[3:])
    parts = [matrix(), torch.ones(3, 6)]
    assert store.batch_put_tensor_with_tp([f"{key}e", f"{key}f"], parts, 0, 2) == [0, -600]
    size = HEADER + 96
    assert store.put_tensor(key, matrix()) == 0
    with Registered(store, 4096) as buffer:
        assert store.get_into(key, buffer.address, 4096) == size
        assert store.put_tensor_with_tp_from(f"{key}g", buffer.address, size, 0, 2, 0) == 0
        codes = store.batch_put_tensor_with_tp_from([f"{key}h"], [buffer.address], [size], 1, 2, 1)
        assert codes == [0]
    assert same(store.get_tensor_with_tp(f"{key}g", 1, 2), matrix()[2:])
    assert same(store.get_tensor_with_tp(f"{key}h", 0, 2), matrix()[:, :3])


def test_before_setup() -> None:
    store = MooncakeDistributedStore()
    assert store.get_tensor("key") is None
