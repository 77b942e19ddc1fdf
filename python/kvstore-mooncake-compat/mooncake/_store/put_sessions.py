"""Objects that are filled range by range, layer by layer, and then committed."""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import kvstore

from .._types.replicate import ReplicateConfig
from . import codes
from .filling import Filling
from .patience import Deadline
from .placing import Placing, Refused, grouped, placing_of
from .putting import Putting, put_addresses
from .shapes import Lists, no_number

# What the store says where only other hosts lend memory.
_NONE_HERE = "of this host lends"
# Each waits for a master, which may be dead, by itself.
_GIVEN_UP_AT_ONCE = 16
_LEAVE_TIME = 5.0  # as kvstore.Client.close has it


@dataclass(frozen=True)
class _Session:
    filling: Filling
    placing: Placing


class PutSessions(Putting):
    """A key has one session at a time. Its memory lies in the pool, on this host; where none of it
    is lent, or several replicas are wanted, in this process until the end."""

    def __init__(self) -> None:
        super().__init__()
        self._writing: dict[str, _Session | None] = {}  # None: it is just being begun
        self._left: list[_Session] = []  # when the pool was left

    def batch_put_session_start(
        self, keys: Sequence[str], sizes: Sequence[int], config: ReplicateConfig | None = None
    ) -> list[int]:
        """0, or a code; INVALID_PARAMS also where a session is open. It must be ended within the
        timeout of a put."""
        count = len(keys)
        client = self._client
        if client is None or len(sizes) != count:
            return [codes.INVALID_PARAMS] * count
        try:
            placing = placing_of(config, count, replace=False, same_node=False)
        except Refused as refused:
            return [refused.code] * count
        results, begun = self._reserve(keys, sizes)
        made: dict[str, _Session] = {}
        try:
            for placed, some in grouped(placing, begun).items():
                items = [(keys[i], sizes[i]) for i in some]
                for i, session in zip(some, self._begin(client, items, placed), strict=True):
                    if isinstance(session, int):
                        results[i] = session
                    else:
                        made[keys[i]] = session
        finally:
            with self._mutex:
                for i in begun:
                    self._writing.pop(keys[i], None)
                if self._client is client:
                    self._writing.update(made)
        return results

    def batch_put_from_multi_buffer_ranges(
        self, keys: Sequence[str], all_buffer_ptrs: Lists, all_sizes: Lists, all_dst_offsets: Lists
    ) -> list[int]:
        """For each key several ranges: how many bytes were written in all, or INVALID_PARAMS: no
        session, or one ends beyond the object, and none is written."""
        count = len(keys)
        results = [codes.INVALID_PARAMS] * count
        if any(len(each) != count for each in (all_buffer_ptrs, all_sizes, all_dst_offsets)):
            return results
        for i, key in enumerate(keys):
            pointers, sizes, offsets = all_buffer_ptrs[i], all_sizes[i], all_dst_offsets[i]
            session = self._writing.get(key)
            if session is None or not len(pointers) == len(sizes) == len(offsets):
                continue
            if all(pointers):
                numbers = (map(operator.index, column) for column in (pointers, sizes, offsets))
                ranges = list(zip(*numbers, strict=True))
                written = session.filling.write(ranges)
                results[i] = codes.INVALID_PARAMS if written is None else written
        return results

    def batch_put_session_end(self, keys: Sequence[str]) -> list[int]:
        """Waits for writes under way and commits: 0, or a code; INVALID_PARAMS: no session."""
        results = []
        deadline = Deadline(self._patience.longest)
        for key, session in self._taken(keys):
            if session is None:
                results.append(codes.INVALID_PARAMS)
            else:
                results.append(self._commit(key, session, deadline))
        return results

    def batch_put_session_revoke(self, keys: Sequence[str]) -> list[int]:
        """Waits for writes under way and gives the objects up: 0, or INVALID_PARAMS: no session."""
        sessions = [session for _, session in self._taken(keys)]
        self._give_up([one for one in sessions if one is not None], self._patience.longest)
        return [codes.INVALID_PARAMS if one is None else codes.OK for one in sessions]

    def _forget(self) -> None:
        super()._forget()
        sessions, self._writing = self._writing, {}
        self._left += [session for session in sessions.values() if session is not None]

    def _let_go(self) -> None:
        super()._let_go()
        with self._mutex:
            left, self._left = self._left, []
        self._give_up(left, _LEAVE_TIME)

    # ---- how -------------------------------------------------------------------------------------

    def _reserve(self, keys: Sequence[str], sizes: Sequence[int]) -> tuple[list[int], list[int]]:
        """The results so far, and the indices of what may be begun."""
        results, begun = [], []
        mine: set[str] = set()
        with self._mutex:
            for i, (key, size) in enumerate(zip(keys, sizes, strict=True)):
                if key in mine:
                    results.append(codes.OBJECT_ALREADY_EXISTS)
                elif not key or not size or key in self._writing:
                    results.append(codes.INVALID_PARAMS)
                else:
                    mine.add(key)
                    self._writing[key] = None
                    begun.append(i)
                    results.append(codes.OK)
        return results, begun

    def _begin(
        self, client: kvstore.Client, items: Sequence[tuple[str, int]], placing: Placing
    ) -> list[_Session | int]:
        """For each key and size a session, or a code."""
        made: list[kvstore.NewObject | kvstore.Error | None]
        # How long the sessions may take, too: not less because the master is silent.
        within = self._patience.longest
        try:
            if self._within() < within:
                return [codes.RPC_FAIL] * len(items)
            if placing.replicas > 1:
                made = self._stage(client, [key for key, _ in items])
            else:
                made = [*client.create_batch(items, placing.options, timeout=within)]
                there = [i for i, error in enumerate(made) if _NONE_HERE in str(error)]
                staged = self._stage(client, [items[i][0] for i in there])
                for i, one in zip(there, staged, strict=True):
                    made[i] = one
        except kvstore.Error as error:
            return [codes.put_code_of(error, self._code_of_unreached([error]))] * len(items)
        except ValueError as error:
            raise no_number(error) from None
        unreached = self._code_of_unreached(one for one in made if isinstance(one, kvstore.Error))
        return [
            codes.put_code_of(one, unreached)
            if isinstance(one, kvstore.Error)
            else _Session(Filling(size, one), placing)
            for (_, size), one in zip(items, made, strict=True)
        ]

    def _stage(
        self, client: kvstore.Client, keys: Sequence[str]
    ) -> list[kvstore.NewObject | kvstore.Error | None]:
        """None for each key that is free."""
        found = client.exists_batch(keys, timeout=self._within())
        return [kvstore.AlreadyExists() if exists is True else exists or None for exists in found]

    def _taken(self, keys: Iterable[str]) -> list[tuple[str, _Session | None]]:
        """Of each key the session, which is no longer open."""
        with self._mutex:
            return [(key, self._take(key)) for key in keys]

    def _take(self, key: str) -> _Session | None:
        session = self._writing.get(key)
        if session is not None:
            del self._writing[key]
        return session

    def _commit(self, key: str, session: _Session, deadline: Deadline) -> int:
        filling = session.filling
        if not filling.finish(deadline.left):
            self._give_up([session], 0.0)
            return codes.RPC_TIMEOUT
        client = self._client
        if client is None:
            return codes.INVALID_PARAMS
        if filling.new is None:
            address, size = filling.staged()
            columns = ([key], [address], [size])
            # The staged memory is the session's own.
            answers = self._put_alike(
                client, put_addresses, columns, session.placing, deadline, None
            )
            return answers[0]
        try:
            filling.new.seal(min(self._within(), deadline.left))
        except kvstore.Error as error:
            self._complain_of_puts(1, f"session: {error}")
            return codes.put_code_of(error, self._code_of_unreached([error]))
        return codes.OK

    def _give_up(self, sessions: list[_Session], within: float) -> None:
        """Waits for writes under way. What takes longer goes on, and is not waited for."""
        until = time.monotonic() + within
        left = iter(sessions)
        mutex = threading.Lock()

        def give_up() -> None:
            while True:
                with mutex:
                    session = next(left, None)
                if session is None:
                    return
                session.filling.finish(max(until - time.monotonic(), 0.0))
                if session.filling.new is not None:
                    session.filling.new.close()

        if len(sessions) == 1:
            give_up()
            return
        workers = [
            threading.Thread(target=give_up, daemon=True)
            for _ in range(min(len(sessions), _GIVEN_UP_AT_ONCE))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(max(until - time.monotonic(), 0.0))
