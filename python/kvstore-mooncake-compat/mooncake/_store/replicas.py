"""Where objects' replicas lie, and how they come to lie elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

import kvstore

from .._types.enums import ReplicaStatus, TaskStatus, TaskType
from .._types.replicas import (
    Descriptor,
    MemoryDescriptor,
    QueryTaskResponse,
    ReplicaDescriptor,
    Uuid,
)
from . import codes
from .life import Life

NO_TASK: Uuid = (0, 0)
# Task ids are numbers that the master counts up; as UUIDs they have this for a first half.
_TASKS = 0x6B7673746F7265


class Replicas(Life):
    """Segments are named as get_hostname() has it."""

    def get_replica_desc(self, key: str) -> list[ReplicaDescriptor]:
        """One per replica; none: no such object, or the master does not answer."""
        return self.batch_get_replica_desc([key]).get(key, [])

    def batch_get_replica_desc(self, keys: Sequence[str]) -> dict[str, list[ReplicaDescriptor]]:
        """Of the keys that have an object."""
        client = self._client
        if client is None:
            return {}
        try:
            # Whoever asks is about to read: a lease, as for every other look.
            client.exists_batch(keys, timeout=self._within())
            stats = client.stat_batch(keys, timeout=self._within())
        except kvstore.Error as error:
            self._complain_of_reads([error])
            return {}
        self._complain_of_reads(stats)
        return {
            key: [_described(stat.size, replica) for replica in stat.replicas]
            for key, stat in zip(keys, stats, strict=True)
            if isinstance(stat, kvstore.Stat)
        }

    def batch_replica_clear(self, keys: Sequence[str], segment_name: str = "") -> list[str]:
        """Removes objects that nobody leases, whoever put them; with a segment, those whose only
        replica lies there. Returns the keys of those that are gone."""
        client = self._client
        if client is None:
            return []
        try:
            stats = client.stat_batch(keys, timeout=self._within())
            clear = [
                key
                for key, stat in zip(keys, stats, strict=True)
                if isinstance(stat, kvstore.Stat)
                and stat.lease_left == 0
                and (not segment_name or {r.node for r in stat.replicas} == {segment_name})
            ]
            removed = client.remove_batch(clear, timeout=self._within())
        except kvstore.Error as error:
            self._complain_of_reads([error])
            return []
        return [key for key, error in zip(clear, removed, strict=True) if error is None]

    def create_copy_task(self, key: str, targets: Sequence[str]) -> tuple[Uuid, int]:
        """Has a replica made on the target: the task and 0, or no task and a code. NOT_SUPPORTED:
        several targets in one task."""
        if not targets:
            return NO_TASK, codes.INVALID_PARAMS
        if len(targets) > 1:
            return NO_TASK, codes.NOT_SUPPORTED
        return self._start(key, "", targets[0], move=False)

    def create_move_task(self, key: str, source: str, target: str) -> tuple[Uuid, int]:
        """Has the replica on the source moved to the target."""
        if not source or source == target:
            return NO_TASK, codes.INVALID_PARAMS
        return self._start(key, source, target, move=True)

    def query_task(self, task_id: Uuid) -> tuple[QueryTaskResponse | None, int]:
        """How far the task is and 0, or None and a code."""
        if not isinstance(task_id, tuple | list) or len(task_id) != 2:
            raise TypeError(f"query_task(): a task is a pair of int, not {task_id!r}")
        client = self._client
        if client is None:
            return None, codes.INVALID_PARAMS
        first, number = task_id
        try:
            tasks = client.tasks(timeout=self._within())
        except kvstore.Error as error:
            return None, codes.code_of(error)
        found = next((task for task in tasks if (first, task.id) == (_TASKS, number)), None)
        if found is None:
            return None, codes.TASK_NOT_FOUND
        return _answer(found), codes.OK

    def _start(self, key: str, source: str, target: str, *, move: bool) -> tuple[Uuid, int]:
        client = self._client
        if client is None:
            return NO_TASK, codes.INVALID_PARAMS
        try:
            if not client.exists(key, timeout=self._within()):
                return NO_TASK, codes.OBJECT_NOT_FOUND
            number = client.start_task(
                key, target, source=source, move=move, timeout=self._within()
            )
        except (kvstore.NotFound, kvstore.FailedPrecondition):  # of the segments
            return NO_TASK, codes.INVALID_PARAMS
        except kvstore.AlreadyExists as error:
            busy = "task " in str(error)
            return NO_TASK, codes.OBJECT_HAS_TASK if busy else codes.REPLICA_ALREADY_EXISTS
        except kvstore.Error as error:
            return NO_TASK, codes.code_of(error)
        return (_TASKS, number), codes.OK


def _described(size: int, replica: kvstore.Replica) -> ReplicaDescriptor:
    """Where in a node's memory it lies is the master's business: there is no address."""
    where = Descriptor(size=size, buffer_address=0, transport_endpoint=replica.node)
    return ReplicaDescriptor(ReplicaStatus.COMPLETE, MemoryDescriptor(where))


def _answer(task: kvstore.Task) -> QueryTaskResponse:
    now = time.time()
    if not task.ended:
        status, message = TaskStatus.PROCESSING, ""
    elif task.error is None:
        status, message = TaskStatus.SUCCESS, "Task completed successfully"
    else:
        status, message = TaskStatus.FAILED, str(task.error)
    return QueryTaskResponse(
        id=(_TASKS, task.id),
        type=TaskType.REPLICA_MOVE if task.move else TaskType.REPLICA_COPY,
        status=status,
        created_at_ms_epoch=int((now - task.age) * 1000),
        last_updated_at_ms_epoch=int(now * 1000),
        assigned_client=NO_TASK,
        message=message,
    )
