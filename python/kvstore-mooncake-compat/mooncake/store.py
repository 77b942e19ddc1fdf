"""mooncake.store: the store, and the names that its calls use."""

from __future__ import annotations

from ._store.store import MooncakeDistributedStore
from ._types.enums import (
    ObjectDataType,
    ReplicaStatus,
    SoftPinAction,
    TaskStatus,
    TaskType,
)
from ._types.parallelism import ParallelAxis, ReadTarget, TensorParallelism
from ._types.replicas import (
    Descriptor,
    DiskDescriptor,
    MemoryDescriptor,
    QueryTaskResponse,
    ReplicaDescriptor,
)
from ._types.replicate import ReplicateConfig

# Mooncake's module has the members of its enumerations, too; a name that two of them have is the
# later one's.
for _enumeration in (ObjectDataType, ReplicaStatus, TaskType, TaskStatus):
    globals().update(_enumeration.__members__)

__all__ = [
    "Descriptor",
    "DiskDescriptor",
    "MemoryDescriptor",
    "MooncakeDistributedStore",
    "ObjectDataType",
    "ParallelAxis",
    "QueryTaskResponse",
    "ReadTarget",
    "ReplicaDescriptor",
    "ReplicaStatus",
    "ReplicateConfig",
    "SoftPinAction",
    "TaskStatus",
    "TaskType",
    "TensorParallelism",
]
