"""What calls answer with: 0, or one of Mooncake's negative codes."""

from __future__ import annotations

import kvstore

OK = 0
INTERNAL_ERROR = -1
NO_AVAILABLE_HANDLE = -200  # no room for it: full, too much pinned, or too few nodes for replicas
INVALID_PARAMS = -600
OBJECT_NOT_FOUND = -704
OBJECT_ALREADY_EXISTS = -705
OBJECT_HAS_LEASE = -706
OBJECT_HAS_TASK = -708
REPLICA_ALREADY_EXISTS = -711
TRANSFER_FAIL = -800
CHECKSUM_MISMATCH = -801
RPC_FAIL = -900
RPC_TIMEOUT = -901
UNAVAILABLE_NOW = -1010  # a limit is reached; later it may be otherwise
NOT_SUPPORTED = -1012
TASK_NOT_FOUND = -1400

_CODES: dict[type[kvstore.Error], int] = {
    kvstore.InvalidArgument: INVALID_PARAMS,
    kvstore.DeadlineExceeded: RPC_TIMEOUT,
    kvstore.NotFound: OBJECT_NOT_FOUND,
    kvstore.AlreadyExists: OBJECT_ALREADY_EXISTS,
    kvstore.ResourceExhausted: UNAVAILABLE_NOW,
    kvstore.FailedPrecondition: INVALID_PARAMS,  # closed meanwhile, or in a forked child
    kvstore.Aborted: TRANSFER_FAIL,
    kvstore.Unimplemented: NOT_SUPPORTED,
    kvstore.Unavailable: RPC_FAIL,
    kvstore.DataLoss: CHECKSUM_MISMATCH,
}


def code_of(error: kvstore.Error) -> int:
    """Where only the master is asked."""
    return _CODES.get(type(error), INTERNAL_ERROR)


def read_code_of(error: kvstore.Error, unreached: int) -> int:
    """Of bytes that were to be read; `unreached` says who could not be reached."""
    if isinstance(error, kvstore.Unavailable):
        return unreached
    # A limit of this process's, such as that of open files.
    return TRANSFER_FAIL if isinstance(error, kvstore.ResourceExhausted) else code_of(error)


def put_code_of(error: kvstore.Error, unreached: int) -> int:
    """Of what was to be put; alone here a limit that is reached means that there is no room."""
    if isinstance(error, kvstore.Unavailable):
        return unreached
    return NO_AVAILABLE_HANDLE if isinstance(error, kvstore.ResourceExhausted) else code_of(error)
