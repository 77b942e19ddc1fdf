"""Objects are removed: by key, by pattern, all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import kvstore

from . import codes
from .life import Life

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
        try:
            leased = set() if force else _leased(client, keys, self._within())
            free = [key for i, key in enumerate(keys) if i not in leased]
            removed = iter(client.remove_batch(free, timeout=self._within()))
        except kvstore.Error as error:
            return [codes.code_of(error)] * len(keys)
        return [
            codes.OBJECT_HAS_LEASE if i in leased else _code_of_removal(next(removed))
            for i in range(len(keys))
        ]

    def remove_by_regex(self, regex_pattern: str, force: bool = False) -> int:
        """Removes objects whose keys have a match in them; how many, or a code."""
        try:
            pattern = re.compile(regex_pattern)
        except (re.error, OverflowError, RecursionError):
            return codes.INVALID_PARAMS
        return self._remove_where(pattern, force)

    def remove_all(self, force: bool = False) -> int:
        """How many were removed, or a code."""
        client = self._client
        if client is None or not force:
            return self._remove_where(re.compile(""), force)
        try:
            return client.remove_matching("", timeout=self._within())
        except kvstore.Error as error:
            return codes.code_of(error)

    def _remove_where(self, pattern: re.Pattern[str], force: bool) -> int:
        client = self._client
        if client is None:
            return codes.INVALID_PARAMS
        try:
            removed = 0
            for page in _pages(client, self._within()):
                keys = [
                    listed.key
                    for listed in page
                    if (force or listed.lease_left == 0)
                    and pattern.search(listed.key.decode(errors="surrogateescape"))
                ]
                removed += client.remove_batch(keys, timeout=self._within()).count(None)
            return removed
        except kvstore.Error as error:
            return codes.code_of(error)


def _pages(client: kvstore.Client, timeout: float) -> Iterator[list[kvstore.Listed]]:
    """All objects, page by page."""
    after = b""
    while page := client.list_objects(after=after, limit=_PAGE, timeout=timeout):
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
