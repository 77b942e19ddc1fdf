"""Ports for programs that must be told one before they start."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

# Below 32768, from which Linux by default gives ports to connections and to who asks for port 0,
# and above 17000, to which Mooncake's stores take them at random: of those, one that is free now
# may be somebody's by the time that it is listened on. tests/cluster/free_port.cc knows of these
# blocks.
_FIRST, _END = 17408, 32768
_BLOCK = 32


def free_port() -> int:
    """One of loopback that nobody listens on, and that nobody is given who asks here later, in
    whatever process, as long as this one lives. One thread at a time.
    """
    return next(_ports)


def _of_own_blocks() -> Iterator[int]:
    """Who holds a block's first port, as long as it lives, gives out the others."""
    blocks = (_END - _FIRST) // _BLOCK
    for i in range(blocks):
        first = _FIRST + (os.getpid() + i) % blocks * _BLOCK
        holder = socket.socket()
        if not _binds(holder, first):
            holder.close()
            continue
        _held.append(holder)
        for port in range(first + 1, first + _BLOCK):
            with socket.socket() as probe:
                free = _binds(probe, port)
            if free:
                yield port
    raise OSError(f"no port is left between {_FIRST} and {_END}")


def _binds(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


_held: list[socket.socket] = []
_ports = _of_own_blocks()
