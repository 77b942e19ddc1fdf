"""Objects are removed: by key, by pattern, all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import kvstore

from . import codes
from .life import Life
from .matching import Matcher
from .patience import Deadline

_PAGE = 4096


class Removal(Life):
    """Without force, what is leased stays: a hit of is_exist or get leases."""

    def remove(self, key: str, force: bool = False) -> int:
        """0, OBJECT_NOT_FOUND, or, unless by force, OBJECT_HAS_LEASE."""
        return self.batch_remove([key], force)[0]

    def batch_remove(self, keys: Sequence[str], force: bool = False) -> list[int]:
        client = self._client
        if client is None:
            return [codes.INVALID_PARAMS] * len(keys)
        deadline = self._deadline()
        try:
            leased = set() if force else _leased(client, keys, deadline.left)
            free = [key for i, key in enumerate(keys) if i not in leased]
            removed = iter(client.remove_batch(free, timeout=deadline.left))
        except kvstore.Error as error:
            return [codes.code_of(error)] * len(keys)
        return [
            codes.OBJECT_HAS_LEASE if i in leased else _code_of_removal(next(removed))
            for i in range(len(keys))
        ]

    def remove_by_regex(self, regex_pattern: str, force: bool = False) -> int:
        """Removes objects whose keys have a match in them; how many, or a code. RPC_TIMEOUT: some
        may have been removed; the pattern takes too long, or there are too many objects."""
        try:
            re.compile(regex_pattern)
        except (re.error, OverflowError, RecursionError):
            return codes.INVALID_PARAMS
        client = self._client
        if client is None:
            return codes.INVALID_PARAMS
        deadline = self._deadline()
        try:
            with Matcher(regex_pattern, deadline) as matcher:
                return _remove_where(client, deadline, matcher.matching, force)
        except TimeoutError as error:
            self._complain(1, f"remove_by_regex: {error}")
            return codes.RPC_TIMEOUT
        except OSError as error:
            self._complain(1, f"remove_by_regex: {error}")
            return codes.INTERNAL_ERROR

    def remove_all(self, force: bool = False) -> int:
        """How many were removed, or a code."""
        client = self._client
        if client is None:
            return codes.INVALID_PARAMS
        if not force:
            return _remove_where(client, self._deadline(), lambda keys: keys, force)
        try:
            return client.remove_matching("", timeout=self._within())
        except kvstore.Error as error:
            return codes.code_of(error)


def _remove_where(
    client: kvstore.Client,
    deadline: Deadline,
    matching: Callable[[list[bytes]], list[bytes]],
    force: bool,
) -> int:
    """How many of all objects were removed, or a code."""
    removed = 0
    try:
        for page in _pages(client, deadline):
            keys = matching([one.key for one in page if force or one.lease_left == 0])
            for error in client.remove_batch(keys, timeout=deadline.left):
                if error is None:
                    removed += 1
                elif not isinstance(error, kvstore.NotFound):  # somebody else removed it
                    raise error
    except kvstore.Error as error:
        return codes.code_of(error)
    return removed


def _pages(client: kvstore.Client, deadline: Deadline) -> Iterator[list[kvstore.Listed]]:
    """All objects, page by page."""
    after = b""
    while page := client.list_objects(after=after, limit=_PAGE, timeout=deadline.left):
        after = page[-1].key
        yield page


def _leased(client: kvstore.Client, keys: Sequence[str], timeout: float) -> set[int]:
    """The indices of those that are leased."""
    stats = client.stat_batch(keys, timeout=timeout)
    return {
        i for i, stat in enumerate(stats) if isinstance(stat, kvstore.Stat) and stat.lease_left > 0
    }


def _code_of_removal(error: kvstore.Error | None) -> int:
    if error is None:
        return codes.OK
    # What can't be a key has no object.
    return (
        codes.OBJECT_NOT_FOUND
        if isinstance(error, kvstore.InvalidArgument)
        else codes.code_of(error)
    )
