"""mooncake_client: kvstore_node, with the flags of Mooncake's daemon."""

from __future__ import annotations

import os
import sys

from kvstore import programs

from ..mooncake_config import _parse_segment_size
from . import flags as _flags
from .addresses import is_local, resolved, towards, with_port
from .beside import run_beside
from .flags import Flag, Kind, UsageError, Values
from .rendezvous import rendezvous

PROGRAM = "mooncake_client"
_USAGE = (
    f"{PROGRAM} - kvstore_node, with the flags of Mooncake's daemon\n\n"
    "A flag has one dash or two, and its value after '=' or a space."
)
_DISK = "objects lie in memory only"
FLAGS = _flags.table(
    Flag("host", "0.0.0.0", "where peers reach its memory; 0.0.0.0: by the way to the master"),
    Flag("port", "50052", "port at which processes of this host find the pool (setup_dummy)"),
    Flag("master_server_address", "127.0.0.1:50051", "HOST:PORT"),
    Flag("global_segment_size", "4 GB", "memory to lend"),
    Flag("protocol", "tcp", "tcp or rdma; processes of this host always share the memory"),
    Flag("device_names", "", "with rdma: devices, with commas; none named: all that are up"),
    Flag("minloglevel", "0", "log 0: everything, 1: warnings, 2: errors"),
    *(
        Flag(name, default, meaning, Kind.IDLE)
        for name, default, meaning in (
            ("metadata_server", "http://127.0.0.1:8080/metadata", "none is needed"),
            ("local_buffer_size", "0", "nothing is staged here"),
            ("threads", "1", "as many are used as it takes"),
            ("tenant_id", "default", "keys of all clients are one space"),
            ("start_offload_rpc_server", "true", _DISK),
            ("enable_http_server", "false", "the master's /metrics tells of all nodes"),
            ("http_port", "9300", "the master's /metrics tells of all nodes"),
            ("mmap_arena_pool_size", "0", "pages are taken as the pool fills"),
            ("use_mmap_arena_allocator", "false", "pages are taken as the pool fills"),
        )
    ),
    Flag("enable_offload", "false", _DISK, Kind.ABSENT),
)


def main() -> None:
    """Becomes kvstore_node; what tells of the pool runs beside it."""
    arguments = sys.argv[1:]
    if _flags.told(PROGRAM, _USAGE, FLAGS, arguments):
        return
    try:
        values = _flags.parse(arguments, FLAGS)
        notes = _flags.check_absent(values, FLAGS)
        command = translate(values)
        server = rendezvous(*_found_at(values), _value(values, "master_server_address"))
    except UsageError as error:
        _flags.refuse(PROGRAM, error)
    except OSError as error:
        _flags.refuse(PROGRAM, UsageError(f"can't listen on --port: {error}"))
    for note in notes:
        _flags.warn(PROGRAM, note)
    if not command:  # nothing to lend: it only tells of the pool
        server.serve()
        return
    run_beside(server.serve)
    server.close()
    os.execv(programs.path_of("kvstore_node"), ["kvstore_node", *command])


def translate(values: Values) -> list[str]:
    """kvstore_node's arguments for Mooncake's flags; none: there is nothing to lend. Raises
    UsageError."""
    size = _value(values, "global_segment_size")
    try:
        lent = _parse_segment_size(size)
    except ValueError as error:
        raise UsageError(f"--global_segment_size is {size!r}: {error}") from None
    protocol = _value(values, "protocol").lower()
    if protocol not in ("tcp", "rdma"):
        raise UsageError(f"--protocol={protocol} is not offered: tcp or rdma")
    address = _address(values)
    level = _flags.whole("minloglevel", _value(values, "minloglevel"), 0, 3)
    if lent <= 0:
        return []
    command = [
        f"--master={_value(values, 'master_server_address')}",
        f"--lend={lent}",
        f"--listen={with_port(address, 0)}",
        f"--log_level={('info', 'warning', 'error')[min(level, 2)]}",
        "--wait",
    ]
    if not is_local(address):
        command.append("--insecure_allow_remote")
    if protocol == "rdma":
        devices = _value(values, "device_names").replace(" ", "")
        command.append(f"--rdma_devices={devices}" if devices else "--ways=local,shm,rdma,tcp")
    return command


def _value(values: Values, name: str) -> str:
    return values.get(name, FLAGS[name].default)


def _address(values: Values) -> str:
    host = _value(values, "host")
    if host in ("0.0.0.0", "::"):
        return towards("master_server_address", _value(values, "master_server_address"))
    return resolved("host", host)


def _found_at(values: Values) -> tuple[str, int]:
    """Only processes of this host can share its memory: they ask by loopback."""
    return "127.0.0.1", _flags.whole("port", _value(values, "port"), 0, 65535)
