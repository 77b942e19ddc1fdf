"""From setup to close."""

from __future__ import annotations

import kvstore


class Life:
    """Holds the client between setup and close."""

    def __init__(self) -> None:
        self._client: kvstore.Client | None = None

    def close(self) -> int:
        """Leaves the pool, taking along what lies in the memory lent to it. 0, also when there is
        nothing to leave."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        return 0

    def health_check(self) -> int:
        """0: in a pool; 1: before setup or after close; 2: the master can't be reached."""
        client = self._client
        if client is None or client.closed:
            return 1
        try:
            client.exists("health", timeout=5.0)
        except kvstore.Error:
            return 2
        return 0
