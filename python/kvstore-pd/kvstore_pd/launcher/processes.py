"""Programs at work: in the background, with a log and a pid file each.

A pid alone names nobody for long: the kernel gives it to the next. The file therefore holds when
the process began, by the kernel's clock, and in which boot; who does not match it is somebody else.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .programs import Program

_POLL = 0.05
_KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Process:
    pid: int
    began: int  # in clock ticks since the boot
    boot: str
    command: list[str]

    def is_alive(self) -> bool:
        """Not a zombie, either: whoever started it may never ask how it ended."""
        return self.boot == _boot() and _stat(self.pid) == (self.began, True)

    def seconds(self) -> float:
        """Since its start."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.began / os.sysconf("SC_CLK_TCK")


class Places:
    """The state folder. What is in it may tell of secrets in environments and prompts in logs, so
    that only its owner reads it."""

    def __init__(self, state: Path) -> None:
        self.state = state.resolve()

    def make(self) -> None:
        """Raises OSError. One that was there before is not made narrower: it may be in use for
        something else."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.state.stat().st_mode & 0o077:
            raise PermissionError(
                f"{self.state} is open to other users, and logs in it may tell of prompts and "
                f"secrets: `chmod 700 {shlex.quote(str(self.state))}`, or set state to a folder "
                "that holds nothing else"
            )
        (self.state / "config").mkdir(exist_ok=True)

    def log(self, name: str) -> Path:
        return self.state / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.state / f"{name}.pid.json"

    def noted(self, name: str) -> Process | None:
        """Who was started under this name last, alive or not."""
        try:
            found = json.loads(self.pid_file(name).read_text())
            return Process(**found)
        except (OSError, ValueError, TypeError):
            return None

    def alive(self, name: str) -> Process | None:
        process = self.noted(name)
        return process if process and process.is_alive() else None

    def names(self) -> list[str]:
        """Of all that were started and not taken down."""
        return sorted(file.name.removesuffix(".pid.json") for file in self.state.glob("*.pid.json"))

    def tail(self, name: str, lines: int = 20) -> list[str]:
        try:
            text = self.log(name).read_text(errors="replace")
        except OSError:
            return []
        return text.splitlines()[-lines:]


def start(places: Places, program: Program) -> Process:
    """In a session of its own: what ends a terminal does not end it. In the state folder: `python
    -m` looks for modules where it is started, and what lies about there is not meant. Raises
    OSError."""
    for path, text in program.files.items():
        path.write_text(text)
    log = places.log(program.name)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    env = {**os.environ, **program.env}
    with open(log, "wb") as output:
        child = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=places.state,
            start_new_session=True,
        )
    began, _ = _stat(child.pid) or (0, False)
    process = Process(child.pid, began, _boot(), program.command)
    _write(places.pid_file(program.name), json.dumps(asdict(process)))
    return process


def stop(places: Places, name: str, seconds: float) -> str:
    """How it ended: "stopped", "killed" where it did not end in time, "gone" where it had ended
    before. What it had started and left behind is killed with it."""
    process = places.noted(name)
    if process is None:
        return "gone"
    word = "gone"
    if process.is_alive():
        _send(process.pid, signal.SIGTERM)
        word = "stopped" if _wait_end(process, seconds) else "killed"
        if word == "killed":
            _send(process.pid, signal.SIGKILL)
            _wait_end(process, _KILL_SECONDS)
    for pid in list(_left_behind(process, places)):
        _send(pid, signal.SIGKILL)
    places.pid_file(name).unlink(missing_ok=True)
    return word


def _wait_end(process: Process, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while process.is_alive():
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL)
    return True


def _left_behind(process: Process, places: Places) -> Iterator[int]:
    """Who else is in its session and writes into a log of ours. A session's number is not given
    away as long as one is in it; but where nobody is left, its next owner may be anybody. (Engines'
    processes write a title over their environment, so that a mark there would not do.)"""
    if process.boot != _boot():
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                fields = _fields(entry / "stat")
                if int(fields[3]) == process.pid and fields[0] != "Z" and _logs(entry, places):
                    yield int(entry.name)
            except (OSError, IndexError, ValueError):
                continue  # It has ended meanwhile.


def _logs(entry: Path, places: Places) -> bool:
    outputs = (os.readlink(entry / "fd" / number) for number in ("1", "2"))
    return any(Path(output).parent == places.state for output in outputs)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _fields(stat: Path) -> list[str]:
    """From the third on: the second, a name, may hold blanks and brackets."""
    return stat.read_text().rpartition(") ")[2].split()


def _stat(pid: int) -> tuple[int, bool] | None:
    """When it began, and whether it is more than a zombie. None: there is none."""
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
        return int(fields[19]), fields[0] not in ("Z", "X")
    except (OSError, IndexError, ValueError):
        return None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _write(path: Path, text: str) -> None:
    """All or nothing."""
    whole = path.with_suffix(".new")
    whole.write_text(text)
    whole.replace(path)
