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
from .copies import NO_TASK, Copies, SeveralCopies, start_task
from .life import Life

# Task ids are numbers that the master counts up; as UUIDs they have this for a first half.
_TASKS = 0x6B7673746F7265


class Replicas(Life):
    """Segments are named as get_hostname() has it."""

    def __init__(self) -> None:
        super().__init__()
        self._several = SeveralCopies()

    def get_replica_desc(self, key: str) -> list[ReplicaDescriptor]:
        """One per replica; none: no such object, or the master does not answer."""
        return self.batch_get_replica_desc([key]).get(key, [])

    def batch_get_replica_desc(self, keys: Sequence[str]) -> dict[str, list[ReplicaDescriptor]]:
        """Of the keys that have an object."""
        client = self._client
        if client is None:
            return {}
        deadline = self._deadline()
        try:
            # Whoever asks is about to read: a lease, as for every other look.
            client.exists_batch(keys, timeout=deadline.left)
            stats = client.stat_batch(keys, timeout=deadline.left)
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
        deadline = self._deadline()
        try:
            stats = client.stat_batch(keys, timeout=deadline.left)
            clear = [
                key
                for key, stat in zip(keys, stats, strict=True)
                if isinstance(stat, kvstore.Stat)
                and stat.lease_left == 0
                and (not segment_name or {r.node for r in stat.replicas} == {segment_name})
            ]
            removed = client.remove_batch(clear, timeout=deadline.left)
        except kvstore.Error as error:
            self._complain_of_reads([error])
            return []
        return [key for key, error in zip(clear, removed, strict=True) if error is None]

    def create_copy_task(self, key: str, targets: Sequence[str]) -> tuple[Uuid, int]:
        """Has a replica made on each target: the task and 0, or no task and a code. One of several
        targets is known to this store alone, and goes on as long as it is set up."""
        if not targets:
            return NO_TASK, codes.INVALID_PARAMS
        return self._start(key, "", targets, move=False)

    def create_move_task(self, key: str, source: str, target: str) -> tuple[Uuid, int]:
        """Has the replica on the source moved to the target."""
        if not source or source == target:
            return NO_TASK, codes.INVALID_PARAMS
        return self._start(key, source, [target], move=True)

    def query_task(self, task_id: Uuid) -> tuple[QueryTaskResponse | None, int]:
        """How far the task is and 0, or None and a code."""
        if not isinstance(task_id, tuple | list) or len(task_id) != 2:
            raise TypeError(f"query_task(): a task is a pair of int, not {task_id!r}")
        client = self._client
        if client is None:
            return None, codes.INVALID_PARAMS
        first, number = task_id
        copies = self._several.find((first, number))
        if copies is not None:
            return _answer_of_several((first, number), copies), codes.OK
        try:
            tasks = client.tasks(timeout=self._within())
        except kvstore.Error as error:
            return None, codes.code_of(error)
        found = next((task for task in tasks if (first, task.id) == (_TASKS, number)), None)
        if found is None:
            return None, codes.TASK_NOT_FOUND
        return _answer(found), codes.OK

    def _forget(self) -> None:
        super()._forget()
        self._several = SeveralCopies()

    def _start(
        self, key: str, source: str, targets: Sequence[str], *, move: bool
    ) -> tuple[Uuid, int]:
        client = self._client
        if client is None:
            return NO_TASK, codes.INVALID_PARAMS
        deadline = self._deadline()
        try:
            client.stat(key, timeout=deadline.left)
        except kvstore.NotFound:
            return NO_TASK, codes.OBJECT_NOT_FOUND
        except kvstore.Error as error:
            return NO_TASK, codes.code_of(error)
        if len(targets) > 1:
            return self._several.begin(client, key, targets, deadline)
        number, code = start_task(client, key, source, targets[0], move=move, timeout=deadline.left)
        return ((_TASKS, number), code) if code == codes.OK else (NO_TASK, code)


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


def _answer_of_several(task: Uuid, copies: Copies) -> QueryTaskResponse:
    status = copies.status
    return QueryTaskResponse(
        id=task,
        type=TaskType.REPLICA_COPY,
        status=status,
        created_at_ms_epoch=int(copies.since * 1000),
        last_updated_at_ms_epoch=int(copies.changed * 1000),
        assigned_client=NO_TASK,
        message=copies.message,
    )
