"""kvstore keeps the KV caches of LLM inference in the memory of many machines.

    import kvstore

    with kvstore.Client("127.0.0.1:50051") as client:
        client.put("key", b"value")
        print(client.get("key"))

kvstore.Client is the whole API; kvstore.aio.Client is the same for asyncio. docs/python.md tells
more.
"""

from . import _native, errors
from .buffers import Buffer, BufferPool
from .client import Client
from .errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    Code,
    DataLoss,
    DeadlineExceeded,
    Error,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from .in_place import NewObject, ReadSession, View
from .memory import Key, Memory, Piece, Tensor
from .options import PutOptions
from .results import Counters, Lending, Listed, Replica, Stat, Task, WayCounters

__version__ = _native.version

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Buffer",
    "BufferPool",
    "Cancelled",
    "Client",
    "Code",
    "Counters",
    "DataLoss",
    "DeadlineExceeded",
    "Error",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "Key",
    "Lending",
    "Listed",
    "Memory",
    "NewObject",
    "NotFound",
    "PermissionDenied",
    "Piece",
    "PutOptions",
    "ReadSession",
    "Replica",
    "ResourceExhausted",
    "Stat",
    "Task",
    "Tensor",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "View",
    "WayCounters",
    "errors",
]
