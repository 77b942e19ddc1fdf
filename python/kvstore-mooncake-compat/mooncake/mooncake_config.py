"""mooncake.mooncake_config: how a store is set up, from JSON or the environment.

The store itself needs master_server_address, and lends global_segment_size bytes. metadata_server
is accepted and not needed. docs/mooncake.md tells what becomes of each field.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_log = logging.getLogger(__name__)

DEFAULT_GLOBAL_SEGMENT_SIZE = 3355443200
DEFAULT_LOCAL_BUFFER_SIZE = 1073741824

_REQUIRED = ("local_hostname", "metadata_server", "master_server_address")
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_YES = ("true", "1", "yes", "on", "enable")
_NO = ("false", "0", "no", "off", "disable", "")

# Bytes travel here by shared memory, TCP or RDMA, whichever of these is named.
_OFFERED_PROTOCOLS = ("tcp", "rdma")
_KNOWN_PROTOCOLS = (
    *_OFFERED_PROTOCOLS,
    *("ascend", "barex", "cxl", "efa", "hip", "maca", "musa", "nvlink", "nvlink_intra", "nvmeof"),
    *("rpc_only", "sunrise_link", "ub", "ubshmem"),
)


def _parse_segment_size(value: Any) -> int:
    """Bytes: a number, or text such as "16MB", "1.5 gb" or "4096". A unit is 1024 of the one
    before. Raises ValueError."""
    if not isinstance(value, str):
        return int(value)
    digits = value.strip().lower()
    unit = ""
    if digits.endswith("b"):
        digits, unit = digits[:-1], "b"
    if digits and digits[-1] in "kmgt":
        digits, unit = digits[:-1], digits[-1]
    digits = digits.strip()
    if not digits:
        raise ValueError(f"Invalid segment size: {value!r} has no number")
    return int(float(digits) * _UNITS[unit])


def _parse_bool(value: Any) -> bool:
    """Raises ValueError for text that is neither yes nor no."""
    if value is None:
        return False
    if isinstance(value, bool | int | float):
        return bool(value)
    word = str(value).strip().lower()
    if word not in _YES and word not in _NO:
        raise ValueError(f"Invalid boolean value: {value!r}")
    return word in _YES


@dataclass
class MooncakeConfig:
    """How a store is set up.

    local_hostname: where peers reach this process, a host or host:port.
    metadata_server: any text; not needed here.
    global_segment_size: memory lent to the pool, in bytes.
    local_buffer_size: in bytes; 0: no staged calls (put, get_buffer).
    protocol: "tcp", or "rdma" with device_name; in lower case once it is set.
    device_name: RDMA devices with commas.
    master_server_address: host:port.

    Raises ValueError, with the field's name, for values that can't be.
    """

    local_hostname: str
    metadata_server: str
    global_segment_size: int
    local_buffer_size: int
    protocol: str
    device_name: str | None
    master_server_address: str
    enable_ssd_offload: bool = False
    ssd_offload_path: str = ""
    tenant_id: str = "default"
    enable_client_http_server: bool = False
    client_http_port: int = 9300

    def __post_init__(self) -> None:
        if not isinstance(self.protocol, str) or not self.protocol.strip():
            raise ValueError(f"Invalid protocol: {self.protocol!r} ('tcp' or 'rdma' is wanted)")
        self.protocol = self.protocol.strip().lower()
        if self.protocol not in _KNOWN_PROTOCOLS:
            _log.warning("protocol %r is unknown; known are %s", self.protocol, _KNOWN_PROTOCOLS)
        for name in ("global_segment_size", "local_buffer_size"):
            size = getattr(self, name)
            if size < 0:
                raise ValueError(f"Invalid {name}: {size} is negative")
        for name in _REQUIRED:
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"Config field {name!r} must not be empty, and is {value!r}")

    @staticmethod
    def from_file(file_path: str) -> MooncakeConfig:
        """From a JSON object with the fields above. Raises ValueError, OSError."""
        with open(file_path, encoding="utf-8") as file:
            fields = json.load(file)
        for name in _REQUIRED:
            if name not in fields:
                raise ValueError(f"Missing required config field: {name}")
        return _made(fields)

    @staticmethod
    def load_from_env() -> MooncakeConfig:
        """From the file that MOONCAKE_CONFIG_PATH names, else from MOONCAKE_MASTER and its kin
        (docs/mooncake.md). Raises ValueError, OSError."""
        path = os.environ.get("MOONCAKE_CONFIG_PATH")
        if path is not None:
            return MooncakeConfig.from_file(path)
        if not os.environ.get("MOONCAKE_MASTER"):
            raise ValueError(
                "Neither the environment variable 'MOONCAKE_CONFIG_PATH' nor 'MOONCAKE_MASTER' "
                "is set."
            )
        given = {
            field: os.environ[variable]
            for field, variable in _VARIABLES.items()
            if variable in os.environ
        }
        return _made({"local_hostname": "localhost", "metadata_server": "P2PHANDSHAKE", **given})


_VARIABLES = {
    "local_hostname": "MOONCAKE_LOCAL_HOSTNAME",
    "metadata_server": "MOONCAKE_TE_META_DATA_SERVER",
    "global_segment_size": "MOONCAKE_GLOBAL_SEGMENT_SIZE",
    "local_buffer_size": "MOONCAKE_LOCAL_BUFFER_SIZE",
    "protocol": "MOONCAKE_PROTOCOL",
    "device_name": "MOONCAKE_DEVICE",
    "master_server_address": "MOONCAKE_MASTER",
    "enable_ssd_offload": "MOONCAKE_OFFLOAD_ENABLED",
    "ssd_offload_path": "MOONCAKE_OFFLOAD_FILE_STORAGE_PATH",
    "tenant_id": "MOONCAKE_TENANT_ID",
    "enable_client_http_server": "MOONCAKE_ENABLE_CLIENT_HTTP_SERVER",
    "client_http_port": "MOONCAKE_CLIENT_HTTP_PORT",
}


def _made(fields: Mapping[str, Any]) -> MooncakeConfig:
    def or_else(name: str, default: str) -> str:
        value = fields.get(name)
        return default if value is None else str(value)

    def size(name: str, default: int) -> int:
        return _parse_segment_size(fields.get(name, default))

    return MooncakeConfig(
        local_hostname=fields["local_hostname"],
        metadata_server=fields["metadata_server"],
        global_segment_size=size("global_segment_size", DEFAULT_GLOBAL_SEGMENT_SIZE),
        local_buffer_size=size("local_buffer_size", DEFAULT_LOCAL_BUFFER_SIZE),
        protocol=fields.get("protocol", "tcp"),
        device_name=fields.get("device_name", ""),
        master_server_address=fields["master_server_address"],
        enable_ssd_offload=_parse_bool(fields.get("enable_ssd_offload", False)),
        ssd_offload_path=or_else("ssd_offload_path", ""),
        tenant_id=or_else("tenant_id", "default"),
        enable_client_http_server=_parse_bool(fields.get("enable_client_http_server", False)),
        client_http_port=int(fields.get("client_http_port", 9300)),
    )
