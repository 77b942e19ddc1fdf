"""Hosts and ports as Mooncake's flags name them."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from .flags import UsageError


def resolved(flag: str, host: str) -> str:
    """The address of a host. Raises UsageError."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--{flag} is {host!r}, and no address: {error}") from None
    # IPv4 where there is a choice: clients that are told localhost ask there.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])


def towards(flag: str, address: str) -> str:
    """This host's address as HOST:PORT sees it. Raises UsageError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"--{flag} is {address!r}, and must be HOST:PORT")
    peer = resolved(flag, host)
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # sends nothing
        try:
            probe.connect((peer, int(port)))
        except OSError as error:
            raise UsageError(f"--{flag} {address} can't be reached: {error}") from None
        return str(probe.getsockname()[0])


def is_local(address: str) -> bool:
    return ip_address(address).is_loopback


def with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
