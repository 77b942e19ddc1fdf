"""Memory that is lent beside what setup lends, and stores that a daemon tells of the pool."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator

import pytest
from mooncake._programs.rendezvous import rendezvous
from mooncake.store import MooncakeDistributedStore
from pool import Pool


@pytest.fixture(scope="module")
def empty() -> Iterator[Pool]:
    """A pool to which nobody lends."""
    with Pool(nodes=0) as pool:
        yield pool


def consumer(pool: Pool) -> MooncakeDistributedStore:
    store = MooncakeDistributedStore()
    code = store.setup("localhost", "P2PHANDSHAKE", 0, 1 << 20, "tcp", "", pool.address)
    assert code == 0
    return store


def test_segments_are_mounted_and_unmounted(empty: Pool) -> None:
    store = consumer(empty)
    assert store.put("key", b"value") == -200
    mounted = store.allocate_and_mount_segment(32 << 20)
    assert mounted["ret"] == 0
    assert mounted["allocated_size"] == 32 << 20
    assert store.put("key", b"value") == 0
    assert store.unmount_and_free_segment(["1-2"]) == -1
    assert store.get("key") == b"value"
    assert store.unmount_and_free_segment(mounted["segment_ids"]) == 0
    assert store.unmount_and_free_segment(mounted["segment_ids"]) == -1
    assert store.unmount_segment([]) == 0
    assert store.allocate_and_mount_segment(0)["ret"] < 0
    store.close()


def test_what_is_not_offered_says_so(empty: Pool) -> None:
    store = consumer(empty)
    assert store.mount_segment("/dev/shm/none", 1 << 20) == {"ret": -1012, "segment_ids": []}
    assert store.unmount_local_disk_segment() == 0
    assert store.get_offload_rpc_read_count() == 0
    assert store.alloc_from_mem_pool(100) == 0
    assert store.init_all("tcp", "", 1) == -1012
    store.close()


def test_a_daemon_tells_of_its_pool() -> None:
    with Pool() as pool, rendezvous("127.0.0.1", 0, pool.address) as daemon:
        threading.Thread(target=daemon.serve_forever, kwargs={"poll_interval": 0.05}).start()
        store = MooncakeDistributedStore()
        try:
            assert store.setup_dummy(1 << 20, 1 << 20, f"127.0.0.1:{daemon.server_port}") == 0
        finally:
            daemon.shutdown()
        address, other = (store.alloc_from_mem_pool(100_000) for _ in range(2))
        assert address and other >= address + 100_000
        assert store.alloc_from_mem_pool(1 << 20) == 0
        ctypes.memmove(address, b"value", 5)
        assert store.register_buffer(address, 100_000) == 0
        assert store.put_from("key", address, 5) == 0
        assert store.get_into("key", other, 5) == 5
        assert ctypes.string_at(other, 5) == b"value"
        assert store.unregister_buffer(address) == 0
        store.close()


def test_without_a_daemon_there_is_no_pool() -> None:
    store = MooncakeDistributedStore()
    assert store.setup_dummy(0, 0, "127.0.0.1:1") == -1
    assert store.is_exist("key") == 0
    assert store.put("key", b"value") == -600
