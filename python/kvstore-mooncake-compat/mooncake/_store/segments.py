"""Memory that is lent beside what setup lends."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import kvstore

from .. import _log
from . import codes
from .life import Life


class Segments(Life):
    """A segment is so much of what this member lends in all."""

    def __init__(self) -> None:
        super().__init__()
        self._segments: dict[str, int] = {}  # sizes, by their ids

    def allocate_and_mount_segment(
        self, size: int, protocol: str = "tcp", location: str = ""
    ) -> dict[str, Any]:
        """Lends so many bytes more: {"ret": 0 or a code, "segment_ids", "allocated_size"}."""
        failed = {"ret": codes.INTERNAL_ERROR, "segment_ids": [], "allocated_size": 0}
        with self._mutex:
            client = self._client
            if client is None or size <= 0:
                return failed
            if not self._lend(client, size) or not _taken_up(client, self._within()):
                return failed
            name = f"{random.getrandbits(64)}-{random.getrandbits(64)}"
            self._segments[name] = size
        return {"ret": codes.OK, "segment_ids": [name], "allocated_size": size}

    def unmount_and_free_segment(
        self, segment_ids: Sequence[str], grace_period_seconds: int = 0
    ) -> int:
        """Lends so much less: what lies there moves to other nodes, where there is room, or is
        given up. Returns at once; INTERNAL_ERROR: one of them is unknown, and nothing changes."""
        with self._mutex:
            client = self._client
            if client is None or not set(segment_ids) <= self._segments.keys():
                return codes.INTERNAL_ERROR
            sizes = [self._segments.pop(name) for name in set(segment_ids)]
            return codes.OK if self._lend(client, -sum(sizes)) else codes.INTERNAL_ERROR

    def unmount_segment(self, segment_ids: Sequence[str], grace_period_seconds: int = 0) -> int:
        return self.unmount_and_free_segment(segment_ids, grace_period_seconds)

    def mount_segment(
        self, path: str, size: int, offset: int = 0, protocol: str = "tcp", location: str = ""
    ) -> dict[str, Any]:
        """Not offered: files and devices are no memory to lend."""
        _log.warn("mount_segment is not offered; use allocate_and_mount_segment")
        return {"ret": codes.NOT_SUPPORTED, "segment_ids": []}

    def unmount_local_disk_segment(self, grace_period_seconds: int = 0) -> int:
        """There is none: 0."""
        return codes.OK if self._client is not None else codes.INTERNAL_ERROR

    def get_offload_rpc_read_count(self) -> int:
        """Nothing lies on disks: 0."""
        return 0

    def _forget(self) -> None:
        super()._forget()
        self._segments = {}

    def _lend(self, client: kvstore.Client, more: int) -> bool:
        try:
            client.lend(client.lending.wanted_bytes + more)
        except kvstore.Error as error:
            _log.error(f"can't lend {more} bytes more: {error}")
            return False
        return True


def _taken_up(client: kvstore.Client, timeout: float) -> bool:
    """Waits until the master knows of the memory, where it is all that this member lends: until an
    object could be put on this host."""
    until = time.monotonic() + timeout
    here = kvstore.PutOptions(placement="this_host", preferred_nodes=[client.name])
    while True:
        try:
            client.create(f"mount/{random.getrandbits(128):x}", 1, here, timeout=timeout).close()
            return True
        except kvstore.ResourceExhausted:
            if time.monotonic() > until:
                return True  # a full pool
        except kvstore.Error:
            return False
        time.sleep(0.005)
