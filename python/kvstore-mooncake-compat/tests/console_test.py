"""The console names at work, where they are more than Mooncake's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deployment import PATIENCE, Master, Program, http
from mooncake._programs.rendezvous import master_of
from mooncake.store import MooncakeDistributedStore
from ports import free_port

import kvstore


def is_served(url: str) -> bool:
    try:
        http("GET", url)
    except OSError:
        return False
    return True


def wait_not_served(url: str) -> None:
    until = time.monotonic() + PATIENCE
    while is_served(url):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_runs_beside_ends_with_the_master() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/health"
    for end in (Program.stop, Program.kill):
        with Master(
            "--enable_http_metadata_server",
            "--http_metadata_server_host=127.0.0.1",
            f"--http_metadata_server_port={port}",
        ) as master:
            assert is_served(url)
            end(master)
            wait_not_served(url)


def test_a_port_in_use_ends_the_master() -> None:
    with Master() as master:
        second = Program(
            "mooncake_master",
            "--enable_http_metadata_server",
            "--http_metadata_server_host=127.0.0.1",
            f"--http_metadata_server_port={master.metrics_port}",
        )
        assert second.wait_end() == 1
        assert f"can't serve metadata on 127.0.0.1:{master.metrics_port}" in second.output


def test_the_master_has_the_callers_process() -> None:
    """So that whoever started it can stop it."""
    with Master() as master:
        assert os.readlink(f"/proc/{master.pid}/exe").endswith("kvstore_master")


def test_the_daemon_lends_and_tells_of_the_pool() -> None:
    with Master() as master:
        port = free_port()
        flags = (
            f"--master_server_address={master.address}",
            *("-host", "127.0.0.1", f"-port={port}", "--global_segment_size=16MB", "-threads=4"),
        )
        with Program("mooncake_client", *flags) as daemon:
            address = f"127.0.0.1:{port}"
            daemon.wait_http(f"http://{address}/health")
            assert master_of(address) == master.address
            with kvstore.Client(master.address) as client:
                until = time.monotonic() + PATIENCE
                while "ready: lends" not in daemon.output:
                    assert time.monotonic() < until, daemon.output
                    time.sleep(0.02)
                client.put("key", b"value")
                assert client.view("key").data == b"value"
            store = MooncakeDistributedStore()
            assert store.setup_dummy(0, 1 << 20, address) == 0
            assert store.get("key") == b"value"
            assert store.close() == 0
            assert "--threads has no effect" in daemon.output
        wait_not_served(f"http://{address}/health")
        with pytest.raises(OSError, match="no mooncake_client answers"):
            master_of(address)
        with pytest.raises(OSError, match=r"HTTP Error|no mooncake_client"):
            master_of(f"127.0.0.1:{master.metrics_port}")


@pytest.mark.parametrize("name", ["mooncake_master", "mooncake_client"])
def test_help_and_version(name: str) -> None:
    script = Path(sys.executable).with_name(name)
    for flag, text in (("--help", "Not offered:"), ("-version", kvstore.__version__)):
        done = subprocess.run([script, flag], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0
        assert text in done.stdout
    done = subprocess.run([script, "--bogus"], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{name}: unknown flag --bogus, see --help\n"
