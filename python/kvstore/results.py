"""What calls answer with, where it is more than a number. Times are in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import Error


@dataclass(frozen=True)
class Replica:
    """Where an object lies."""

    node: str  # name of the holder
    holder: str  # its incarnation, 32 hexadecimal digits
    ranges: int
    reserved_bytes: int  # whole granules


@dataclass(frozen=True)
class Stat:
    """An object, as the master knows it."""

    size: int
    checksum: int  # XXH3-64 of the bytes, seed 0
    age: float  # since its commit
    lease_left: float  # 0: not leased
    replicas: tuple[Replica, ...]
    durable: bool  # every holder has noted it as it is now
    hard_pin: bool
    soft_pin: float  # what is left of it; 0: none
    ttl: float  # what is left of it; 0: it doesn't expire
    group: bytes  # empty: none
    position: int


@dataclass(frozen=True)
class Listed:
    """An object in a list."""

    key: bytes
    size: int
    replicas: int
    age: float  # since its commit
    lease_left: float  # 0: not leased


@dataclass(frozen=True)
class Task:
    """A copy or a move of an object that somebody asked for."""

    id: int
    key: bytes
    source: str  # name of a node; empty: any
    target: str  # name of a node
    move: bool
    ended: bool
    error: Error | None  # why it failed
    age: float  # since it was asked for


@dataclass(frozen=True)
class Lending:
    """What a client lends to the pool, and how others reach it."""

    bytes: int  # whole granules; more than is wanted while the pool empties the rest
    wanted_bytes: int
    drained: bool  # an operator had it emptied, and it has left; it lends nothing
    huge_pages: bool
    tcp: str  # HOST:PORT, as peers are told; empty: not over TCP
    shm_refused: str | None  # why processes of this host don't share its memory; None: they do
    rdma_refused: str | None  # why peers don't reach it by RDMA; None: they do
    rdma_devices: tuple[str, ...]


@dataclass(frozen=True)
class Counters:
    """What a client has done so far."""

    puts_ok: int
    puts_failed: int
    gets_ok: int
    gets_missed: int
    gets_failed: int
    reads_refused: int  # a location no longer stood; another was tried
    checksum_mismatches: int
    gets_remembered: int  # of gets_ok: the master was asked nothing
    views_ok: int
    views_missed: int
    views_failed: int
    bytes_got: int
    bytes_put: int
    get_seconds: float
    put_seconds: float
    master_requests: int


@dataclass(frozen=True)
class WayCounters:
    """What went by one way: local, shm, tcp or rdma."""

    copies_done: int
    copies_failed: int
    copies_in_doubt: int
    bytes_read: int
    bytes_written: int
    seconds: float
    mappings: int
