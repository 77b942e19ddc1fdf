"""Buffers that are registered once, memory by address, and NUMA nodes."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from collections.abc import Iterator

import pytest
from mooncake import store as names
from mooncake.store import BufferPool, MooncakeDistributedStore, MooncakeHostMemAllocator
from pool import Pool

MIB = 1 << 20


@pytest.fixture(scope="module")
def store() -> Iterator[MooncakeDistributedStore]:
    with Pool(lend="64MiB") as pool:
        made = MooncakeDistributedStore()
        assert made.setup("127.0.0.1", "P2PHANDSHAKE", 0, MIB, "tcp", "", pool.address) == 0
        yield made
        made.close()


def test_a_lease(store: MooncakeDistributedStore) -> None:
    pool = BufferPool(store, alignment=MIB)
    lease = pool.acquire(1000)
    assert lease.ptr % MIB == 0
    assert (lease.size, lease.buffer.nbytes, lease.buffer.readonly) == (1000, 1000, False)
    assert store.register_buffer(lease.ptr, 1000) == -600  # it is, already
    lease.buffer[:3] = b"abc"
    assert store.put_from("leased", lease.ptr, 1000) == 0
    assert store.get("leased")[:4] == b"abc\0"
    address = lease.ptr
    lease.release()
    lease.release()
    for wrong in ("ptr", "buffer"):
        with pytest.raises(RuntimeError, match="closed"):
            getattr(lease, wrong)
    with pool.buffer(10) as again:
        assert again.ptr == address
    pool.close()
    assert store.unregister_buffer(address) == -600


def test_limits(store: MooncakeDistributedStore) -> None:
    pool = BufferPool(store, max_bytes=2 * MIB, min_size_class=MIB)
    first, second = pool.acquire(1), pool.acquire(MIB)
    for arguments in ({"block": False}, {"timeout": 0}, {"timeout": 0.05}):
        with pytest.raises(RuntimeError, match="exhausted"):
            pool.acquire(1, **arguments)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="exceeds"):
        pool.acquire(3 * MIB)
    with pytest.raises(RuntimeError, match="non-negative"):
        pool.acquire(1, timeout=-1)
    with pytest.raises(RuntimeError, match="active leases"):
        pool.close()
    first.release()
    second.release()
    with pool.acquire(2 * MIB):  # in place of the two
        pass
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        pool.acquire(1)


def test_who_waits_gets_what_is_released(store: MooncakeDistributedStore) -> None:
    pool = BufferPool(store, max_regions=1)
    lease = pool.acquire(1)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(pool.acquire(1, timeout=60).size))
    waiting.start()
    assert not got
    lease.release()
    waiting.join(60)
    assert got == [1]


def test_a_lease_ends_with_its_last_reference(store: MooncakeDistributedStore) -> None:
    pool = BufferPool(store, max_regions=1, default_timeout=0)
    lease = pool.acquire(1)
    with pytest.raises(RuntimeError):
        pool.acquire(1)
    del lease
    gc.collect()
    pool.acquire(1).release()
    pool.close()


def test_buffers_made_before(store: MooncakeDistributedStore) -> None:
    pool = BufferPool(
        store, max_bytes=MIB, min_size_class=MIB // 2, prewarm_size=1, prewarm_count=9
    )
    leases = [pool.acquire(1, block=False) for _ in range(2)]
    with pytest.raises(RuntimeError):
        pool.acquire(1, block=False)
    for lease in leases:
        lease.release()


def test_wrong_pools(store: MooncakeDistributedStore) -> None:
    for wrong in ({"min_size_class": 0}, {"alignment": 0}, {"alignment": 3}, {"max_bytes": -1}):
        with pytest.raises(RuntimeError):
            BufferPool(store, **wrong)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="not initialized"):
        BufferPool(MooncakeDistributedStore())


def test_the_allocator() -> None:
    allocator = MooncakeHostMemAllocator()
    address = allocator.alloc(8192)
    assert address % 4096 == 0
    ctypes.memset(address, 7, 8192)
    assert allocator.free(address) == 0
    assert allocator.free(address) == -1
    with pytest.raises(RuntimeError):
        allocator.alloc(0)
    with pytest.raises(TypeError):
        allocator.alloc(-1)


def test_numa_nodes() -> None:
    before = os.sched_getaffinity(0)
    with pytest.warns(RuntimeWarning, match="NUMA node 999"):
        names.bind_to_numa_node(999)
    with pytest.warns(RuntimeWarning):
        names.bind_to_numa_node(-1)
    assert os.sched_getaffinity(0) == before
