"""mooncake_master: kvstore_master, with Mooncake's flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from kvstore import programs

from ..http_metadata_server import metadata_server
from . import flags as _flags
from .addresses import is_local, resolved
from .beside import run_beside
from .flags import UsageError, Values
from .master_flags import FLAGS, NAMES_IN_FILES
from .serving import Server

PROGRAM = "mooncake_master"
_USAGE = (
    f"{PROGRAM} - kvstore_master, with the flags of Mooncake's master\n\n"
    "A flag has one dash or two, and its value after '=' or a space."
)
_MAX_MS = 600_000
_LOG_LEVELS = ("info", "warning", "error")


def main() -> None:
    """Becomes kvstore_master; what serves metadata, if asked for, runs beside it."""
    arguments = sys.argv[1:]
    if _flags.told(PROGRAM, _USAGE, FLAGS, arguments):
        return
    try:
        values, unknown = _read(arguments)
        notes = [*unknown, *_flags.check_absent(values, FLAGS)]
        command = translate(values)
        server = _metadata_server(values)
    except UsageError as error:
        _flags.refuse(PROGRAM, error)
    for note in [*notes, *_other_host(values)]:
        _flags.warn(PROGRAM, note)
    if server is not None:
        run_beside(server.serve)
        server.close()
    os.execv(programs.path_of("kvstore_master"), ["kvstore_master", *command])


def translate(values: Values) -> list[str]:
    """kvstore_master's arguments for Mooncake's flags. Raises UsageError."""

    def value(name: str) -> str:
        return values.get(name, FLAGS[name].default)

    def either(newer: str, older: str, lowest: int, highest: int) -> int:
        number = _flags.whole(newer, value(newer), 0, highest)
        return number if number else _flags.whole(older, value(older), lowest, highest)

    address = resolved("rpc_address", value("rpc_address"))
    lease = _flags.milliseconds("default_kv_lease_ttl", value("default_kv_lease_ttl"))
    if lease > _MAX_MS:
        raise UsageError(f"--default_kv_lease_ttl is {lease} ms, and must be at most {_MAX_MS}")
    gone = _flags.milliseconds("client_ttl", value("client_ttl"), "s")
    full = value("eviction_high_watermark_ratio")
    level = _flags.whole("minloglevel", value("minloglevel"), 0, 3)
    if not _flags.is_true(
        "allow_evict_soft_pinned_objects", value("allow_evict_soft_pinned_objects")
    ):
        raise UsageError(
            "--allow_evict_soft_pinned_objects=false is not offered: pin hard what must stay"
        )
    command = [
        f"--listen={address}",
        f"--port={either('rpc_port', 'port', 0, 65535)}",
        f"--metrics_port={_flags.whole('metrics_port', value('metrics_port'), 0, 65535)}",
        f"--max_threads={min(max(either('rpc_thread_num', 'max_threads', 1, 1 << 20), 4), 4096)}",
        f"--lease_ms={lease}",
        f"--gone_after_ms={min(max(gone, lease, 20), 3_600_000)}",
        f"--log_level={_LOG_LEVELS[min(level, 2)]}",
    ]
    if "eviction_high_watermark_ratio" in values:
        command.append(f"--free_share_wanted={_share_free(full)}")
    if not is_local(address):
        command.append("--insecure_allow_remote")
    return command


def _read(arguments: Sequence[str]) -> tuple[Values, list[str]]:
    """Flags count more than the file. And a line for each setting of the file that is unknown."""
    given = _flags.parse(arguments, FLAGS)
    path = given.get("config_path", "")
    if not path:
        return given, []
    values, unknown = _flags.read_file(path, FLAGS, NAMES_IN_FILES)
    return {**values, **given}, unknown


def _other_host(values: Values) -> list[str]:
    address = values.get("rpc_address", FLAGS["rpc_address"].default)
    host = values.get("metrics_host", "")
    return [f"--metrics_host: HTTP listens on {address}, too"] if host not in ("", address) else []


def _share_free(full: str) -> float:
    try:
        share = float(full)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--eviction_high_watermark_ratio is {full!r}, and must be 0 to 1")
    return round(1 - share, 6)


def _metadata_server(values: Values) -> Server | None:
    name = "enable_http_metadata_server"
    if not _flags.is_true(name, values.get(name, "false")):
        return None
    host = values.get("http_metadata_server_host", FLAGS["http_metadata_server_host"].default)
    text = values.get("http_metadata_server_port", FLAGS["http_metadata_server_port"].default)
    port = _flags.whole("http_metadata_server_port", text, 0, 65535)
    try:
        return metadata_server(host, port)
    except OSError as error:
        raise UsageError(f"can't serve metadata on {host}:{port}: {error}") from None
