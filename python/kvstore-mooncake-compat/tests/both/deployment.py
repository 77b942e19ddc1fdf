"""Masters and stores, by the names that both distributions have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mooncake.store import MooncakeDistributedStore
from ports import free_port

PATIENCE = 60.0  # seconds, for what must happen on a busy machine
LEASE = 30.0  # seconds, of the masters here unless they say otherwise
SHORT_LEASE = 3.0  # of those whose tests wait for the end of one

# Mooncake's own: its sockets on loopback, and an answer within seconds when there is no master.
os.environ.setdefault("MC_TCP_BIND_ADDRESS", "127.0.0.1")
os.environ.setdefault("MC_STORE_CLIENT_SETUP_RETRIES", "2")


def http(method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Program:
    """One of the console names at work. Its output is read all the time, lest it blocks."""

    def __init__(self, name: str, *flags: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name(name), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Where a master may keep what it knows.
            env={**os.environ, "XDG_STATE_HOME": self._folder.name},
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def wait_http(self, url: str) -> None:
        """Until something is answered there."""
        until = time.monotonic() + PATIENCE
        while True:
            assert self._process.poll() is None, self.output
            assert time.monotonic() < until, self.output
            try:
                http("GET", url)
                return
            except OSError:
                time.sleep(0.02)

    def wait_end(self) -> int:
        """Its exit status, once it ends by itself; `output` is whole then."""
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._folder.cleanup()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.append(line)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Master(Program):
    """mooncake_master on loopback; ready when it is made. `lease` in seconds."""

    def __init__(
        self,
        *flags: str,
        ports: Sequence[str] = ("-port", "-metrics_port"),
        lease: float = LEASE,
    ) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        super().__init__(
            "mooncake_master",
            *(ports[0], str(self.port), ports[1], str(self.metrics_port)),
            *("-rpc_address", "127.0.0.1", "-metrics_host=127.0.0.1"),
            f"--default_kv_lease_ttl={int(lease * 1000)}",
            *flags,
        )
        self.wait_http(f"http://127.0.0.1:{self.metrics_port}/health")


def new_store(master: str, lent: int, local: int) -> MooncakeDistributedStore:
    store = MooncakeDistributedStore()
    code = store.setup("127.0.0.1", "P2PHANDSHAKE", lent, local, "tcp", "", master)
    assert code == 0, code
    return store
