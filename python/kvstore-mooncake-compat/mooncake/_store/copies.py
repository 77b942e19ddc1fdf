"""Copies of an object to several nodes, each of which is a task of the master's."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import kvstore

from .._types.enums import TaskStatus
from .._types.replicas import Uuid
from . import codes
from .patience import Deadline

NO_TASK: Uuid = (0, 0)
_LONGEST = 300.0  # seconds, as Mooncake's tasks
_PAUSES = (0.02, 1.0)  # between looks, the first and the longest
_KEPT = 1000  # that have ended, as the master keeps of its tasks


def start_task(
    client: kvstore.Client, key: str, source: str, target: str, *, move: bool, timeout: float
) -> tuple[int, int]:
    """The task's number and 0, or 0 and a code."""
    try:
        number = client.start_task(key, target, source=source, move=move, timeout=timeout)
    except (kvstore.NotFound, kvstore.FailedPrecondition):  # of the segments
        return 0, codes.INVALID_PARAMS
    except kvstore.AlreadyExists as error:
        busy = "task " in str(error)
        return 0, codes.OBJECT_HAS_TASK if busy else codes.REPLICA_ALREADY_EXISTS
    except kvstore.Error as error:
        return 0, codes.code_of(error)
    return number, codes.OK


@dataclass
class Copies:
    """One of them at work. Changed by one thread, read by any."""

    key: str
    begun: list[int]  # the master's tasks
    left: list[str]  # targets
    since: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)
    message: str = ""
    status: TaskStatus = TaskStatus.PROCESSING

    def end(self, status: TaskStatus, message: str) -> None:
        self.message, self.changed = message, time.time()
        self.status = status  # last: the others are read when this says so

    def go_on(self, client: kvstore.Client, timeout: float) -> None:
        """Begins what can be begun; ends when all is done, or something has failed."""
        tasks = {task.id: task for task in client.tasks(timeout=timeout)}
        mine = [tasks.get(number) for number in self.begun]
        for task in mine:
            if task is None:
                return self.end(TaskStatus.FAILED, "the master has forgotten the task")
            if task.error is not None:
                return self.end(TaskStatus.FAILED, str(task.error))
        if not all(task is not None and task.ended for task in mine):
            return None
        while self.left:
            number, code = start_task(
                client, self.key, "", self.left[0], move=False, timeout=timeout
            )
            if code == codes.OBJECT_HAS_TASK:
                return None  # somebody else's; later
            target = self.left.pop(0)
            if code == codes.OK:
                self.begun.append(number)
                return None
            if code != codes.REPLICA_ALREADY_EXISTS:
                return self.end(TaskStatus.FAILED, f"can't copy to {target}: {code}")
        return self.end(TaskStatus.SUCCESS, "Task completed successfully")


class SeveralCopies:
    """Those of one store. The master has one task for an object at a time, so that a thread begins
    one after the other. It ends with the store's client, and does not keep that."""

    def __init__(self) -> None:
        self._first_half = random.getrandbits(64)
        self._numbers = count(1)
        self._all: OrderedDict[int, Copies] = OrderedDict()
        self._mutex = threading.Lock()

    def find(self, task: Uuid) -> Copies | None:
        with self._mutex:
            return self._all.get(task[1]) if task[0] == self._first_half else None

    def begin(
        self, client: kvstore.Client, key: str, targets: Sequence[str], deadline: Deadline
    ) -> tuple[Uuid, int]:
        """An id of this store's own, and 0; or a code, where one of the targets can't be. Where the
        replicas lie already nothing is to be done."""
        begun: list[int] = []
        left: list[str] = []
        for target in dict.fromkeys(targets):
            number, code = start_task(client, key, "", target, move=False, timeout=deadline.left)
            if code == codes.OK:
                begun.append(number)
            elif code == codes.OBJECT_HAS_TASK and begun:
                left.append(target)  # the one that was just begun
            elif code != codes.REPLICA_ALREADY_EXISTS:
                return NO_TASK, code
        if not begun:
            return NO_TASK, codes.REPLICA_ALREADY_EXISTS
        copies = Copies(key, begun, left)
        task = (self._first_half, next(self._numbers))
        with self._mutex:
            self._all[task[1]] = copies
            ended = [n for n, one in self._all.items() if one.status is not TaskStatus.PROCESSING]
            for number in ended[: max(len(ended) - _KEPT, 0)]:
                del self._all[number]
        threading.Thread(target=_drive, args=(weakref.ref(client), copies), daemon=True).start()
        return task, codes.OK


def _drive(reference: weakref.ref[kvstore.Client], copies: Copies) -> None:
    deadline = Deadline(_LONGEST)
    pause, longest = _PAUSES
    while copies.status is TaskStatus.PROCESSING:
        time.sleep(pause)
        pause = min(2 * pause, longest)
        client = reference()
        if client is None or deadline.passed:
            why = "the store is gone" if client is None else f"not within {_LONGEST:.0f} s"
            copies.end(TaskStatus.FAILED, why)
            return
        try:
            copies.go_on(client, deadline.left)
        except kvstore.Error as error:
            copies.end(TaskStatus.FAILED, str(error))
        del client
