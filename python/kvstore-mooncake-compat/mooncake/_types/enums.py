"""Enumerations, with Mooncake's names and numbers."""

from __future__ import annotations

from enum import Enum


class _Enum(Enum):
    """Equal to no number, but convertible to one."""

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return int(self.value)


class ObjectDataType(_Enum):
    """What an object is, for whoever lists objects; the store treats all alike."""

    UNKNOWN = 0
    KVCACHE = 1
    TENSOR = 2
    WEIGHT = 3
    SAMPLE = 4
    ACTIVATION = 5
    GRADIENT = 6
    OPTIMIZER_STATE = 7
    METADATA = 8
    GENERAL = 9


class SoftPinAction(_Enum):
    """What a put makes of its object's soft pin."""

    PRESERVE = 0
    ENABLE = 1
    DISABLE = 2


class ReplicaStatus(_Enum):
    UNDEFINED = 0
    INITIALIZED = 1
    PROCESSING = 2
    COMPLETE = 3
    REMOVED = 4
    FAILED = 5


class TaskType(_Enum):
    REPLICA_COPY = 0
    REPLICA_MOVE = 1


class TaskStatus(_Enum):
    PENDING = 0
    PROCESSING = 1
    SUCCESS = 3
    FAILED = 2
