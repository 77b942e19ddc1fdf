"""What a program that a test has started writes."""

from __future__ import annotations

import re
import threading
from typing import IO


class Lines:
    """Its output, line by line, read all the time, lest it blocks."""

    def __init__(self, output: IO[str] | None) -> None:
        assert output
        self.read: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(output,), daemon=True).start()

    def wait(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first line that matches. Fails then, or where all was read and none does."""

        def found() -> re.Match[str] | None:
            return next((m for line in self.read if (m := re.search(pattern, line))), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, seconds)
            match = found()
        assert match, f"no line matches {pattern!r} in:\n" + "".join(self.read)
        return match

    def _read(self, output: IO[str]) -> None:
        for line in output:
            with self._changed:
                self.read.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
