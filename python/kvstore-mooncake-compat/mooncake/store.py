"""mooncake.store: the store, and the names that its calls use."""

from __future__ import annotations

from ._absent import (
    EngramStore,
    EngramStoreConfig,
    MooncakeDistributedNoFRegister,
    get_alloc_func_addr,
    get_free_func_addr,
)
from ._memory.host import MooncakeHostMemAllocator, bind_to_numa_node
from ._memory.pool import BufferLease, BufferPool
from ._store.buffer import BufferHandle
from ._store.store import MooncakeDistributedStore
from ._tensors.serialize import deserialize_tensor as _deserialize_tensor
from ._tensors.serialize import serialize_tensor as _serialize_tensor
from ._tensors.serialize import tensor_metadata_size as _tensor_metadata_size
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

RegisteredBufferPool = BufferPool
RegisteredBufferLease = BufferLease

# Mooncake's module has the members of its enumerations, too; a name that two of them have is the
# later one's.
for _enumeration in (ObjectDataType, ReplicaStatus, TaskType, TaskStatus):
    globals().update(_enumeration.__members__)

__all__ = [
    "BufferHandle",
    "BufferLease",
    "BufferPool",
    "Descriptor",
    "DiskDescriptor",
    "EngramStore",
    "EngramStoreConfig",
    "MemoryDescriptor",
    "MooncakeDistributedNoFRegister",
    "MooncakeDistributedStore",
    "MooncakeHostMemAllocator",
    "ObjectDataType",
    "ParallelAxis",
    "QueryTaskResponse",
    "ReadTarget",
    "RegisteredBufferLease",
    "RegisteredBufferPool",
    "ReplicaDescriptor",
    "ReplicaStatus",
    "ReplicateConfig",
    "SoftPinAction",
    "TaskStatus",
    "TaskType",
    "TensorParallelism",
    "_deserialize_tensor",
    "_serialize_tensor",
    "_tensor_metadata_size",
    "bind_to_numa_node",
    "get_alloc_func_addr",
    "get_free_func_addr",
]
