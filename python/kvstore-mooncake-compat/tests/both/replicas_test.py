"""Where objects' replicas lie, and how they come to lie elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from deployment import PATIENCE, SHORT_LEASE, Master, new_store
from mooncake.store import MooncakeDistributedStore, ReplicaStatus, ReplicateConfig, TaskStatus

Stores = tuple[MooncakeDistributedStore, ...]


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    """Three that lend memory, and nobody else does."""
    with Master(lease=SHORT_LEASE) as master:
        all_of_them = tuple(new_store(master.address, 32 << 20, 16 << 20) for _ in range(3))
        await_memory(all_of_them)
        yield all_of_them
        for store in all_of_them:
            store.close()


def await_memory(stores: Stores) -> None:
    """Until all nodes take objects."""
    store = stores[0]
    everywhere = ReplicateConfig()
    everywhere.replica_num = len(stores)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        store.upsert("memory", b"value", everywhere)
        if len(store.get_replica_desc("memory")) == len(stores):
            return
    raise AssertionError("a node takes no objects")


def on(store: MooncakeDistributedStore) -> ReplicateConfig:
    config = ReplicateConfig()
    config.preferred_segment = store.get_hostname()
    return config


def outcome(store: MooncakeDistributedStore, task: tuple[int, int]) -> TaskStatus:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found, code = store.query_task(task)
        assert code == 0 and found is not None and found.id == task
        if found.status in (TaskStatus.SUCCESS, TaskStatus.FAILED):
            return found.status
        time.sleep(0.02)
    raise AssertionError("the task does not end")


def test_replicas_are_described(stores: Stores, key: str) -> None:
    store = stores[0]
    config = ReplicateConfig()
    config.replica_num = 2
    assert store.put(key, b"value", config) == 0
    replicas = store.get_replica_desc(key)
    assert len(replicas) == 2
    for replica in replicas:
        assert replica.status == ReplicaStatus.COMPLETE
        assert replica.is_memory_replica()
        assert not replica.is_disk_replica()
        assert not replica.is_local_disk_replica()
        assert replica.get_memory_descriptor().buffer_descriptor.size == 5
        with pytest.raises(RuntimeError):
            replica.get_disk_descriptor()
    assert (
        len({r.get_memory_descriptor().buffer_descriptor.transport_endpoint for r in replicas}) == 2
    )
    assert {k: len(v) for k, v in store.batch_get_replica_desc([key, key + "x"]).items()} == {
        key: 2
    }
    assert store.get_replica_desc(key + "x") == []
    assert store.batch_get_replica_desc([]) == {}
    assert store.remove(key) == -706  # whoever looks gets a lease


def test_objects_move(stores: Stores, key: str) -> None:
    here, there, _ = stores
    assert here.put(key, b"value", on(here)) == 0
    task, code = here.create_move_task(key, here.get_hostname(), there.get_hostname())
    assert code == 0 and task != (0, 0)
    assert outcome(here, task) == TaskStatus.SUCCESS
    assert here.get(key) == b"value"
    assert len(here.get_replica_desc(key)) == 1


def test_objects_are_copied(stores: Stores, key: str) -> None:
    here, there, _ = stores
    assert there.put(key, b"value", on(there)) == 0
    task, code = here.create_copy_task(key, [here.get_hostname()])
    assert code == 0 and task != (0, 0)
    assert outcome(there, task) == TaskStatus.SUCCESS
    assert len(here.get_replica_desc(key)) == 2
    assert there.get(key) == b"value"


def test_objects_are_copied_to_several(stores: Stores, key: str) -> None:
    names = [store.get_hostname() for store in stores]
    here = stores[0]
    assert here.put(key, b"value", on(here)) == 0
    task, code = here.create_copy_task(key, names[1:])
    assert code == 0 and task != (0, 0)
    assert outcome(here, task) == TaskStatus.SUCCESS
    assert len(here.get_replica_desc(key)) == 3
    assert [store.get(key) for store in stores] == [b"value"] * 3
    other = key + "b"
    assert here.put(other, b"value", on(here)) == 0
    assert here.create_copy_task(other, ["nowhere:1", names[1]]) == ((0, 0), -600)
    task, code = here.create_copy_task(other, [names[0], names[2]])  # there is one already
    assert code == 0
    assert outcome(here, task) == TaskStatus.SUCCESS
    assert len(here.get_replica_desc(other)) == 2
    assert here.create_copy_task(other, [names[1], "nowhere:1"]) == ((0, 0), -600)


def test_a_replica_outlives_its_writer(key: str) -> None:
    with Master() as master:
        writer, reader = (new_store(master.address, 32 << 20, 16 << 20) for _ in range(2))
        await_memory((writer, reader))
        both = ReplicateConfig()
        both.replica_num = 2
        assert writer.put(key, b"value", both) == 0
        assert writer.close() == 0
        assert reader.get(key) == b"value"
        assert writer.setup("127.0.0.1", "P2PHANDSHAKE", 0, 1 << 20, "tcp", "", master.address) == 0
        assert writer.get(key) == b"value"
        for store in (writer, reader):
            store.close()


def test_tasks_that_can_not_be(stores: Stores, key: str) -> None:
    here, there, _ = (store.get_hostname() for store in stores)
    store = stores[0]
    store.put(key, b"value", on(store))
    none = (0, 0)
    assert store.create_copy_task(key + "x", [there]) == (none, -704)
    assert store.create_copy_task(key, ["nowhere:1"]) == (none, -600)
    assert store.create_copy_task(key, []) == (none, -600)
    assert store.create_move_task(key + "x", here, there) == (none, -704)
    assert store.create_move_task(key, here, here) == (none, -600)
    assert store.create_move_task(key, there, here) == (none, -600)
    assert store.create_move_task(key, here, "nowhere:1") == (none, -600)
    assert store.create_move_task(key, "nowhere:1", there) == (none, -600)
    assert store.query_task((1, 2)) == (None, -1400)
    with pytest.raises(TypeError):
        store.query_task("task")  # type: ignore[arg-type]


def test_replicas_are_cleared_when_no_lease_is_left(stores: Stores, key: str) -> None:
    store = stores[0]
    store.put_batch([key, key + "b"], [b"value"] * 2)
    store.is_exist(key)
    assert store.batch_replica_clear([]) == []
    assert store.batch_replica_clear([key, key + "x"]) == []
    assert store.batch_replica_clear([key + "b"], "nowhere:1") == []
    time.sleep(SHORT_LEASE)
    assert store.batch_replica_clear([key]) == [key]
    assert store.batch_is_exist([key, key + "b"]) == [0, 1]
