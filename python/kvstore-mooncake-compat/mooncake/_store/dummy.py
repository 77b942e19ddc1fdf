"""Stores that are told of a mooncake_client on their host instead of a master."""

from __future__ import annotations

import ctypes
import mmap

from . import codes
from .life import Life
from .options import Options, Refused

# Mooncake's own, for pieces that are registered.
_ALIGNMENT = 4096


class Dummy(Life):
    """They join the daemon's pool as others do, and share its memory as others on its host do."""

    def __init__(self) -> None:
        super().__init__()
        # Never given back while this store is there: callers may still hold addresses.
        self._mappings: list[mmap.mmap] = []
        self._pool_taken = 0  # of the last one

    def setup_dummy(self, mem_pool_size: int, local_buffer_size: int, server_address: str) -> int:
        """Joins the pool of the mooncake_client at "host:port", and lends it nothing. Returns 0, or
        a negative code, and logs what to do about it."""
        # Imported here since most processes have no daemon.
        from .._programs.rendezvous import master_of

        try:
            if mem_pool_size < 0 or local_buffer_size < 0:
                raise Refused("sizes are not negative")
            master = master_of(server_address)
        except OSError as error:
            return self._fail(codes.INTERNAL_ERROR, str(error))
        except Refused as refused:
            return self._fail(codes.INVALID_PARAMS, str(refused))
        code = self._set_up_saying(
            lambda: Options(
                local_hostname="localhost",
                global_segment_size=0,
                local_buffer_size=local_buffer_size,
                protocol="tcp",
                rdma_devices=(),
                master=master,
                timeout=self._patience.longest,
            )
        )
        if code == codes.OK and mem_pool_size:
            with self._mutex:
                self._mappings.append(mmap.mmap(-1, mem_pool_size))
                self._pool_taken = 0
        return code

    def alloc_from_mem_pool(self, size: int) -> int:
        """The address of so many bytes of setup_dummy's mem_pool_size; 0: there are not so many
        left."""
        with self._mutex:
            if not self._mappings or not 0 < size <= len(self._mappings[-1]) - self._pool_taken:
                return 0
            base = ctypes.addressof(ctypes.c_char.from_buffer(self._mappings[-1]))
            address = base + self._pool_taken
            self._pool_taken += -(-size // _ALIGNMENT) * _ALIGNMENT
            return address
