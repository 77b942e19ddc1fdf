"""The class that users know."""

from __future__ import annotations

from .life import Life


class MooncakeDistributedStore(Life):
    """A member of one pool. May be used by many threads at once."""
