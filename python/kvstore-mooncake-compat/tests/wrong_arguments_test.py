"""Arguments of wrong types, and such as numpy has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mooncake.store import MooncakeDistributedStore
from pool import Pool

numpy = pytest.importorskip("numpy")

MB = 1 << 20


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as started:
        yield started


@pytest.fixture(scope="module")
def store(pool: Pool) -> Iterator[MooncakeDistributedStore]:
    made = MooncakeDistributedStore()
    assert made.setup("localhost", "none", 0, MB, "tcp", "", pool.address) == 0
    yield made
    made.close()


def test_sizes_of_setup(pool: Pool) -> None:
    store = MooncakeDistributedStore()
    for size in (numpy.int64(MB), numpy.uint64(0)):
        assert store.setup("localhost", "none", size, size, "tcp", "", pool.address) == 0
    store.close()
    for wrong in (1.5, numpy.float64(MB), -1):
        with pytest.raises(TypeError):
            store.setup("localhost", "none", wrong, 0, "tcp", "", pool.address)


def test_addresses_and_sizes_of_numpy(store: MooncakeDistributedStore) -> None:
    block = numpy.arange(100, dtype=numpy.uint8)
    at, to = numpy.uint64(block.ctypes.data), numpy.uint64(block.ctypes.data + 50)
    ten, no = numpy.int64(10), numpy.int64(0)
    one: Any
    for number, one in enumerate((lambda value: [value], lambda value: numpy.array([value]))):
        key = f"numpy{number}"
        assert store.batch_put_from([key], one(at), one(ten)) == [0]
        assert store.batch_get_into([key], one(to), one(ten)) == [10]
        assert store.batch_get_into_multi_buffers([key], [one(to)], [one(ten)]) == [10]
        key += "x"
        assert store.batch_put_from_multi_buffers([key], [one(at)], [one(ten)]) == [0]
        assert store.get(key) == bytes(range(10))
        session = [f"session{number}"]
        assert store.batch_put_session_start(session, one(ten)) == [0]
        assert store.batch_put_from_multi_buffer_ranges(
            session, [one(at)], [one(ten)], [one(no)]
        ) == [10]
        assert store.batch_put_session_end(session) == [0]
        assert store.batch_get_session_start(session) == [0]
        assert store.batch_get_into_multi_buffer_ranges(
            session, [one(to)], [one(ten)], [one(no)]
        ) == [10]
        store.batch_get_session_end(session)
    assert store.put_from("numpy", at, ten) == 0
    assert store.get_into("numpy", to, ten) == 10
    assert store.register_buffer(at, numpy.int64(100)) == 0
    ranges = [[[numpy.uint64(60)]]], [[[no]]], [[[ten]]]
    assert store.get_into_ranges([at], [["numpy"]], *ranges) == [[[10]]]
    assert bytes(block[60:70]) == bytes(range(10))
    assert store.unregister_buffer(at) == 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("is_exist", ("\ud800",)),
        ("batch_is_exist", (["\ud800"],)),
        ("get", ("\ud800",)),
        ("put", ("\ud800", b"value")),
        ("get_into", ("\ud800", 4096, 1)),
        ("batch_put_session_start", (["key"], [-1])),
        ("put", ("key", b"value", {})),
        ("batch_put_from", (["key"], [4096], [1], "config")),
    ],
    ids=ascii,
)
def test_wrong_types(
    store: MooncakeDistributedStore, name: str, arguments: tuple[object, ...]
) -> None:
    with pytest.raises(TypeError):
        getattr(store, name)(*arguments)


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 5000 + ")" * 5000], ids=len)
def test_patterns_that_are_none(store: MooncakeDistributedStore, pattern: str) -> None:
    assert store.remove_by_regex(pattern) == -600
