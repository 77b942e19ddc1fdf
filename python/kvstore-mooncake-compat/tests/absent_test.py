"""What is not offered says so."""

from __future__ import annotations

import importlib
import importlib.util

import pytest
from mooncake import store


@pytest.mark.parametrize("name", ["engine", "allocator", "ep", "pg", "mooncake_store_service"])
def test_modules(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"mooncake.{name} is not offered by") as error:
        importlib.import_module(f"mooncake.{name}")
    # As where there is no package mooncake: callers compare that.
    assert error.value.name == "mooncake"
    with pytest.raises(ModuleNotFoundError):
        importlib.util.find_spec(f"mooncake.{name}")


def test_other_modules() -> None:
    assert importlib.util.find_spec("mooncake.nothing") is None
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        importlib.import_module("mooncake.nothing")


def test_calls() -> None:
    register = store.MooncakeDistributedNoFRegister()
    assert register.real_register("nqn", 1, "a", 1, 2, 3, "m") == -1012
    assert register.real_unregister_by_endpoint("nqn", 1, "a", 1, "m") == -1012
    for call in (
        *(store.EngramStore, store.EngramStoreConfig),
        *(store.get_alloc_func_addr, store.get_free_func_addr),
    ):
        with pytest.raises(RuntimeError, match="not offered"):
            call()
