"""A member of one pool."""

from __future__ import annotations

import atexit
import math
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from . import _native
from .closing import Closing
from .errors import Error
from .in_place import NewObject, ReadSession, View
from .memory import Key, Memory
from .options import PutOptions
from .results import Counters, Lending, Listed, Replica, Stat, Task, WayCounters

_T = TypeVar("_T")

Addresses = Sequence[int | Sequence[int]]
"""Per item an address, or the addresses of its pieces in order."""

Sizes = Sequence[int | Sequence[int]]
"""Per item a size in bytes, or the sizes of its pieces."""

_open: weakref.WeakSet[Client] = weakref.WeakSet()


class Client(Closing):
    """Puts and gets objects, and lends memory to the pool if told to.

    One promise rules the store: a get returns exactly the bytes that were committed under its key,
    or an error; never other bytes.

    A client may be used by many threads at once. Every call that may wait lets other threads of the
    interpreter run, and returns within its timeout (in seconds; inf: ever so long). Calls end early
    for a signal such as Ctrl-C only where they say so.

    Calls of one object raise their error (kvstore.Error); calls whose name ends in _batch or
    _addresses return one entry per item, in order, in which an error stands for a result. An item
    that is named twice is served twice.

    Memory that a call is given must not be changed by others while it runs, nor may it be read
    where it is being written. The call keeps it alive. Addresses are the caller's to keep valid:
    wrong ones end the process, or worse.

    Fork before the first client is made, or start children by exec or spawn: in a child that was
    forked later every call raises FailedPrecondition, and none can make a client of its own.

    Args:
        master: HOST:PORT.
        name: shown to operators; empty: "<hostname>-<pid>".
        lend_bytes: memory lent to the pool; 0: none. Its pages are touched as the pool fills.
        listen: where peers reach this process's memory, HOST:PORT. Other than loopback needs
            allow_remote: the data path has no credentials yet.
        advertise: what peers are told instead.
        ways: of "local", "shm", "tcp", "rdma"; empty: all, but "rdma" only if devices are named.
        rdma_devices: names, such as "mlx5_0"; empty: all that are up, where RDMA is a way.
        connect_timeout: in seconds.
        master_patience: so many seconds calls wait for a master that can't be reached, counted from
            when it was lost, and no longer than their timeouts: then they are Unavailable, or
            DeadlineExceeded where they may have taken effect. inf: as long as their timeouts, so
            that one that is started again within them is waited for. A process that ends is missed
            at once, a machine that vanishes or a process that hangs within 15 s.
        verify_checksums: whether gets of whole objects recompute their checksums.
        remember_locations: so many, each for as long as its lease, so that the next get of the key
            asks the master nothing.

    Raises:
        Unavailable: no master there within connect_timeout.
        FailedPrecondition: it speaks another version of the protocol, or this is a forked child.
        InvalidArgument: names the option, what it is and what it may be.
    """

    __slots__ = ("_native", "__weakref__")

    def __init__(
        self,
        master: str = "127.0.0.1:50051",
        *,
        name: str = "",
        lend_bytes: int = 0,
        listen: str = "127.0.0.1:0",
        advertise: str = "",
        allow_remote: bool = False,
        ways: Sequence[str] = (),
        rdma_devices: Sequence[str] = (),
        connect_timeout: float = 10.0,
        master_patience: float = math.inf,
        verify_checksums: bool = True,
        remember_locations: int = 65536,
    ) -> None:
        self._native = _native.Client(
            master,
            name,
            lend_bytes,
            listen,
            advertise,
            allow_remote,
            list(rdma_devices),
            list(ways),
            connect_timeout,
            master_patience,
            verify_checksums,
            remember_locations,
        )
        _open.add(self)

    # ---- life ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Leaves the pool, taking along what lies in the memory lent to it, within 5 s.

        Where calls in other threads, views, new objects or read sessions are not through yet, it
        leaves as soon as the last of them is. Further calls raise FailedPrecondition. A second
        close does nothing.
        """
        self._native.close()

    @property
    def closed(self) -> bool:
        return self._native.closed()

    # ---- put -------------------------------------------------------------------------------------

    def put(
        self,
        key: Key,
        value: Memory,
        options: PutOptions | None = None,
        *,
        position: int = 0,
        timeout: float = 30.0,
    ) -> None:
        """Commits an object: every get, exists or stat that starts later, on any machine, sees it
        until it is removed, expires, is evicted or its holders die.

        `value` is read where it lies; pieces are joined in order. `position` is its index in a
        chain of prefixes: of objects that are put or used in one call, those of higher positions
        are evicted first.

        Raises:
            AlreadyExists: the key is taken (the message says "pending" if by an unfinished put).
            ResourceExhausted: no room and nothing may be evicted, or too much is pinned.
            DeadlineExceeded: it may or may not have been committed.
            Aborted, Unavailable: not committed.
        """
        self._native.put(key, value, position, options.native if options else None, timeout)

    def put_batch(
        self,
        items: Iterable[tuple[Key, Memory]],
        options: PutOptions | None = None,
        *,
        positions: Sequence[int] | None = None,
        timeout: float = 30.0,
    ) -> list[Error | None]:
        """put for many (key, value): None for each that was committed, or its error."""
        return self._native.put_batch(
            items, positions, options.native if options else None, timeout
        )

    def put_addresses(
        self,
        keys: Iterable[Key],
        addresses: Addresses,
        sizes: Sizes,
        options: PutOptions | None = None,
        *,
        positions: Sequence[int] | None = None,
        timeout: float = 30.0,
    ) -> list[Error | None]:
        """put_batch of memory named by addresses; lists of them are pieces of one object."""
        return self._native.put_addresses(
            keys, addresses, sizes, positions, options.native if options else None, timeout
        )

    # ---- get -------------------------------------------------------------------------------------

    def get(self, key: Key, *, timeout: float = 30.0) -> bytes:
        """The object's bytes.

        Raises:
            NotFound: no such object.
            DataLoss: its holder vouches for bytes that don't match their checksum.
            Unavailable: no holder could be reached.
            DeadlineExceeded: not in time.
        """
        return self._native.get(key, timeout)

    def get_batch(self, keys: Iterable[Key], *, timeout: float = 30.0) -> list[bytes | Error]:
        """get for many keys: each one's bytes, or its error."""
        return self._native.get_batch(keys, timeout)

    def get_into(
        self,
        key: Key,
        target: Memory,
        *,
        offset: int = 0,
        length: int | None = None,
        timeout: float = 30.0,
    ) -> int:
        """Reads the object, or `length` bytes of it from `offset`, straight into `target`, which
        may be larger; pieces are filled in order. Returns how many bytes are there. After an error
        its contents are undefined.

        Raises what get does, and InvalidArgument: the target is too small (the message says how
        large the object is), or the part ends beyond the object.
        """
        return self._native.get_into(key, target, offset, length, timeout)

    def get_into_batch(
        self,
        items: Iterable[tuple[Key, Memory]],
        *,
        offsets: Sequence[int] | None = None,
        lengths: Sequence[int | None] | None = None,
        timeout: float = 30.0,
    ) -> list[int | Error]:
        """get_into for many (key, target): how many bytes are in each target, or its error."""
        return self._native.get_into_batch(items, offsets, lengths, timeout)

    def get_addresses(
        self,
        keys: Iterable[Key],
        addresses: Addresses,
        sizes: Sizes,
        *,
        offsets: Sequence[int] | None = None,
        lengths: Sequence[int | None] | None = None,
        timeout: float = 30.0,
    ) -> list[int | Error]:
        """get_into_batch into memory named by addresses; lists of them are filled in order."""
        return self._native.get_addresses(keys, addresses, sizes, offsets, lengths, timeout)

    def read_session(self, keys: Iterable[Key], *, timeout: float = 30.0) -> ReadSession:
        """Locates the objects once, to be read part by part. A key that can't be read has its error
        in the session's sizes."""
        return ReadSession(self._native.read_session(keys, timeout))

    # ---- in place --------------------------------------------------------------------------------

    def view(self, key: Key, *, timeout: float = 30.0) -> View:
        """The object where it lies, without a copy.

        Raises:
            NotFound: no such object.
            FailedPrecondition: no replica lies on this host, or shared memory does not lead there
                (get can).
            Unavailable: its holder has ended or doesn't answer, or it was moved meanwhile.
            ResourceExhausted: too many views (4096 per holder).
        """
        return _value(self.view_batch([key], timeout=timeout))

    def view_batch(self, keys: Iterable[Key], *, timeout: float = 30.0) -> list[View | Error]:
        """view for many keys."""
        return _converted(self._native.view_batch(keys, timeout), View)

    def create(
        self,
        key: Key,
        size: int,
        options: PutOptions | None = None,
        *,
        position: int = 0,
        timeout: float = 30.0,
    ) -> NewObject:
        """Room for a new object of `size` bytes on this host, to be filled in place and sealed
        within the timeout. Raises what put does; ResourceExhausted: no node of this host has
        room."""
        return _value(
            self.create_batch([(key, size)], options, positions=[position], timeout=timeout)
        )

    def create_batch(
        self,
        items: Iterable[tuple[Key, int]],
        options: PutOptions | None = None,
        *,
        positions: Sequence[int] | None = None,
        timeout: float = 30.0,
    ) -> list[NewObject | Error]:
        """create for many (key, size)."""
        made = self._native.create_batch(
            items, positions, options.native if options else None, timeout
        )
        return _converted(made, NewObject)

    # ---- what is there ---------------------------------------------------------------------------

    def exists(
        self,
        key: Key,
        *,
        await_puts: float = 0.0,
        after: Key | None = None,
        timeout: float = 30.0,
    ) -> bool:
        """Whether the object is there. A yes usually brings a lease: so long it is not evicted. No,
        too, where all that hold it give no sign of life; a get may find it all the same.

        Args:
            await_puts: for who reads what others have only just computed, as a decode worker does:
                a key that is not there is waited for, so many seconds at most, where a put of it is
                announced. That is: another client has started one; or another one asked for the key
                in vain in the last 30 s, as a prefill worker does before it computes and puts; or
                `after` was committed by another client in the last 10 s. A key that was waited for
                in vain, or whose put failed, has to be announced anew. What is not announced is
                answered at once. Leave it at 0 where the caller itself is to put what is missing:
                only then does its question announce a put.
            after: the key that comes before this one in the same prompt.
            timeout: in seconds, for the call.
        """
        return self._native.exists(key, await_puts, after, timeout)

    def exists_batch(
        self,
        keys: Iterable[Key],
        *,
        await_puts: float = 0.0,
        after: Key | None = None,
        timeout: float = 30.0,
    ) -> list[bool | Error]:
        """exists for many keys; with await_puts those of one prompt, in order: a key that is waited
        for announces the next one, and one that was just committed does."""
        return self._native.exists_batch(keys, await_puts, after, timeout)

    def wait_exists(self, key: Key, timeout: float) -> None:
        """Returns as soon as the object is there, told by its commit. Raises DeadlineExceeded if it
        is not within the timeout. Ends early for signals and, with FailedPrecondition, when the
        client is closed, within a second."""
        self._native.wait_exists(key, timeout)

    def wait_exists_batch(self, keys: Iterable[Key], timeout: float) -> list[Error | None]:
        """Returns when all are there, or at the end of the timeout."""
        return self._native.wait_exists_batch(keys, timeout)

    def stat(self, key: Key, *, timeout: float = 30.0) -> Stat:
        """What the master knows of the object. Raises NotFound."""
        return _value(self.stat_batch([key], timeout=timeout))

    def stat_batch(self, keys: Iterable[Key], *, timeout: float = 30.0) -> list[Stat | Error]:
        """stat for many keys."""
        return _converted(self._native.stat_batch(keys, timeout), _stat)

    # ---- remove, pin -----------------------------------------------------------------------------

    def remove(self, key: Key, *, timeout: float = 30.0) -> None:
        """After it no get that starts later returns the object.

        Raises:
            NotFound: there was none.
            DeadlineExceeded: it is no longer found, but a holder has not confirmed that old
                locations are refused.
        """
        self._native.remove(key, timeout)

    def remove_batch(self, keys: Iterable[Key], *, timeout: float = 30.0) -> list[Error | None]:
        """remove for many keys."""
        return self._native.remove_batch(keys, timeout)

    def remove_matching(self, prefix: Key, *, timeout: float = 30.0) -> int:
        """Removes all objects whose key begins so (empty: all), and returns how many. Raises
        DeadlineExceeded: as for remove, or the master has not answered and they may be there."""
        return self._native.remove_matching(prefix, timeout)

    def pin(
        self, key: Key, *, hard: bool = False, soft: float = 0.0, timeout: float = 30.0
    ) -> None:
        """Keeps the object from eviction from now on: for good (hard), or for so many seconds only
        where nothing else may be evicted (soft). Neither: it is unpinned.

        Raises:
            NotFound: no such object.
            ResourceExhausted: too much of a segment is pinned.
            DeadlineExceeded: it may or may not have been pinned; the same again does no harm.
        """
        _value(self.pin_batch([key], hard=hard, soft=soft, timeout=timeout))

    def pin_batch(
        self,
        keys: Iterable[Key],
        *,
        hard: bool = False,
        soft: float = 0.0,
        timeout: float = 30.0,
    ) -> list[Error | None]:
        """pin for many keys."""
        return self._native.pin_batch(keys, hard, soft, timeout)

    # ---- the pool --------------------------------------------------------------------------------

    def list_objects(
        self,
        prefix: Key = b"",
        *,
        after: Key = b"",
        limit: int = 1000,
        timeout: float = 30.0,
    ) -> list[Listed]:
        """Objects whose keys begin so (empty: all) and are greater than `after` (empty: from the
        first), in the order of their keys' bytes; at most `limit`, 1 to 4096. A page may be shorter
        for its size: only an empty one says that there are no more. Raises Unavailable: a new
        master has not yet heard from all nodes what they hold."""
        page, _ = self._native.list_objects(_bytes(prefix), _bytes(after), limit, timeout)
        return [Listed(*fields) for fields in page]

    def start_task(
        self, key: Key, target: str, *, source: str = "", move: bool = False, timeout: float = 30.0
    ) -> int:
        """Has another replica of the object made on the node of that name; as a move, in place of
        the one on `source`. Returns a number for it as soon as the master has taken it up; tasks
        tells what becomes of it.

        Raises:
            NotFound: no such object, or node.
            AlreadyExists: `target` has a replica, or another task is at the object.
            FailedPrecondition: `target` takes nothing.
        """
        return self._native.start_task(key, source, target, move, timeout)

    def tasks(self, *, timeout: float = 30.0) -> list[Task]:
        """Those that run or wait, and the last 1000 that ended, oldest first."""
        return [Task(*fields) for fields in self._native.tasks(timeout)]

    def register_memory(self, address: int, size: int) -> None:
        """Tells the transfer layer of memory that calls will name. Optional. It stays the caller's,
        and must stay where it is until it is unregistered. Raises InvalidArgument: it overlaps with
        registered memory."""
        self._native.register_memory(address, size)

    def unregister_memory(self, address: int) -> None:
        """Returns when no copy touches it any more."""
        self._native.unregister_memory(address)

    def lend(self, size: int) -> None:
        """Lends so many bytes to the pool from now on, in place of what it lent. Returns at once;
        lending says how far it is. Raises InvalidArgument, ResourceExhausted."""
        self._native.lend(size)

    @property
    def lending(self) -> Lending:
        fields = self._native.lending()
        return Lending(*(*fields[:-1], tuple(fields[-1])))

    def wait_drained(self, timeout: float) -> bool:
        """Whether what it lent is drained, now or within the timeout."""
        return self._native.wait_drained(timeout)

    @property
    def name(self) -> str:
        """As given, or as made up from host name and process."""
        return self._native.name()

    @property
    def incarnation(self) -> str:
        """32 hexadecimal digits, drawn when it joined."""
        return self._native.incarnation()

    @property
    def counters(self) -> Counters:
        return Counters(**self._native.counters())

    @property
    def way_counters(self) -> dict[str, WayCounters]:
        """By the name of the way: local, shm, tcp, rdma."""
        ways = self._native.way_counters()
        return {way: WayCounters(**counters) for way, counters in ways.items()}


def _value(results: Sequence[_T | Error]) -> _T:
    result = results[0]
    if isinstance(result, Error):
        raise result
    return result


def _converted(results: list[Any], convert: Callable[[Any], _T]) -> list[_T | Error]:
    return [r if isinstance(r, Error) else convert(r) for r in results]


def _bytes(key: Key) -> bytes:
    return key.encode() if isinstance(key, str) else key


def _stat(fields: Any) -> Stat:
    size, checksum, age, lease_left, replicas, *rest = fields
    return Stat(size, checksum, age, lease_left, tuple(Replica(*r) for r in replicas), *rest)


@atexit.register
def _leave_all() -> None:
    """Pools are left before the interpreter ends: afterwards nothing may wait without its lock."""
    _native.ending_here()
    for client in list(_open):
        client.close()
