"""mooncake.store: the store, and the names that its calls use."""

from __future__ import annotations

from ._store.store import MooncakeDistributedStore

__all__ = ["MooncakeDistributedStore"]
