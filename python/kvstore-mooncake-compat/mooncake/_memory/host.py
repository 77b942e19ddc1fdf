"""An allocator of host memory, and what binds a thread to a NUMA node."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import warnings

from .mapped import Mapped

_SET_MEMPOLICY = {"x86_64": 238, "aarch64": 237}
_MPOL_PREFERRED = 1


class MooncakeHostMemAllocator:
    """Memory by addresses, for buffers that are registered with a store."""

    def __init__(self) -> None:
        self._held: dict[int, Mapped] = {}
        self._mutex = threading.Lock()

    def alloc(self, size: int) -> int:
        """An address, at the beginning of a page. Raises RuntimeError: there is no such memory."""
        if not isinstance(size, int) or size < 0:
            raise TypeError(f"a size is wanted, not {size!r}")
        try:
            memory = Mapped(size)
        except (OSError, ValueError, OverflowError) as error:
            raise RuntimeError(f"{size} bytes can't be had: {error}") from None
        with self._mutex:
            self._held[memory.address] = memory
        return memory.address

    def free(self, ptr: int) -> int:
        """0, or -1: it is no address that alloc returned."""
        with self._mutex:
            memory = self._held.pop(ptr, None)
        if memory is None:
            return -1
        memory.close()
        return 0


def bind_to_numa_node(node: int) -> None:
    """Has this thread run on that node's processors, and take memory from there first. Warns where
    it can't be done, and never fails."""
    try:
        os.sched_setaffinity(0, _processors(node))
        _prefer_memory_of(node)
    except (OSError, ValueError) as error:
        warnings.warn(f"can't bind to NUMA node {node}: {error}", RuntimeWarning, stacklevel=2)


def _processors(node: int) -> set[int]:
    path = f"/sys/devices/system/node/node{int(node)}/cpulist"
    with open(path, encoding="ascii") as file:
        ranges = file.read().strip()
    processors: set[int] = set()
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        processors.update(range(int(first), int(last or first) + 1))
    return processors


def _prefer_memory_of(node: int) -> None:
    number = _SET_MEMPOLICY.get(platform.machine())
    if number is None:
        raise OSError(f"set_mempolicy is unknown on {platform.machine()}")
    words = (ctypes.c_ulong * 16)()
    bits = 8 * ctypes.sizeof(ctypes.c_ulong)
    words[node // bits] = 1 << (node % bits)
    libc = ctypes.CDLL(None, use_errno=True)
    limit = ctypes.c_ulong(len(words) * bits)
    if libc.syscall(ctypes.c_long(number), _MPOL_PREFERRED, words, limit) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
