"""Programs that are started, watched and stopped, and can be stopped by a later command, too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE = 60.0  # seconds, for what must happen on a busy machine
_START = 300.0  # seconds: an engine takes 30 to 160
_END = 20.0  # seconds, until what was asked to end is killed


class Failure(Exception):
    """Something did not happen; the message says what, and where to look."""


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def wait_for(what: str, happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Looks until it has happened. Raises Failure after so many seconds."""
    until = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > until:
            raise Failure(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Whether a server says there that it is well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return 200 <= answer.status < 300
    except (OSError, urllib.error.URLError):
        return False


class Log:
    """A file that a program writes to. Thread-compatible."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self, start: int = 0) -> str:
        """What was written, from this offset on."""
        with self.path.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    def size(self) -> int:
        return self.path.stat().st_size

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.text().splitlines()[-lines:])


class Program(Log):
    """A process with children of its own, whose output goes to a file. Confined to one thread."""

    def __init__(
        self, root: Path, name: str, command: Sequence[str | Path], env: Mapping[str, str]
    ) -> None:
        super().__init__(root / "log" / f"{name}.log")
        self.name = name
        self._note = root / "run" / f"{name}.pid"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._note.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("wb") as out:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._note.write_text(json.dumps({"pid": self.pid, "began": _began(self.pid)}))

    def wait_until(self, happened: Callable[[], object], seconds: float = _START) -> None:
        """Raises Failure, with the end of the log, if it ends before, or time does."""

        def looked() -> bool:
            if self._process.poll() is not None:
                raise Failure(f"{self.name} ended with {self._process.returncode}\n{self.tail()}")
            return bool(happened())

        wait_for(f"{self.name} is ready ({self.path})", looked, seconds)

    def wait_healthy(self, url: str) -> None:
        self.wait_until(lambda: answers(url))

    def wait_end(self, seconds: float) -> int:
        """Its exit status, once it ends by itself. Raises Failure where that takes longer."""
        wait_for(f"{self.name} ends", lambda: self._process.poll() is not None, seconds)
        return self._process.wait()

    def kill(self) -> None:
        """All of it, at once."""
        _signal_group(self.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._note.unlink(missing_ok=True)

    def stop(self) -> None:
        """Asks it to end, and kills what does not."""
        _end_group(self.pid, lambda: self._process.poll() is not None)
        self._process.wait(PATIENCE)
        self._note.unlink(missing_ok=True)


def stop_all(root: Path) -> list[str]:
    """Ends what earlier commands left running; their names."""
    ended = []
    for note in sorted((root / "run").glob("*.pid")):
        known = json.loads(note.read_text())
        # Another process may have got the number since.
        if _began(known["pid"]) == known["began"]:
            _end_group(known["pid"], lambda: True)
            ended.append(note.stem)
        note.unlink(missing_ok=True)
    return ended


def is_running(pid: int) -> bool:
    """False also of one that waits to be buried."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def _end_group(group: int, gone: Callable[[], bool]) -> None:
    _signal_group(group, signal.SIGTERM)
    until = time.monotonic() + _END
    while time.monotonic() < until and not (gone() and not _members(group)):
        time.sleep(0.05)
    _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def _members(group: int) -> list[int]:
    """The processes of a group that are not waiting to be buried."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields and int(fields[2]) == group and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def _began(pid: int) -> str | None:
    """When a process began, in the clock of /proc."""
    fields = _stat(pid)
    return fields[19] if fields else None


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
