"""Objects where they lie: read in place, filled in place, read part by part."""

from __future__ import annotations

from collections.abc import Sequence

from . import _native
from .closing import Closing
from .errors import Error
from .memory import Memory


class View(Closing):
    """An object where it lies, in this process's memory or that of another one on this host.

    Its memory is pinned at the holder: it keeps these bytes until the view is closed and the last
    memoryview of it is gone, even when the object is removed, replaced or evicted meanwhile. Let go
    of it soon. Its client leaves the pool no earlier. May be used by many threads; not in a child
    that was forked later, where its memory is not there.
    """

    __slots__ = ("_native",)

    def __init__(self, native: _native.View) -> None:
        self._native = native

    @property
    def size(self) -> int:
        """In bytes."""
        return self._native.size()

    @property
    def checksum(self) -> int:
        """XXH3-64, as committed."""
        return self._native.checksum()

    @property
    def pieces(self) -> list[memoryview]:
        """The object's bytes in order, read-only; usually one stretch, none of an empty object."""
        return self._native.buffers()

    @property
    def data(self) -> memoryview:
        """The object's bytes as one stretch, read-only; copied if they are several."""
        return _whole(self.pieces)

    def verify(self) -> None:
        """Reads it all and compares it with the checksum; raises DataLoss if it doesn't match."""
        self._native.verify()

    def close(self) -> None:
        """Lets go of the object, as soon as no memoryview of it is left."""
        self._native.close()


class NewObject(Closing):
    """A new object's memory, to be filled in place, on this host.

    Nobody can find the object before seal(). Closed unsealed, it is given up. For one thread at a
    time.
    """

    __slots__ = ("_native",)

    def __init__(self, native: _native.NewObject) -> None:
        self._native = native

    @property
    def size(self) -> int:
        """In bytes."""
        return self._native.size()

    @property
    def pieces(self) -> list[memoryview]:
        """Its memory in order, to be written; usually one stretch; none once it is sealed. What it
        contains at first is undefined."""
        return self._native.buffers()

    @property
    def data(self) -> memoryview:
        """Its memory, to be written, if it is one stretch; else ValueError (use pieces)."""
        pieces = self.pieces
        if len(pieces) > 1:
            raise ValueError(f"the object lies in {len(pieces)} pieces; use pieces")
        return pieces[0] if pieces else memoryview(bytearray())

    @property
    def seconds_left(self) -> float:
        """How long it may still take to seal it; then its memory is given to others."""
        return self._native.seconds_left()

    def seal(self, timeout: float = 30.0) -> None:
        """Computes the checksum and commits: from now on others find the object.

        Raises FailedPrecondition while memoryviews or arrays of it are in use (then nothing has
        happened: let go of them and call it again), or when it was called before; Aborted: not
        committed, too late or its holder is lost; DeadlineExceeded: it may have been committed;
        and what Client.put raises.
        """
        self._native.seal(timeout)

    def close(self) -> None:
        """Gives it up, if it was not sealed."""
        self._native.close()


class ReadSession(Closing):
    """Objects that were located once and are then read part by part, layer by layer.

    All parts of one object are from the same put: when it is removed, replaced or evicted
    meanwhile, its further parts are refused with Aborted. Holds no memory. May be used by many
    threads.
    """

    __slots__ = ("_native", "sizes")

    sizes: list[int | Error]
    """Per key of Client.read_session: the object's size in bytes, or why it can't be read."""

    def __init__(self, native: _native.ReadSession) -> None:
        self._native = native
        self.sizes = native.sizes()

    def read(
        self,
        object: int,
        target: Memory,
        *,
        offset: int = 0,
        length: int | None = None,
        timeout: float = 30.0,
    ) -> int:
        """Reads `length` bytes (None: to the end) from `offset` of the object with that index in
        the keys into `target`; returns how many. Raises what Client.get_into does, and Aborted."""
        result = self._native.read_batch([object], [target], [offset], [length], timeout)[0]
        if isinstance(result, Error):
            raise result
        return int(result)

    def read_batch(
        self,
        objects: Sequence[int],
        targets: Sequence[Memory],
        *,
        offsets: Sequence[int] | None = None,
        lengths: Sequence[int | None] | None = None,
        timeout: float = 30.0,
    ) -> list[int | Error]:
        """One entry per target: how many bytes are in it, or the error."""
        return self._native.read_batch(objects, targets, offsets, lengths, timeout)

    def read_addresses(
        self,
        objects: Sequence[int],
        addresses: Sequence[int | Sequence[int]],
        sizes: Sequence[int | Sequence[int]],
        *,
        offsets: Sequence[int] | None = None,
        lengths: Sequence[int | None] | None = None,
        timeout: float = 30.0,
    ) -> list[int | Error]:
        """read_batch into memory that is named by addresses, as Client.get_addresses has it."""
        return self._native.read_addresses(objects, addresses, sizes, offsets, lengths, timeout)

    def close(self) -> None:
        """Ends it; calls under way in other threads are finished first."""
        self._native.close()


def _whole(pieces: list[memoryview]) -> memoryview:
    if len(pieces) == 1:
        return pieces[0]
    return memoryview(b"".join(pieces))
