from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from pool import Pool

import kvstore


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """A pool for tests that leave it as it is."""
    with Pool(metrics=True) as started:
        yield started


@pytest.fixture(scope="session")
def client(pool: Pool) -> Iterator[kvstore.Client]:
    with kvstore.Client(pool.address) as connected:
        yield connected


_numbers = count()


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"key-{next(_numbers)}"
