"""What is said aloud: callers ignore codes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_logger = logging.getLogger("mooncake")
_SECONDS_BETWEEN = 60.0


def error(message: str) -> None:
    _logger.error("%s", message)


def warn(message: str) -> None:
    _logger.warning("%s", message)


class Complaints:
    """Says what fails again and again once a minute at most, and how often that was."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._mutex = threading.Lock()
        self._unsaid = 0
        self._next = 0.0

    def add(self, count: int, message: str) -> None:
        now = time.monotonic()
        with self._mutex:
            self._unsaid += count
            if now < self._next:
                return
            count, self._unsaid = self._unsaid, 0
            self._next = now + _SECONDS_BETWEEN
        self._say(f"{count} failed: {message}")
