from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from pool import Pool

_numbers = count()


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A master and one node that lends 64 MiB."""
    with Pool(metrics=True) as started:
        yield started


@pytest.fixture
def number() -> int:
    """Another one for each test: keys made of it are used by no other."""
    return next(_numbers)
