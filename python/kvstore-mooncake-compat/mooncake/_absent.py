"""What Mooncake has and this distribution does not offer: it says so when it is used."""

from __future__ import annotations

from typing import Any, NoReturn

_NOT_SUPPORTED = -1012
_SEE = "docs/mooncake.md lists what is not offered"


def refuse_module(name: str, why: str) -> NoReturn:
    """For the body of a module that is not offered."""
    raise ImportError(
        f"{name} is not offered by kvstore-mooncake-compat: {why} ({_SEE})", name=name
    )


class MooncakeDistributedNoFRegister:
    """NVMe-oF pools are not offered: every call is answered with NOT_SUPPORTED."""

    def real_register(self, *_: Any) -> int:
        return _NOT_SUPPORTED

    def real_unregister_by_endpoint(self, *_: Any) -> int:
        return _NOT_SUPPORTED


class EngramStoreConfig:
    """Engram tables are not offered. Raises RuntimeError."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise RuntimeError(f"Engram tables are not offered ({_SEE})")


class EngramStore(EngramStoreConfig):
    """Engram tables are not offered. Raises RuntimeError."""


def get_alloc_func_addr() -> int:
    """Raises RuntimeError: there is no allocator in C for plug-in allocators."""
    raise RuntimeError(f"an allocator function in C is not offered ({_SEE})")


def get_free_func_addr() -> int:
    """Raises RuntimeError, as get_alloc_func_addr."""
    raise RuntimeError(f"an allocator function in C is not offered ({_SEE})")
