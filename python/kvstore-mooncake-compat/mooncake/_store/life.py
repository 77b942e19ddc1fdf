"""From setup to close."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import kvstore

from .. import _log
from . import codes, options
from .address import Address, candidates, is_loopback
from .awaiting import Awaiting
from .patience import SILENT, Deadline, Patience
from .regions import Regions

_HEALTH_TIMEOUT = 5.0
# For a master that is lost while a call is under way: longer than one takes that is started again.
_MASTER_PATIENCE = 5.0
# What callers must expect, and is not worth a word.
_MISSES = (kvstore.NotFound, kvstore.InvalidArgument)


class Life:
    """Holds the client between setup and close. Calls without one answer INVALID_PARAMS, as often
    as there are items."""

    def __init__(self) -> None:
        self._client: kvstore.Client | None = None
        self._patience = Patience(30.0)
        self._awaiting = Awaiting(0.0)
        self._stages = True  # puts of bytes have a buffer to be copied to
        self._buffers = kvstore.BufferPool(0)
        self._hostname = ""
        self._failed = False  # setup was called, and failed
        self._regions = Regions()
        self._complaints = _log.Complaints(_log.warn)
        self._lost_puts = _log.Complaints(_log.error)
        self._mutex = threading.Lock()

    def setup(self, *args: Any, **kwargs: Any) -> int:
        """Joins the pool of a master and lends it memory.

        setup(config: dict), or setup(local_hostname, metadata_server, global_segment_size,
        local_buffer_size, protocol, rdma_devices, master_server_addr, engine=None,
        enable_ssd_offload=False, ssd_offload_path="", tenant_id="default",
        enable_client_http_server=False, client_http_port=9300).

        Returns 0, or a negative code, and logs what to do about it. metadata_server must be given,
        and is not used.
        """
        return self._set_up_saying(lambda: _options_of(*args, **kwargs))

    def close(self) -> int:
        """Leaves the pool, taking along what lies in the memory lent to it. 0, also when there is
        nothing to leave."""
        with self._mutex:
            client, self._client = self._client, None
            self._failed = False
            self._regions = Regions()
            self._buffers = kvstore.BufferPool(0)
            self._forget()
        self._let_go()
        if client is not None:
            client.close()
        return codes.OK

    def health_check(self) -> int:
        """0: in a pool; 1: before setup or after close; 2: the master can't be reached."""
        client = self._client
        if client is None:
            return 1
        try:
            client.exists("health", timeout=_HEALTH_TIMEOUT)
        except kvstore.FailedPrecondition:
            return 1
        except kvstore.Error:
            return 2
        return 0

    def get_hostname(self) -> str:
        """ "host:port" of this member, which configurations may prefer; before setup: empty."""
        return self._hostname

    def init_all(self, protocol: str, device_name: str, mount_segment_size: int = 16 << 20) -> int:
        """Not offered: it means an etcd on this host."""
        return self._fail(codes.NOT_SUPPORTED, "not offered: init_all; use setup")

    # ---- for the other topics --------------------------------------------------------------------

    def _within(self) -> float:
        """The timeout of a call that is no look."""
        client = self._client
        if client is None:
            return self._patience.longest
        return self._patience.of_calls(client)

    def _deadline(self) -> Deadline:
        """So of one that asks several questions."""
        return Deadline(self._within())

    def _forget(self) -> None:
        """What topics hold of the pool that is being left. Under the mutex."""

    def _let_go(self) -> None:
        """What may take a while of that. Not under the mutex."""

    def _complain(self, failed: int, what: str) -> None:
        self._complaints.add(failed, what)

    def _complain_of_puts(self, failed: int, why: str) -> None:
        """Whatever else there is to complain of: engines ignore the codes of puts."""
        self._lost_puts.add(failed, f"put: {why}")

    def _complain_of_reads(self, results: Sequence[object]) -> None:
        failed = [r for r in results if isinstance(r, kvstore.Error) and not isinstance(r, _MISSES)]
        if failed:
            self._complain(len(failed), f"get: {failed[0]}")

    def _codes_of_reads(self, results: Sequence[int | kvstore.Error]) -> list[int]:
        """How many bytes were read, or a code."""
        errors = [r for r in results if isinstance(r, kvstore.Error)]
        if not errors:
            return [r for r in results if isinstance(r, int)]
        self._complain_of_reads(errors)
        unreached = self._code_of_unreached(errors)
        return [r if isinstance(r, int) else codes.read_code_of(r, unreached) for r in results]

    def _code_of_unreached(self, errors: Iterable[kvstore.Error]) -> int:
        """What Unavailable means of these, which are of objects' bytes: RPC_FAIL where the master
        is silent, else TRANSFER_FAIL, since it was a holder. Looks where either may be."""
        client = self._client
        if client is None or SILENT.isdisjoint(map(type, errors)):
            return codes.TRANSFER_FAIL
        return codes.RPC_FAIL if self._patience.finds_silent(client) else codes.TRANSFER_FAIL

    def _set_up_saying(self, wanted: Callable[[], options.Options]) -> int:
        """Sets up with these options; logs what is wrong with them, or fails."""
        try:
            return self._set_up(wanted())
        except options.Refused as refused:
            return self._fail(codes.INVALID_PARAMS, str(refused))
        except options.NotOffered as refused:
            return self._fail(codes.NOT_SUPPORTED, f"not offered: {refused}")
        except kvstore.InvalidArgument as error:
            return self._fail(codes.INVALID_PARAMS, str(error))
        except kvstore.Error as error:
            return self._fail(codes.INTERNAL_ERROR, str(error))

    def _set_up(self, wanted: options.Options) -> int:
        self.close()
        client, address = _join(wanted)
        _warn_of_loopback(wanted, address)
        with self._mutex:
            self._client = client
            self._patience = Patience(wanted.timeout)
            self._awaiting = Awaiting(wanted.await_puts)
            self._stages = wanted.local_buffer_size > 0
            self._buffers = kvstore.BufferPool(wanted.local_buffer_size)
            self._hostname = address.name
        return codes.OK

    def _fail(self, code: int, why: str) -> int:
        self._failed = True
        _log.error(f"setup of the store failed with {code}: {why}")
        return code


