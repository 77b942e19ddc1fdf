"""What setup is told, in every form that it takes."""

from __future__ import annotations

import difflib
import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import _log

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_SMALLEST = 1 << 10
_LARGEST_BUFFER = 1 << 40
# Names that callers use for the same thing; the first is Mooncake's own.
_ALIASES = {
    "master_server_addr": ("master_server_addr", "master_server_address"),
    "rdma_devices": ("rdma_devices", "device_name"),
}
_PROTOCOLS = ("tcp", "rdma")
_DEFAULT_MASTER = "127.0.0.1:50051"
# Of a dict; the last two have no effect.
_KEYS = (
    *("local_hostname", "metadata_server", "global_segment_size", "local_buffer_size", "protocol"),
    *(alias for aliases in _ALIASES.values() for alias in aliases),
    *("transfer_timeout", "tenant_id", "enable_ssd_offload", "enable_client_http_server"),
    *("await_puts_ms", "client_http_port", "ssd_offload_path", "ipc_socket_path"),
)


class Refused(Exception):
    """An option is not what it may be; the message names it."""


class NotOffered(Exception):
    """An option asks for what this store does not have."""


@dataclass(frozen=True)
class Options:
    """What a member of a pool is made of. Sizes in bytes, times in seconds."""

    local_hostname: str
    global_segment_size: int
    local_buffer_size: int
    protocol: str
    rdma_devices: tuple[str, ...]
    master: str
    timeout: float
    await_puts: float = 0.0  # see _store/awaiting.py


def setup(
    local_hostname: str,
    metadata_server: str,
    global_segment_size: int,
    local_buffer_size: int,
    protocol: str,
    rdma_devices: str,
    master_server_addr: str,
    engine: object = None,
    enable_ssd_offload: bool = False,
    ssd_offload_path: str = "",
    tenant_id: str = "default",
    enable_client_http_server: bool = False,
    client_http_port: int = 9300,
) -> Options:
    """The form of MooncakeDistributedStore.setup with arguments. Raises TypeError for a wrong type,
    as calls do; Refused, NotOffered."""
    texts = (local_hostname, metadata_server, protocol, rdma_devices, master_server_addr)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("setup(): names, the protocol, devices and addresses are str")
    sizes = [operator.index(size) for size in (global_segment_size, local_buffer_size)]
    if min(sizes) < 0:
        raise TypeError("setup(): sizes are int, and not negative")
    if engine is not None:
        raise NotOffered("engine: there is no transfer engine to share")
    return of_mapping(
        {
            "local_hostname": local_hostname,
            "metadata_server": metadata_server,
            "global_segment_size": sizes[0],
            "local_buffer_size": sizes[1],
            "protocol": protocol,
            "rdma_devices": rdma_devices,
            "master_server_addr": master_server_addr,
            "enable_ssd_offload": enable_ssd_offload,
            "tenant_id": tenant_id,
            "enable_client_http_server": enable_client_http_server,
            "client_http_port": client_http_port,
        }
    )


def of_mapping(config: Mapping[Any, Any]) -> Options:
    """Keys and values are taken by their text; keys that are not known are named in the log, and
    have no effect. Raises Refused, NotOffered."""
    given = {str(key): str(value).strip() for key, value in config.items()}
    _warn_of_unknown(given)
    for name in ("local_hostname", "metadata_server"):
        if not given.get(name):
            raise Refused(f"{name} is missing or empty")
    if _flag(given, "enable_ssd_offload"):
        raise NotOffered("enable_ssd_offload: objects lie in memory only")
    if _flag(given, "enable_client_http_server"):
        raise NotOffered("enable_client_http_server: the master's HTTP port tells of clients")
    if not given.get("client_http_port", "9300").isdecimal():
        raise Refused(f"client_http_port is {given['client_http_port']!r}; it is a port")
    if given.get("tenant_id", "default") not in ("", "default"):
        raise NotOffered(f"tenant_id {given['tenant_id']!r}: there is one tenant, 'default'")
    protocol = given.get("protocol", "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise NotOffered(f"protocol {protocol!r}: offered are {' and '.join(_PROTOCOLS)}")
    devices = re.split(r"[,\s]+", _one_of(given, "rdma_devices", ""))
    return Options(
        local_hostname=given["local_hostname"],
        global_segment_size=_size(given, "global_segment_size"),
        local_buffer_size=_size(given, "local_buffer_size", _LARGEST_BUFFER),
        protocol=protocol,
        rdma_devices=tuple(device for device in devices if device),
        master=_master(given),
        timeout=_timeout(given.get("transfer_timeout", "")),
        await_puts=_await_puts(given.get("await_puts_ms", "")),
    )


def _warn_of_unknown(given: Mapping[str, str]) -> None:
    """A key that was misspelt is one that is missing, and nobody would say so."""
    unknown = [key for key in given if key not in _KEYS]
    if not unknown:
        return
    named = []
    for key in unknown:
        near = difflib.get_close_matches(key, _KEYS, 1)
        named.append(f"{key!r} (is {near[0]!r} meant?)" if near else repr(key))
    _log.error(f"setup of the store: not known, and without effect: {', '.join(named)}")


def _master(given: Mapping[str, str]) -> str:
    master = _one_of(given, "master_server_addr", "")
    if not master:
        _log.warn(f"setup of the store: no master_server_addr is given; {_DEFAULT_MASTER} is asked")
    return master or _DEFAULT_MASTER


def _one_of(given: Mapping[str, str], name: str, otherwise: str) -> str:
    values = [given[alias] for alias in _ALIASES[name] if given.get(alias)]
    if len(set(values)) > 1:
        _log.warn(
            f"setup of the store: {' and '.join(_ALIASES[name])} differ; {values[0]!r} counts"
        )
    return values[0] if values else otherwise


def _size(given: Mapping[str, str], name: str, largest: int | None = None) -> int:
    text = given.get(name, "16MB")
    match = _SIZE.fullmatch(text)
    if not match:
        raise Refused(f'{name} is {text!r}; it is a number of bytes, or such as "16MB"')
    size = int(float(match[1]) * (1 << _UNITS[match[2].lower()]))
    if 0 < size < _SMALLEST or (largest is not None and size > largest):
        raise Refused(f"{name} is {text!r}; it is 0, or 1 KB and more")
    return size


def _flag(given: Mapping[str, str], name: str) -> bool:
    return given.get(name, "").lower() in ("1", "true", "yes", "on")


def _await_puts(given: str) -> float:
    """kvstore's own setting, in LMCache's extra_config `mooncake_await_puts_ms`."""
    text = given or os.environ.get("KVSTORE_AWAIT_PUTS_MS", "") or "0"
    try:
        milliseconds = float(text)
    except ValueError:
        raise Refused(f"await_puts_ms is {text!r}; it is in milliseconds") from None
    if not 0 <= milliseconds <= 60_000:
        raise Refused(f"await_puts_ms is {text!r}; it is 0 to 60000")
    return milliseconds / 1000


def _timeout(given: str) -> float:
    """Of every call; LMCache's and Mooncake's own setting, else 30 s."""
    text = given or os.environ.get("MC_TRANSFER_TIMEOUT", "") or "30"
    try:
        seconds = float(text)
    except ValueError:
        raise Refused(f"the transfer timeout is {text!r}; it is in seconds") from None
    if not seconds > 0:
        raise Refused(f"the transfer timeout is {text!r}; it is more than 0 s")
    return seconds
