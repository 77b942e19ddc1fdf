"""A busy machine is not a silent master."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

try:
    from mooncake._store import patience
except ImportError:  # Mooncake's own package
    pass
else:

    @pytest.fixture(autouse=True)
    def patient_looks() -> Iterator[None]:
        """Looks wait as long as other calls may. silent_master_test is about those that don't.
        With a patch of its own: a test's `undo` leaves it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(patience, "_LOOK", 30.0)
            yield
