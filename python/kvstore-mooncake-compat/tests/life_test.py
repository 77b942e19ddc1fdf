from __future__ import annotations

from mooncake.store import MooncakeDistributedStore


def test_before_setup() -> None:
    store = MooncakeDistributedStore()
    assert store.health_check() == 1
    assert store.close() == 0
    assert store.close() == 0
