"""What an engine's configuration may say of the pool."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import kvstore

_AWAITING_LOOKS = 32
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True)
class Settings:
    """Times are in seconds, sizes in bytes, or texts such as "4GiB"."""

    master: str = "127.0.0.1:50051"  # HOST:PORT
    name: str = ""  # shown to operators; empty: made up
    lend_bytes: int = 0  # to the pool; 0: it lives on what nodes lend
    listen: str = "127.0.0.1:0"  # where peers reach what is lent
    advertise: str = ""  # what they are told instead
    allow_remote: bool = False  # to listen on other than loopback
    ways: tuple[str, ...] = ()  # "shm,tcp"; empty: all, RDMA only where devices are named
    rdma_devices: tuple[str, ...] = ()
    key_prefix: str = ""  # before every key: keeps what must not be mixed apart
    # The calls' ends. An engine waits for none of them longer; one that is late is a miss.
    connect_seconds: float = 5.0
    look_seconds: float = 1.0
    get_seconds: float = 5.0
    put_seconds: float = 10.0
    # A look for keys whose put is announced waits so long for it (kvstore.Client.exists). For
    # decode workers; not for those that put what they don't find. Where it is not given: the
    # environment's KVSTORE_AWAIT_PUTS_MS.
    await_puts_ms: int = 0
    # How objects are put: see kvstore.PutOptions.
    replicas: int = 1
    soft_pin_seconds: float = 0.0
    ttl_seconds: float = 0.0
    check_source: bool = False
    threads: int = 4  # calls at a time, 1 to 64

    @property
    def look_threads(self) -> int:
        """How many looks at a time: one that awaits a put holds up no other."""
        return max(self.threads, _AWAITING_LOOKS) if self.await_puts_ms else self.threads


class WrongSetting(ValueError):
    """Names the setting, what it is and what it may be."""


def settings_of(given: Mapping[str, object], where: str) -> Settings:
    """What `given` says, by the names above. `where` is where that stands, for who reads the error:
    it comes before each name. Raises WrongSetting, also for a name that is none."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(Settings)}
    unknown = sorted(set(given) - set(fields))
    if unknown:
        near = difflib.get_close_matches(unknown[0], fields, 1)
        raise WrongSetting(
            f"{where}{unknown[0]} is no setting"
            + (f"; did you mean {where}{near[0]}?" if near else "")
            + f" Settings are {', '.join(fields)}"
        )
    read: dict[str, object] = {}
    if given.get("await_puts_ms") is None:
        given = {**given, "await_puts_ms": os.environ.get("KVSTORE_AWAIT_PUTS_MS") or None}
    for name, value in given.items():
        if value is None:
            continue
        try:
            read[name] = _READERS[fields[name]](value)
        except (TypeError, ValueError) as error:
            raise WrongSetting(f"{where}{name} is {value!r}; {error}") from None
    settings = Settings(**read)  # type: ignore[arg-type]
    for name in fields:
        amount = getattr(settings, name)
        if name.endswith(("_seconds", "_ms", "_bytes")) and not 0 <= amount < 1 << 60:
            raise WrongSetting(f"{where}{name} is {amount}; it may not be negative, nor endless")
    for name in ("look_seconds", "get_seconds", "put_seconds", "connect_seconds"):
        if getattr(settings, name) == 0:
            raise WrongSetting(f"{where}{name} is 0; no call can be done in no time")
    if settings.await_puts_ms > 60_000:
        raise WrongSetting(f"{where}await_puts_ms is {settings.await_puts_ms}; 60000 is the most")
    if not 1 <= settings.threads <= 64:
        raise WrongSetting(f"{where}threads is {settings.threads}; it may be 1 to 64")
    if not 1 <= settings.replicas <= 8:
        raise WrongSetting(f"{where}replicas is {settings.replicas}; it may be 1 to 8")
    return settings


def put_options(settings: Settings) -> kvstore.PutOptions:
    """How they have objects put. Raises kvstore.InvalidArgument."""
    return kvstore.PutOptions(
        replicas=settings.replicas,
        soft_pin=settings.soft_pin_seconds,
        ttl=settings.ttl_seconds,
        check_source=settings.check_source,
    )


def bytes_of(value: object) -> int:
    """A number of bytes, or a text such as "64MiB", "4 GB", "1024": powers of 1024 all."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", str(value).lower())
    if not match:
        raise ValueError('it may be a number of bytes, or such as "4GiB"')
    return int(float(match[1]) * _UNITS[match[2]])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be a text")
    return value


def _flag(value: object) -> bool:
    texts = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, str | bool | int) and str(value).lower() in texts:
        return texts[str(value).lower()]
    raise ValueError("it may be true or false")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("it must be a number of seconds")
    return float(value)


def _texts(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError("it may be a list, or texts with commas between")
    return tuple(text.strip() for text in map(_text, items) if text.strip())


_READERS: dict[str, Callable[[object], object]] = {
    "str": _text,
    "int": bytes_of,
    "float": _seconds,
    "bool": _flag,
    "tuple[str, ...]": _texts,
}
