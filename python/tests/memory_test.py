"""Memory of every kind goes in and out without a copy."""

from __future__ import annotations

import array
import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import pytest

import kvstore

VALUE = bytes(range(256)) * 16
MIB = 1 << 20


def mapped(value: bytes) -> mmap.mmap:
    memory = mmap.mmap(-1, len(value))
    memory[:] = value
    return memory


@pytest.mark.parametrize(
    "kind",
    [bytes, bytearray, memoryview, mapped, lambda value: array.array("B", value)],
    ids=["bytes", "bytearray", "memoryview", "mmap", "array"],
)
def test_buffers_are_put(client: kvstore.Client, key: str, kind: Callable[[bytes], Any]) -> None:
    client.put(key, kind(VALUE))
    client.put_batch([(key + "x", kind(VALUE))])
    assert client.get(key) == client.get(key + "x") == VALUE


@pytest.mark.parametrize("kind", [bytearray, mapped], ids=["bytearray", "mmap"])
def test_buffers_are_filled(client: kvstore.Client, key: str, kind: Callable[[bytes], Any]) -> None:
    client.put(key, VALUE)
    target = kind(bytes(len(VALUE)))
    assert client.get_into(key, target) == len(VALUE)
    assert target[:] == VALUE


def test_pieces_are_joined_and_filled_in_order(client: kvstore.Client, key: str) -> None:
    client.put(key, [b"one", bytearray(b"two"), (memoryview(b"three"))])
    assert client.get(key) == b"onetwothree"
    client.put(key + "x", ())
    assert client.get(key + "x") == b""
    targets = (bytearray(4), bytearray(0), bytearray(100))
    assert client.get_into(key, targets) == 11
    assert targets[0] == b"onet"
    assert targets[2][:7] == b"wothree"


def test_a_buffer_is_let_go_of(client: kvstore.Client, key: str) -> None:
    memory = bytearray(VALUE)
    client.put(key, memory)
    client.get_into(key, memory)
    with pytest.raises(TypeError):
        client.put_batch([(key, memory), (key, 3)])
    memory.extend(b"a bytearray with buffers held can't grow")


def test_numpy_arrays(client: kvstore.Client, key: str) -> None:
    numpy = pytest.importorskip("numpy")
    matrix = numpy.arange(1000, dtype=numpy.float32).reshape(10, 100)
    client.put(key, matrix)
    target = numpy.zeros_like(matrix)
    assert client.get_into(key, target) == matrix.nbytes
    assert (target == matrix).all()
    assert (numpy.frombuffer(client.view(key).data, numpy.float32) == matrix.ravel()).all()
    with pytest.raises((ValueError, BufferError)):
        client.put(key + "x", matrix[:, ::2])
    matrix.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        client.get_into(key, matrix)
    new = client.create(key + "y", 8)
    filled = numpy.frombuffer(new.data, numpy.uint32)
    filled[:] = 7
    with pytest.raises(kvstore.FailedPrecondition):
        new.seal()
    del filled
    new.seal()
    assert client.get(key + "y") == b"\x07\0\0\0" * 2


