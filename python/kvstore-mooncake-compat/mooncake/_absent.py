"""What Mooncake has and this distribution does not offer: it says so when it is used."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_NOT_SUPPORTED = -1012
_SEE = "docs/mooncake.md lists what is not offered"


_ENGINE = (
    "kvstore moves bytes itself; for a transfer engine Mooncake's wheel needs its own environment"
)
_EXPERTS = "expert parallelism and process groups are Mooncake's own"
_MODULES = {
    "mooncake.engine": _ENGINE,
    "mooncake.allocator": "memory of GPUs is not offered",
    "mooncake.ep": _EXPERTS,
    "mooncake.pg": _EXPERTS,
    "mooncake.mooncake_ep_buffer": _EXPERTS,
    "mooncake.mooncake_elastic_buffer": _EXPERTS,
    "mooncake.mooncake_connector_v1": _ENGINE,
    "mooncake.structured_object_store": "objects of reinforcement learning are not offered",
    "mooncake.dataproto_catalog": "objects of reinforcement learning are not offered",
    "mooncake.mooncake_store_service": "there is no REST service; use kvctl, or Python",
}


class _Finder(MetaPathFinder):
    """Asked last: says of modules that are not offered why they aren't.

    It raises, where a finder that knows nothing returns None: who only asks whether they are there
    gets the error that he gets where there is no package mooncake at all, down to the name in it.
    LMCache's server goes on without Mooncake's transfer engine for that name alone.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        why = _MODULES.get(fullname)
        if why is None:
            return None
        raise ModuleNotFoundError(
            f"{fullname} is not offered by kvstore-mooncake-compat: {why} ({_SEE})", name="mooncake"
        )


def explain_imports() -> None:
    """From now on."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


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
