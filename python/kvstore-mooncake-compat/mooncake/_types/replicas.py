"""Where an object's copies lie, and how far a task is."""

from __future__ import annotations

from dataclasses import dataclass

from .enums import ReplicaStatus, TaskStatus, TaskType

Uuid = tuple[int, int]
"""128 bits as two numbers."""


@dataclass
class Descriptor:
    """A stretch of lent memory. transport_endpoint names the node that lends it."""

    size: int = 0
    buffer_address: int = 0
    transport_endpoint: str = ""

    def __repr__(self) -> str:
        return (
            f"<Descriptor size={self.size} buffer_address={self.buffer_address} "
            f"transport_endpoint={self.transport_endpoint}>"
        )


@dataclass(frozen=True)
class MemoryDescriptor:
    buffer_descriptor: Descriptor


@dataclass(frozen=True)
class DiskDescriptor:
    """Of copies on disk, which this store has none of."""

    file_path: str
    object_size: int


@dataclass(frozen=True)
class ReplicaDescriptor:
    """A copy of an object; always one in memory."""

    status: ReplicaStatus
    _memory: MemoryDescriptor

    def is_memory_replica(self) -> bool:
        return True

    def is_disk_replica(self) -> bool:
        return False

    def is_local_disk_replica(self) -> bool:
        return False

    def get_memory_descriptor(self) -> MemoryDescriptor:
        return self._memory

    def get_disk_descriptor(self) -> DiskDescriptor:
        """Raises RuntimeError: no copy lies on disk."""
        raise RuntimeError("the replica lies in memory: ask is_disk_replica() first")


@dataclass
class QueryTaskResponse:
    """How far a copy or a move is. Times are milliseconds since 1970."""

    id: Uuid = (0, 0)
    type: TaskType = TaskType.REPLICA_COPY
    status: TaskStatus = TaskStatus.PENDING
    created_at_ms_epoch: int = 0
    last_updated_at_ms_epoch: int = 0
    assigned_client: Uuid = (0, 0)
    message: str = ""

    def __repr__(self) -> str:
        return (
            f"QueryTaskResponse(id={_joined(self.id)}, type={int(self.type)}, "
            f"status={int(self.status)}, created_at={self.created_at_ms_epoch}, "
            f"last_updated_at={self.last_updated_at_ms_epoch}, "
            f'assigned_client={_joined(self.assigned_client)}, message="{self.message}")'
        )


def _joined(uuid: Uuid) -> str:
    return f"{uuid[0]}-{uuid[1]}"
