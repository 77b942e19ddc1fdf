"""The class that users know."""

from __future__ import annotations

from .values import Values
from .zero_copy import ZeroCopy


class MooncakeDistributedStore(Values, ZeroCopy):
    """A member of one pool. May be used by many threads at once."""
