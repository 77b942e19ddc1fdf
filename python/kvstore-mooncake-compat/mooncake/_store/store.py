"""The class that users know."""

from __future__ import annotations

from .._tensors.files import TensorFiles
from .dummy import Dummy
from .get_sessions import GetSessions
from .put_sessions import PutSessions
from .ranges import Ranges
from .removal import Removal
from .replicas import Replicas
from .segments import Segments
from .values import Values
from .zero_copy import ZeroCopy


class MooncakeDistributedStore(
    TensorFiles,
    Values,
    ZeroCopy,
    Ranges,
    GetSessions,
    PutSessions,
    Removal,
    Replicas,
    Segments,
    Dummy,
):
    """A member of one pool. May be used by many threads at once."""
