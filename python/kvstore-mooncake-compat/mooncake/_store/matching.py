"""Which keys a regular expression has a match in."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .patience import Deadline

_PROGRAM = Path(__file__).with_name("search_keys.py")


class Matcher:
    """Some patterns take exponential time on some keys; nothing ends such a search, and no thread
    of its process runs meanwhile. So another process searches, which is ended at the deadline."""

    def __init__(self, pattern: str, deadline: Deadline) -> None:
        """Raises OSError: no process can be started."""
        self._deadline = deadline
        self._process = subprocess.Popen(
            [sys.executable or "python3", "-I", "-S", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = threading.Timer(min(deadline.left, threading.TIMEOUT_MAX), self._process.kill)
        self._end.daemon = True
        self._end.start()
        self._tell(pattern)

    def matching(self, keys: Sequence[bytes]) -> list[bytes]:
        """Those of the keys that have a match in them. Raises TimeoutError: not by the deadline;
        OSError: the process has ended."""
        self._tell([key.decode(errors="surrogateescape") for key in keys])
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return [keys[i] for i in json.loads(line)]
        if self._deadline.passed:
            raise TimeoutError("the pattern takes too long on these keys")
        raise OSError(f"the search has ended with {self._process.wait()}")

    def _tell(self, value: object) -> None:
        assert self._process.stdin is not None
        # One that has ended is found when it is asked for its answer.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()

    def __enter__(self) -> Matcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.cancel()
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
