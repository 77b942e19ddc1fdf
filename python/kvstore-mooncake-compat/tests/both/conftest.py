"""What must be the same on Mooncake's own wheel and on this one.

These tests know the package `mooncake` only, so that they run where either is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from deployment import SHORT_LEASE, Master, new_store
from mooncake.store import MooncakeDistributedStore

StoreFactory = Callable[..., MooncakeDistributedStore]


@pytest.fixture(scope="session")
def master() -> Iterator[Master]:
    """A master for tests that leave it as it is."""
    with Master() as started:
        yield started


@pytest.fixture
def store_factory(master: Master) -> Iterator[StoreFactory]:
    """Makes stores of that master's pool; `lent` and `local` bytes are theirs, each."""
    made: list[MooncakeDistributedStore] = []

    def make(lent: int = 64 << 20, local: int = 32 << 20) -> MooncakeDistributedStore:
        made.append(new_store(master.address, lent, local))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture(scope="session")
def store(master: Master) -> Iterator[MooncakeDistributedStore]:
    """A store that lends memory, for tests that leave it as it is."""
    made = new_store(master.address, 256 << 20, 64 << 20)
    yield made
    made.close()


@pytest.fixture(scope="session")
def briefly_leased() -> Iterator[MooncakeDistributedStore]:
    """A store of a pool of its own, whose master gives short leases."""
    with Master(lease=SHORT_LEASE) as master:
        made = new_store(master.address, 32 << 20, 16 << 20)
        yield made
        made.close()


_numbers = count()


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"model@1@0@{next(_numbers):x}@half@tag%value/part:1.0"
