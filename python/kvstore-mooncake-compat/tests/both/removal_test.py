"""Objects are removed by pattern, and all of them."""

from __future__ import annotations

import re

from deployment import Master, new_store
from mooncake.store import MooncakeDistributedStore


def test_objects_are_removed_by_pattern(store: MooncakeDistributedStore, key: str) -> None:
    keys = [f"{key}-{name}" for name in ("one", "two", "three")]
    store.put_batch(keys, [b"value"] * 3)
    store.is_exist(keys[0])
    prefix = re.escape(key)
    assert store.remove_by_regex(f"^{prefix}-(one|two)$") == 1  # the other is leased
    assert store.batch_is_exist(keys) == [1, 0, 1]
    assert store.remove_by_regex(f"{prefix}-t", force=True) == 1
    assert store.remove_by_regex(f"^{prefix}", True) == 1
    assert store.remove_by_regex(f"^{prefix}", True) == 0
    assert store.batch_is_exist(keys) == [0, 0, 0]


def test_a_pattern_that_is_none(store: MooncakeDistributedStore) -> None:
    assert store.remove_by_regex("[") == -600


def test_all_objects_are_removed() -> None:
    with Master() as master:
        store = new_store(master.address, 32 << 20, 16 << 20)
        keys = [f"key-{i}" for i in range(20)]
        store.put_batch(keys, [b"value"] * 20)
        store.is_exist(keys[3])
        assert store.remove_all() == 19
        assert store.batch_is_exist(keys).count(1) == 1
        assert store.remove_all(force=True) == 1
        assert store.remove_all(force=True) == 0
        store.put(keys[0], b"other")
        assert store.get(keys[0]) == b"other"
        store.close()
