"""A busy machine is not a silent master."""

from __future__ import annotations

import pytest

try:
    from mooncake._store import patience
except ImportError:  # Mooncake's own package
    pass
else:

    @pytest.fixture(autouse=True)
    def patient_looks(monkeypatch: pytest.MonkeyPatch) -> None:
        """Looks wait as long as other calls may. silent_master_test is about those that don't."""
        monkeypatch.setattr(patience, "_LOOK", 30.0)
