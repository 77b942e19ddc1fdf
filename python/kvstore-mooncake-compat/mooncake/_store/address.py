"""The name of a member, "host:port" as its user wrote the host, and where it listens."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from .options import Refused

_DEFAULT_PORTS = (12300, 14300)
_DEFAULT_TRIES = 20


@dataclass(frozen=True)
class Address:
    """One place to try."""

    name: str  # "host:port"
    listen: str
    advertise: str
    allow_remote: bool


def candidates(local_hostname: str) -> Iterator[Address]:
    """The named port, or ports that may be free; then the same behind an address translation, where
    the host's own address is none of this machine's. Raises Refused for what names no host."""
    host, port = _split(local_hostname)
    ip = _resolved(host)
    ports = [port] if port else _random_ports()
    for candidate in ports:
        yield _at(host, ip, candidate, any_address=False)
    if not ip.is_loopback:
        yield _at(host, ip, ports[0], any_address=True)


def _at(
    host: str,
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
    port: int,
    *,
    any_address: bool,
) -> Address:
    bracketed = f"[{ip}]" if ip.version == 6 else str(ip)
    everywhere = "[::]" if ip.version == 6 else "0.0.0.0"
    return Address(
        name=f"{f'[{host}]' if ':' in host else host}:{port}",
        listen=f"{everywhere if any_address else bracketed}:{port}",
        advertise=f"{bracketed}:{port}" if any_address else "",
        allow_remote=not ip.is_loopback,
    )


def is_loopback(name: str) -> bool:
    """Whether a host, or host:port, is named as this host for itself."""
    host = name.removeprefix("[").partition("]")[0] if "[" in name else name
    host = host if host.count(":") > 1 else host.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(local_hostname: str) -> tuple[str, int]:
    """The host, and the port; 0: none is named."""
    text = local_hostname
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise Refused(f"local_hostname is {text!r}; it is a host, or host:port")
    return host, int(port or 0)


def _resolved(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"local_hostname names {host!r}, which is unknown here ({error})") from None
    # IPv4 where there is a choice: masters listen there.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])


def _random_ports() -> list[int]:
    first = _setting("MC_STORE_CLIENT_MIN_PORT", _DEFAULT_PORTS[0])
    last = _setting("MC_STORE_CLIENT_MAX_PORT", _DEFAULT_PORTS[1])
    tries = _setting("MC_STORE_CLIENT_SETUP_RETRIES", _DEFAULT_TRIES)
    ports = range(first, max(first, last) + 1)
    return random.sample(ports, min(max(tries, 1), len(ports)))


def _setting(name: str, otherwise: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else otherwise