def test_torch_tensors(client: kvstore.Client, key: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(1000, dtype=torch.float32).reshape(10, 100)
    client.put(key, tensor)
    target = torch.zeros_like(tensor)
    assert client.get_into(key, target) == 4000
    assert torch.equal(target, tensor)
    halves = [torch.zeros(5, 100), torch.zeros(5, 100)]
    assert client.get_into_batch([(key, halves)]) == [4000]
    assert torch.equal(torch.cat(halves), tensor)
    client.put(key + "x", torch.ones(3, dtype=torch.bfloat16))  # which numpy doesn't know
    assert client.stat(key + "x").size == 6
    client.put(key + "y", torch.empty(0))
    assert client.get(key + "y") == b""
    with pytest.raises(ValueError, match="contiguous"):
        client.put(key + "z", tensor.t())
    emptied = torch.ones(3)
    emptied.storage().resize_(0)
    with pytest.raises(ValueError, match="no memory"):
        client.put(key + "z", emptied)
    with pytest.raises(kvstore.Unimplemented, match="meta"):
        client.put(key + "z", torch.empty(3, device="meta"))


def test_tensors_whose_memory_holds_other_numbers(client: kvstore.Client, key: str) -> None:
    torch = pytest.importorskip("torch")
    conjugated = torch.tensor([1 + 2j, 3 + 4j]).conj()
    negated = conjugated[:1].imag
    assert negated.is_neg()
    for lazy, remedy in ((conjugated, r"\.resolve_conj\(\)"), (negated, r"\.resolve_neg\(\)")):
        with pytest.raises(TypeError, match=remedy):
            client.put(key, lazy)
        with pytest.raises(TypeError, match=remedy):
            client.get_into(key, lazy)
    client.put(key, conjugated.resolve_conj())
    target = torch.zeros(2, dtype=torch.complex64)
    assert client.get_into(key, target) == 16
    assert torch.equal(target, conjugated)


def test_numbers_of_numpy(client: kvstore.Client, key: str) -> None:
    numpy = pytest.importorskip("numpy")
    source = numpy.arange(100, dtype=numpy.uint8)
    at, size = numpy.uint64(source.ctypes.data), numpy.int64(50)
    array, sizes = numpy.array([at]), numpy.array([size])
    assert client.put_addresses([key], [at], [size]) == [None]
    assert client.put_addresses([key + "x"], array, sizes) == [None]
    assert client.put_addresses([key + "y"], [array], [sizes]) == [None]
    assert client.get_batch([key, key + "x", key + "y"]) == [bytes(range(50))] * 3
    assert client.get_addresses([key], [at], [size]) == [50]
    with pytest.raises(TypeError):
        client.get_addresses([key], [numpy.float64(1)], [size])


def test_addresses(client: kvstore.Client, key: str) -> None:
    source = ctypes.create_string_buffer(VALUE, len(VALUE))
    at = ctypes.addressof(source)
    keys = [key, key + "x"]
    assert client.put_addresses(keys, [at, [at + 100, at]], [50, [10, 20]]) == [None, None]
    assert client.get_batch(keys) == [VALUE[:50], VALUE[100:110] + VALUE[:20]]
    target = ctypes.create_string_buffer(100)
    to = ctypes.addressof(target)
    assert client.get_addresses(keys, [to, [to + 60, to + 80]], [60, [10, 20]]) == [50, 30]
    assert target.raw[:50] == VALUE[:50]
    assert target.raw[60:70] + target.raw[80:] == VALUE[100:110] + VALUE[:20]
    with client.read_session(keys) as session:
        assert session.read_addresses([0, 1], [to, to + 50], [50, 50], offsets=[10, 0]) == [40, 30]
        assert target.raw[:40] == VALUE[10:50]
    client.register_memory(at, len(VALUE))
    with pytest.raises(kvstore.InvalidArgument):
        client.register_memory(at, 10)
    client.unregister_memory(at)
    for wrong in (
        ([at], [at, 0]),
        ([at, at], [10]),
        ([-1, at], [10, 10]),
        ([at, [at]], [10, [1, 2]]),
    ):
        with pytest.raises(ValueError):
            client.put_addresses([key, key], *wrong)
    with pytest.raises(ValueError, match="address is 0"):
        client.put_addresses([key], [0], [10])


def test_buffers_of_a_pool_are_used_again() -> None:
    pool = kvstore.BufferPool(2 * MIB)
    size = MIB - 5  # of a block of a MiB
    first = kvstore.Buffer(pool, size)
    assert len(first) == size
    view = memoryview(first)
    assert (view.format, view.ndim, view.itemsize, view.readonly) == ("B", 1, 1, False)
    view[:] = b"x" * size
    assert bytes(view[-3:]) == b"xxx"
    address = first.address()
    del first
    assert pool.kept_bytes == 0  # the memoryview holds it
    del view
    assert pool.kept_bytes == MIB
    second = kvstore.Buffer(pool, MIB // 2 + 1)
    assert second.address() == address
    assert pool.kept_bytes == 0
    others = [kvstore.Buffer(pool, MIB) for _ in range(3)]
    del second, others
    assert pool.kept_bytes == 2 * MIB  # its limit
    small = [kvstore.Buffer(pool, size) for size in (0, 1, 100)]
    assert [len(memoryview(one)) for one in small] == [0, 1, 100]
    with pytest.raises(MemoryError):
        kvstore.Buffer(pool, 1 << 62)
    with pytest.raises(TypeError):
        kvstore.Buffer(None, 1)  # type: ignore[arg-type]
    outlives = kvstore.Buffer(kvstore.BufferPool(MIB), MIB)
    memoryview(outlives)[:] = b"y" * MIB


def test_objects_are_read_into_buffers_of_a_pool(client: kvstore.Client) -> None:
    client.put("pooled", b"v" * MIB)
    buffer = kvstore.Buffer(kvstore.BufferPool(MIB), MIB)
    assert client.get_into("pooled", buffer) == MIB
    assert bytes(buffer) == b"v" * MIB  # type: ignore[call-overload]
