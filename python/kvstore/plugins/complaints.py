"""What is said aloud. Engines do not pass errors on to anybody, and calls come by the thousand."""

from __future__ import annotations

import logging
import threading
import time

SECONDS_BETWEEN = 60.0


class Complaints:
    """Says what fails again and again at once, then once a minute at most, with how often it was.
    Used by many threads."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._mutex = threading.Lock()
        self._unsaid: dict[str, int] = {}
        self._next: dict[str, float] = {}

    def add(self, kind: str, message: object, count: int = 1) -> None:
        """`kind` names what fails, in words; what is said in the same minute is said once."""
        now = time.monotonic()
        with self._mutex:
            count += self._unsaid.pop(kind, 0)
            if now < self._next.get(kind, now):
                self._unsaid[kind] = count
                return
            self._next[kind] = now + SECONDS_BETWEEN
        self._logger.warning("kvstore: %s (%d of them): %s", kind, count, message)
