"""Two hosts, each with a file of its own, and one pool: that their keys are alike is seen at the
start."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kvstore_pd.launcher import agreement, settings
from launching import STAND_IN, Pair, pair_in
from ports import free_port

kvstore = pytest.importorskip("kvstore")

# In vLLM's place: what the launcher starts where no command is given.
ENGINE = f"""
import os, runpy, sys
if "DIES" in os.environ:
    sys.exit("out of memory")
if "LENDS" in os.environ:
    import kvstore
    lender = kvstore.Client(os.environ["LENDS"], lend_bytes=64 << 20)
if "MEANWHILE" in os.environ:
    # Another host starts as well.
    import kvstore
    master, key, text = os.environ["MEANWHILE"].split(" ", 2)
    with kvstore.Client(master) as client:
        client.put(key, text.encode())
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
                "master_args": ["--suspect_after_ms", "10000"],
            },
        )
        up = made.run("up", "store")
        assert up.returncode == 0, up.stderr
        yield made
        made.run("down")


def client(pair: Pair) -> Any:
    return kvstore.Client(pair.settings["store"]["master"])


def note(host: str) -> str:
    return f"kvstore-pd/{host}/0"


def own_note(pair: Pair) -> str:
    return agreement._key(settings.read(pair.file))


def made_of(pair: Pair, **changes: object) -> dict[str, object]:
    """What is noted of the pair's keys; `changes`: on another host."""
    workers = [
        f"{socket.gethostname()}/127.0.0.1:{each['port']}"
        for each in (*pair.settings["prefillers"], *pair.settings["decoders"])
    ]
    made = {"connector": "lmcache", "model": "org/model", "hash_seed": 123, "chunk_size": 256}
    return {**made, "workers": workers, **changes}


def test_equal_hosts_start_and_leave_notes(pair: Pair) -> None:
    up = pair.run("up", "prefiller")
    assert up.returncode == 0, up.stderr
    assert "what keys are made of stands in the pool" in up.stdout
    own = own_note(pair)
    assert own.startswith(f"kvstore-pd/{socket.gethostname()}/")
    with client(pair) as pool:
        assert json.loads(pool.get(own)) == made_of(pair)
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
    ("name", "value"),
    [
        *(("hash_seed", 0), ("model", "/mnt/model"), ("model", "/mnt/another")),
        *(("chunk_size", 128), ("connector", "mooncake-store")),
    ],
)
def test_another_host_that_makes_other_keys_is_named(pair: Pair, name: str, value: object) -> None:
    theirs = made_of(pair, **{name: value})
    with client(pair) as pool:
        pool.put(note("elsewhere"), json.dumps(theirs).encode())
        up = pair.run("up", "decoder")
        assert up.returncode == 1
        own = made_of(pair)[name]
        assert f"{name} is {own!r} here and {value!r} for the workers of elsewhere" in up.stderr
        assert f"rm {note('elsewhere')}" in up.stderr
        assert not pool.exists(own_note(pair))
        # What it says to do helps.
        pool.remove(note("elsewhere"))
        assert pair.run("up", "decoder").returncode == 0


def test_a_host_that_starts_meanwhile_with_other_keys_is_named(pair: Pair) -> None:
    text = json.dumps(made_of(pair, hash_seed=0))
    meanwhile = f"{pair.settings['store']['master']} {note('elsewhere')} {text}"
    pair.settings["decoders"][0]["env"] = {"MEANWHILE": meanwhile}
    up = pair.run("up", "decoder")
    assert up.returncode == 1
    assert "hash_seed is 123 here and 0 for the workers of elsewhere" in up.stderr
    assert "decoder-1: stopped" in up.stdout
    with client(pair) as pool:
        assert not pool.exists(own_note(pair))


def test_where_only_workers_lend_the_note_is_left_when_they_do(pair: Pair) -> None:
    assert pair.run("down", "node").returncode == 0
    pair.settings["decoders"][0]["env"] = {"LENDS": pair.settings["store"]["master"]}
    up = pair.run("up", "decoder")
    assert up.returncode == 0, up.stderr
    assert "what keys are made of stands in the pool" in up.stdout
    with client(pair) as pool:
        assert json.loads(pool.get(own_note(pair))) == made_of(pair)


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
    with client(pair) as pool:
        assert pair.run("up", "decoder").returncode == 1
        own = own_note(pair)
        assert not pool.exists(own)
        # But where others run that it stands for it stays.
        assert pair.run("up", "prefiller").returncode == 0
        assert pair.run("up", "decoder").returncode == 1
        assert pool.exists(own)


def test_what_is_no_note_and_other_pairs_do_not_count(pair: Pair) -> None:
    with client(pair) as pool:
        pool.put(note("elsewhere"), b"\xff{")
        pool.put(note("third"), b"[1]")
        pool.put(note("fourth"), b'{"hash_seed": 0, "workers": 7}')
        another = made_of(pair, hash_seed=0, workers=["elsewhere/127.0.0.1:8100"])
        pool.put(note("fifth"), json.dumps(another).encode())
        assert pair.run("up", "decoder").returncode == 0


def test_a_pool_without_memory_is_no_reason_not_to_start(pair: Pair) -> None:
    assert pair.run("down", "node").returncode == 0
    up = pair.run("up", "decoder")
    assert up.returncode == 0, up.stderr
    assert "other hosts can't be told what keys are made of here" in up.stdout
