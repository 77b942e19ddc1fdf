"""Two hosts, each with a file of its own, and one pool: that their keys are alike is seen at the
start."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import STAND_IN, Pair, free_port, pair_in

kvstore = pytest.importorskip("kvstore")

# In vLLM's place: what the launcher starts where no command is given.
ENGINE = f"""
import os, runpy, sys
if "DIES" in os.environ:
    sys.exit("out of memory")
port = sys.argv[sys.argv.index("--port") + 1]
sys.argv = [{STAND_IN!r}, port]
runpy.run_path({STAND_IN!r}, run_name="__main__")
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Its store runs; prefill's note is there, as another host's."""
    engine = tmp_path / "packages" / "vllm" / "entrypoints" / "openai"
    engine.mkdir(parents=True)
    for folder in (engine, *list(engine.parents)[:2]):
        (folder / "__init__.py").touch()
    (engine / "api_server.py").write_text(ENGINE)
    (tmp_path / "packages" / "lmcache").mkdir()
    (tmp_path / "packages" / "lmcache" / "__init__.py").touch()
    with pair_in(tmp_path) as made:
        made.settings.update(
            connector="lmcache-plugin",
            env={"PYTHONPATH": str(tmp_path / "packages")},
            prefillers=[{"port": free_port()}],
            decoders=[{"port": free_port()}],
            store={
                "master": f"127.0.0.1:{free_port()}",
                "start": True,
                "lend": "64MiB",
                "metrics_port": free_port(),
            },
        )
        up = made.run("up", "store")
        assert up.returncode == 0, up.stderr
        yield made
        made.run("down")


def client(pair: Pair) -> Any:
    return kvstore.Client(pair.settings["store"]["master"])


def note(host: str) -> str:
    return f"kvstore-pd/lmcache/model/{host}"


def test_equal_hosts_start_and_leave_notes(pair: Pair) -> None:
    up = pair.run("up", "prefiller")
    assert up.returncode == 0, up.stderr
    assert "what keys are made of stands in the pool" in up.stdout
    own = note(socket.gethostname())
    with client(pair) as pool:
        assert json.loads(pool.get(own)) == {
            "model": "org/model",
            "hash_seed": 123,
            "chunk_size": 256,
        }
        # As another host of the same file leaves it.
        pool.put(note("elsewhere"), pool.get(own))
        assert pair.run("up", "decoder").returncode == 0
        # It stands until the last worker of this host is down.
        assert pair.run("down", "prefiller").returncode == 0
        assert pool.exists(own)
        assert pair.run("down", "decoder").returncode == 0
        assert not pool.exists(own)
        assert pool.exists(note("elsewhere"))


@pytest.mark.parametrize(
    ("name", "value"), [("hash_seed", 0), ("model", "/mnt/model"), ("chunk_size", 128)]
)
def test_another_host_that_makes_other_keys_is_named(pair: Pair, name: str, value: object) -> None:
    theirs = {"model": "org/model", "hash_seed": 123, "chunk_size": 256, name: value}
    with client(pair) as pool:
        pool.put(note("elsewhere"), json.dumps(theirs).encode())
        up = pair.run("up", "decoder")
        assert up.returncode == 1
        own = {"hash_seed": 123, "model": "org/model", "chunk_size": 256}[name]
        assert f"{name} is {own!r} here and {value!r} for the workers of elsewhere" in up.stderr
        assert f"rm {note('elsewhere')}" in up.stderr
        assert not pool.exists(note(socket.gethostname()))
        # What it says to do helps.
        pool.remove(note("elsewhere"))
        assert pair.run("up", "decoder").returncode == 0


def test_workers_that_run_here_with_other_keys_are_named(pair: Pair) -> None:
    assert pair.run("up", "prefiller").returncode == 0
    pair.settings["hash_seed"] = 7
    up = pair.run("up", "decoder")
    assert up.returncode == 1
    assert "hash_seed is 7 in the file and 123 for workers that run here" in up.stderr
    assert pair.run("down", "prefiller").returncode == 0
    assert pair.run("up", "decoder").returncode == 0


def test_a_start_that_fails_leaves_no_note(pair: Pair) -> None:
    pair.settings["decoders"][0]["env"] = {"DIES": "1"}
    own = note(socket.gethostname())
    with client(pair) as pool:
        assert pair.run("up", "decoder").returncode == 1
        assert not pool.exists(own)
        # But where others run that it stands for it stays.
        assert pair.run("up", "prefiller").returncode == 0
        assert pair.run("up", "decoder").returncode == 1
        assert pool.exists(own)


def test_what_is_no_note_and_other_pairs_do_not_count(pair: Pair) -> None:
    with client(pair) as pool:
        pool.put(note("elsewhere"), b"\xff{")
        pool.put(note("third"), b"[1]")
        pool.put("kvstore-pd/lmcache/other/elsewhere", b'{"hash_seed": 0}')
        assert pair.run("up", "decoder").returncode == 0


def test_a_pool_without_memory_is_no_reason_not_to_start(pair: Pair) -> None:
    assert pair.run("down", "node").returncode == 0
    up = pair.run("up", "decoder")
    assert up.returncode == 0, up.stderr
    assert "other hosts can't be told what keys are made of here" in up.stdout