def _options_of(*args: Any, **kwargs: Any) -> options.Options:
    config = kwargs.get("config", args[0] if args else None)
    if isinstance(config, dict) and len(args) + len(kwargs) == 1:
        return options.of_mapping(config)
    return options.setup(*args, **kwargs)


def _warn_of_loopback(wanted: options.Options, address: Address) -> None:
    """Debian's own name for a host is 127.0.1.1: nobody else could read what is put."""
    if address.allow_remote or not wanted.global_segment_size:
        return
    master = wanted.master.rpartition(":")[0]
    if not (is_loopback(wanted.local_hostname) and is_loopback(master)):
        _log.error(
            f"local_hostname {wanted.local_hostname!r} means {address.listen} on this host, where "
            f"other hosts can't read what is put here; name an address of this host that they reach"
        )


def _join(wanted: options.Options) -> tuple[kvstore.Client, Address]:
    """The first of the addresses that can be listened on."""
    refused: kvstore.Error | None = None
    for address in candidates(wanted.local_hostname):
        try:
            return _connect(wanted, address), address
        except kvstore.Unavailable as error:
            if not str(error).startswith("can't listen"):
                raise
            refused = error
    assert refused is not None
    raise refused


def _connect(wanted: options.Options, address: Address) -> kvstore.Client:
    return kvstore.Client(
        wanted.master,
        name=address.name,
        lend_bytes=wanted.global_segment_size,
        listen=address.listen,
        advertise=address.advertise,
        allow_remote=address.allow_remote,
        ways=("local", "shm", "tcp", "rdma") if wanted.protocol == "rdma" else (),
        rdma_devices=wanted.rdma_devices if wanted.protocol == "rdma" else (),
        master_patience=_MASTER_PATIENCE,
    )
