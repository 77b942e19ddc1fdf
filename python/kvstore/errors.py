"""What a call that did not succeed raises, or has in the place of its result.

Every error has a code that says what a caller should do differently, and a message that names
cause, number and remedy. Calls of one object raise it; calls of many put it at the item's place and
raise nothing for it.

Wrong types raise TypeError; buffers that are not one stretch, or lists whose lengths differ,
ValueError or BufferError; none of these reaches the store.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Code(enum.IntEnum):
    """gRPC's numbers."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Error(Exception):
    """Something the store could not do. There is one subclass per code."""

    code: ClassVar[Code] = Code.INTERNAL

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class Cancelled(Error):
    """The caller asked for it; the operation may or may not have taken effect."""

    code = Code.CANCELLED


class InvalidArgument(Error, ValueError):
    """The request can never succeed as it is; nothing happened."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceeded(Error, TimeoutError):
    """Time ran out. Unless the message says otherwise the operation may have taken effect."""

    code = Code.DEADLINE_EXCEEDED


class NotFound(Error, LookupError):
    """No such object now; nothing happened."""

    code = Code.NOT_FOUND


class AlreadyExists(Error):
    """The key is taken by a committed object, or pending by a live writer; nothing happened."""

    code = Code.ALREADY_EXISTS


class PermissionDenied(Error):
    """The caller may not do this; nothing happened."""

    code = Code.PERMISSION_DENIED


class ResourceExhausted(Error):
    """No room and nothing may be evicted, or a limit is reached; nothing happened."""

    code = Code.RESOURCE_EXHAUSTED


class FailedPrecondition(Error):
    """Not in the state that the call needs (closed, forked, ...); retrying alone won't help."""

    code = Code.FAILED_PRECONDITION


class Aborted(Error):
    """The put lost its memory, or the object of a read session is gone: begin it again."""

    code = Code.ABORTED


class Unimplemented(Error, NotImplementedError):
    """Not offered, here or yet."""

    code = Code.UNIMPLEMENTED


class Internal(Error):
    """A bug of kvstore's: report it."""

    code = Code.INTERNAL


class Unavailable(Error):
    """The master or a holder can't be reached; retry."""

    code = Code.UNAVAILABLE


class DataLoss(Error):
    """The holder still vouches for the object, but its bytes don't match their checksum."""

    code = Code.DATA_LOSS


class Unauthenticated(Error):
    """The caller did not say, or could not show, who it is."""

    code = Code.UNAUTHENTICATED


_BY_CODE: dict[int, type[Error]] = {
    error.code: error
    for error in (
        Cancelled,
        InvalidArgument,
        DeadlineExceeded,
        NotFound,
        AlreadyExists,
        PermissionDenied,
        ResourceExhausted,
        FailedPrecondition,
        Aborted,
        Unimplemented,
        Internal,
        Unavailable,
        DataLoss,
        Unauthenticated,
    )
}


def error_of(code: int, message: str) -> Error:
    """The error for a code of the library; one that is not known here is Internal."""
    return _BY_CODE.get(code, Internal)(message)
