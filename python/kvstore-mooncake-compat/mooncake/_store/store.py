"""The class that users know."""

from __future__ import annotations

from .._tensors.files import TensorFiles
from .get_sessions import GetSessions
from .put_sessions import PutSessions
from .ranges import Ranges
from .values import Values
from .zero_copy import ZeroCopy


class MooncakeDistributedStore(TensorFiles, Values, ZeroCopy, Ranges, GetSessions, PutSessions):
    """A member of one pool. May be used by many threads at once."""
