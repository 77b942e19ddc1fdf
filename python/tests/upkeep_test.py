"""What a client sees and orders of the whole pool."""

from __future__ import annotations

import time

import pytest
from pool import PATIENCE, Pool

import kvstore


def test_objects_are_listed(client: kvstore.Client, key: str) -> None:
    client.put_batch([(f"{key}/{i}", b"value") for i in range(5)])
    client.exists(f"{key}/1")
    first = client.list_objects(key + "/", limit=2)
    assert [listed.key for listed in first] == [f"{key}/0".encode(), f"{key}/1".encode()]
    assert (first[0].size, first[0].replicas, first[0].lease_left) == (5, 1, 0)
    assert first[1].lease_left > 0
    rest = client.list_objects(key + "/", after=first[-1].key)
    assert [listed.key for listed in rest] == [f"{key}/{i}".encode() for i in (2, 3, 4)]
    assert client.list_objects(key + "/", after=rest[-1].key) == []
    with pytest.raises(kvstore.InvalidArgument):
        client.list_objects(limit=0)


def test_tasks_move_objects(key: str) -> None:
    with Pool(nodes=2) as pool, kvstore.Client(pool.address) as client:
        client.put(key, b"value")
        (source,) = (replica.node for replica in client.stat(key).replicas)
        target = "shelf-1" if source == "shelf-0" else "shelf-0"
        task = client.start_task(key, target, source=source, move=True)
        until = time.monotonic() + PATIENCE
        while not (found := client.tasks()[-1]).ended:
            assert time.monotonic() < until, found
        assert (found.id, found.key, found.move, found.error) == (task, key.encode(), True, None)
        assert [replica.node for replica in client.stat(key).replicas] == [target]
        with pytest.raises(kvstore.AlreadyExists):
            client.start_task(key, target)
        with pytest.raises(kvstore.NotFound):
            client.start_task(key, "nowhere")
