"""A pair of stand-ins in a folder of its own, and kvstore-pd at work on it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kvstore_pd.launcher import processes
from ports import free_port

PATIENCE = 60.0
STAND_IN = str(Path(__file__).with_name("stand_in.py"))
PROGRAM = str(Path(sys.executable).with_name("kvstore-pd"))


class Pair:
    """One prefiller, one decoder, a proxy. `master` is a socket that listens: what workers, which
    are stand-ins, would find there is no matter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "kvstore-pd.yaml"
        self.master = socket.create_server(("127.0.0.1", 0))
        self.settings: dict[str, Any] = {
            "model": "org/model",
            "stop_timeout": PATIENCE,
            "store": {"master": f"127.0.0.1:{self.master.getsockname()[1]}"},
            "prefillers": [self.stand_in()],
            "decoders": [self.stand_in()],
            "proxy": {"port": free_port(), "args": ["--health-interval", "0.1"]},
        }

    def stand_in(self, *mode: str) -> dict[str, Any]:
        return {"port": free_port(), "command": ["{python}", STAND_IN, "{port}", *mode]}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.begin(*arguments).done()

    def begin(self, *arguments: str) -> Run:
        self.file.write_text(yaml.safe_dump(self.settings))
        return Run(self.folder, *arguments)

    def states(self) -> dict[str, str]:
        rows = json.loads(self.run("status", "--json").stdout)
        return {row["name"]: row["state"] for row in rows}

    def wait_states(self, *expected: str) -> None:
        """Until these are the states of all, in their order: on a busy machine a program that is
        ready may be asked in vain once."""
        until = time.monotonic() + PATIENCE
        while (found := tuple(self.states().values())) != expected:
            assert time.monotonic() < until, found

    def pid(self, name: str) -> int:
        found = json.loads((self.folder / ".kvstore-pd" / f"{name}.pid.json").read_text())["pid"]
        assert isinstance(found, int)
        return found

    def log(self, name: str) -> str:
        return (self.folder / ".kvstore-pd" / f"{name}.log").read_text()

    def environment(self, name: str) -> dict[str, str]:
        """What the stand-in was started with."""
        line = self.log(name).splitlines()[0]
        found = json.loads(line.removeprefix("environment "))
        assert isinstance(found, dict)
        return found


class Run:
    """kvstore-pd with these arguments, under way."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )

    def wait_line(self, part: str) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if part in line:
                return
        raise AssertionError(f"no line has {part!r}")

    def done(self) -> subprocess.CompletedProcess[str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess([], self.process.returncode, out, err)


@contextmanager
def pair_in(folder: Path) -> Iterator[Pair]:
    """What the test leaves running is killed, and nobody else that has its pid by then."""
    pair = Pair(folder)
    try:
        yield pair
    finally:
        pair.master.close()
        places = processes.Places(folder / ".kvstore-pd")
        for name in places.names():
            processes.stop(places, name, 0)


def ends(pid: int) -> bool:
    """Whether it is dead soon. Who sends a signal does not wait for what comes of it."""
    until = time.monotonic() + PATIENCE
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"
