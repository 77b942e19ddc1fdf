"""A pool of this package's own programs, on loopback, for tests and measurements."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import time
from types import TracebackType

from lines import Lines
from ports import free_port

from kvstore import programs

PATIENCE = 60.0  # seconds, for what must happen on a busy machine


class Program:
    """One of the programs at work."""

    def __init__(self, name: str, *flags: str) -> None:
        self._process = subprocess.Popen(
            [programs.path_of(name), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines = Lines(self._process.stdout)

    @property
    def pid(self) -> int:
        return self._process.pid

    def hang(self) -> None:
        """From now on it does nothing, until it is sent SIGCONT or killed."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Lets it go on after hang."""
        self._process.send_signal(signal.SIGCONT)

    def wait_line(self, pattern: str) -> re.Match[str]:
        """The first line that matches."""
        return self._lines.wait(pattern, PATIENCE)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> int:
        """Ends it as an operator would; returns its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE)


class Pool:
    """A master, and nodes that lend memory."""

    def __init__(
        self,
        lend: str = "64MiB",
        nodes: int = 1,
        address: str = "127.0.0.1:0",
        *flags: str,
        metrics: bool = False,
    ) -> None:
        self.programs: list[Program] = []
        if metrics:  # for wait_for_a_wait
            flags += ("--metrics_port", str(free_port()))
        self.master = self.start_master(address, *flags)
        self.address = self.master.wait_line(r"ready on (\S+),").group(1)
        self.nodes = [self.add_node(f"shelf-{i}", lend) for i in range(nodes)]

    def add_node(self, name: str, lend: str) -> Program:
        node = self._start(
            "kvstore_node", "--master", self.address, "--name", name, "--lend", lend, "--wait"
        )
        node.wait_line("ready: lends")
        return node

    def start_master(self, address: str, *flags: str) -> Program:
        """One that remembers nothing of those before it, and is slow to suspect a node."""
        master = self._start(
            "kvstore_master",
            *("--port", address.rpartition(":")[2], "--metrics_port", "0"),
            *("--state_file", "none", "--suspect_after_ms", "10000", *flags),
        )
        master.wait_line("ready on")
        return master

    def wait_for_a_wait(self) -> None:
        """Until one request waits at the master, and no other does."""
        listens = self.master.wait_line(r"metrics on http://([^/]+)/").group(1)
        until = time.monotonic() + PATIENCE
        while True:
            asked = http.client.HTTPConnection(listens, timeout=PATIENCE)
            asked.request("GET", "/metrics")
            metrics = asked.getresponse().read().decode().splitlines()
            asked.close()
            if "kvstore_requests_waiting 1" in metrics:
                return
            assert time.monotonic() < until
            time.sleep(0.01)

    def _start(self, name: str, *flags: str) -> Program:
        program = Program(name, *flags)
        self.programs.append(program)
        return program

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for program in reversed(self.programs):
            program.stop()
