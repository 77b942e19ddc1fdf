"""The console names, and the metadata protocol."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from deployment import PATIENCE, Master, Program, http, new_store
from ports import free_port


@pytest.mark.parametrize("ports", [("-port", "-metrics_port"), ("--port", "--metrics_port")])
def test_a_master_starts(ports: tuple[str, str]) -> None:
    with Master("-max_threads", "64", "--enable_metric_reporting=false", ports=ports) as master:
        status, metrics = http("GET", f"http://127.0.0.1:{master.metrics_port}/metrics")
        assert status == 200
        assert b"# TYPE" in metrics


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_master_reads_a_file(tmp_path: Path, kind: str) -> None:
    port, metrics = free_port(), free_port()
    settings = {"rpc_port": port, "rpc_address": "127.0.0.1", "metrics_port": 1}
    settings |= {"client_live_ttl_sec": 60, "of_another_release": 3}
    text = "\n".join(f"{name}: {value}" for name, value in settings.items())
    path = tmp_path / f"master.{kind}"
    path.write_text(json.dumps(settings) if kind == "json" else f"# settings\n{text}\n")
    flags = (f"-config_path={path}", "-metrics_port", str(metrics), "-metrics_host=127.0.0.1")
    with Program("mooncake_master", *flags) as master:
        master.wait_http(f"http://127.0.0.1:{metrics}/health")


def test_who_waits_for_the_first_segment_sees_it() -> None:
    """SGLang's check_server."""
    with Master() as master:
        url = f"http://127.0.0.1:{master.metrics_port}/get_all_segments"
        assert http("GET", url) == (200, b"")
        store = new_store(master.address, 16 << 20, 16 << 20)
        until = time.monotonic() + PATIENCE
        while not (segments := http("GET", url)[1]):
            assert time.monotonic() < until
            time.sleep(0.02)
        assert segments.decode().splitlines() == [store.get_hostname()]
        store.close()


def test_an_unknown_flag_is_named() -> None:
    master = Program("mooncake_master", "--leases", "5")
    assert master.wait_end() == 1
    assert "leases" in master.output


def check_metadata(url: str) -> None:
    key = f"{url}?key=mooncake%2Fram%2Fhost%3A1"
    assert http("GET", key) == (404, b"metadata not found")
    assert http("DELETE", key) == (404, b"metadata not found")
    assert http("PUT", key, b'{"a": 1}') == (200, b"metadata updated")
    assert http("GET", key) == (200, b'{"a": 1}')
    assert http("PUT", key, b"{}") == (200, b"metadata updated")
    assert http("GET", key) == (200, b"{}")
    assert http("DELETE", key) == (200, b"metadata deleted")
    assert http("GET", key) == (404, b"metadata not found")
    server = f"{url}?key=mooncake/rpc_meta/host:1"
    assert http("PUT", server, b"{}") == (200, b"metadata updated")
    assert http("PUT", server, b"[]") == (400, b"Duplicate rpc_meta key not allowed")
    assert http("GET", server) == (200, b"{}")
    for missing in ("", "?key=", "?other=1"):
        assert http("GET", url + missing)[0] == 400


def test_the_metadata_server() -> None:
    port = free_port()
    flags = ("--host", "127.0.0.1", "--port", str(port), "--log-level", "WARNING")
    with Program("mooncake_http_metadata_server", *flags) as server:
        url = f"http://127.0.0.1:{port}/metadata"
        server.wait_http(url)
        check_metadata(url)
        assert http("POST", f"{url}?key=a", b"")[0] == 405


def test_the_masters_metadata_server() -> None:
    port = free_port()
    with Master(
        "--enable_http_metadata_server=true",
        "--http_metadata_server_host=127.0.0.1",
        f"-http_metadata_server_port={port}",
    ) as master:
        url = f"http://127.0.0.1:{port}/metadata"
        master.wait_http(url)
        check_metadata(url)
        assert http("GET", f"http://127.0.0.1:{port}/health") == (200, b"OK")
        # A server that restarts says the same again.
        server = f"{url}?key=mooncake/rpc_meta/host:1"
        assert http("PUT", server, b"{}") == (200, b"metadata unchanged")
