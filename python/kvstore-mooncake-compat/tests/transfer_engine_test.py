"""Mooncake's own transfer engine finds its peers by the metadata server of this distribution.

Where its wheel is installed: in the environment of the interpreter that MOONCAKE_PYTHON names.
"""

from __future__ import annotations

import json
import os
import subprocess
from types import TracebackType

import pytest
from deployment import Master, http
from ports import free_port

PYTHON = os.environ.get("MOONCAKE_PYTHON", "")
SIZE = 65536
ENGINE = """
import ctypes, json, sys
from mooncake.engine import TransferEngine

name, metadata = sys.argv[1:]
engine = TransferEngine()
assert engine.initialize(name, metadata, "tcp", "") == 0
memory = ctypes.create_string_buffer(65536)
address = ctypes.addressof(memory)
assert engine.register_memory(address, 65536) == 0
print(address, flush=True)
for line in sys.stdin:
    verb, *rest = json.loads(line)
    if verb == "fill":
        ctypes.memset(address, rest[0], 65536)
        print(0, flush=True)
    elif verb == "write":
        print(engine.transfer_sync_write(rest[0], address, rest[1], 65536), flush=True)
    else:
        print(memory.raw.count(bytes([rest[0]])), flush=True)
engine.unregister_memory(address)
"""

pytestmark = pytest.mark.skipif(not PYTHON, reason="MOONCAKE_PYTHON names no interpreter")


class Engine:
    """A process with a transfer engine and 64 KiB of registered memory."""

    def __init__(self, metadata: str) -> None:
        self.name = f"127.0.0.1:{free_port()}"
        self._process = subprocess.Popen(
            [PYTHON, "-I", "-c", ENGINE, self.name, metadata],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "MC_TCP_BIND_ADDRESS": "127.0.0.1"},
        )
        self.address = self._answer()

    def do(self, *order: str | int) -> int:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(60) == 0


def test_engines_find_each_other() -> None:
    port = free_port()
    metadata = f"http://127.0.0.1:{port}/metadata"
    with (
        Master(
            "--enable_http_metadata_server=true",
            "--http_metadata_server_host=127.0.0.1",
            f"--http_metadata_server_port={port}",
        ),
        Engine(metadata) as writer,
    ):
        with Engine(metadata) as target:
            assert writer.do("fill", 65) == target.do("fill", 66) == 0
            assert writer.do("write", target.name, target.address) == 0
            assert target.do("count", 65) == SIZE
            assert http("GET", f"{metadata}?key=mooncake%2Fram%2F{target.name}")[0] == 200
        # It has taken back what it said.
        assert http("GET", f"{metadata}?key=mooncake%2Fram%2F{target.name}")[0] == 404
