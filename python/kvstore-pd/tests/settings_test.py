"""What the file may say, and what it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kvstore_pd.launcher import engines, programs, settings
from kvstore_pd.launcher.reading import Wrong, bytes_of
from kvstore_pd.launcher.settings import Settings

GOOD: dict[str, Any] = {
    "model": "org/model",
    "prefillers": [{"port": 8100}],
    "decoders": [{"port": 8200}, {"port": 8201}],
}


def read(folder: Path, changes: object) -> Settings:
    file = folder / "kvstore-pd.yaml"
    if isinstance(changes, dict):
        whole = {**GOOD, **changes}
        file.write_text(yaml.safe_dump({k: v for k, v in whole.items() if v is not ...}))
    elif changes is not None:
        file.write_text(str(changes))
    return settings.read(file)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (None, "kvstore-pd init"),
        ("a: [", "is not YAML"),
        ("- a", "must be a mapping"),
        ({"model": ...}, "model is missing"),
        ({"decoders": ...}, "decoders is empty; name at least one"),
        ({"prefillers": []}, "prefillers is empty"),
        ({"prefilers": []}, "prefilers is no setting here; did you mean prefillers?"),
        ({"prefillers": [{"prot": 8100}]}, "prefillers[0]: port is missing"),
        ({"prefillers": [{"port": 1, "devcie": "0"}]}, "devcie is no setting here; did you mean"),
        ({"prefillers": [{"port": 1, "model": "m"}]}, "it stands at the top of the file, once"),
        ({"prefillers": [{"port": 1, "hash_seed": 1}]}, "both sides must have the same"),
        ({"prefillers": {"port": 1}}, "prefillers must be a list"),
        ({"prefillers": [{"port": "x"}]}, "port must be a whole number from 1 to 65535"),
        ({"prefillers": [{"port": 65536}]}, "from 1 to 65535, and is 65536"),
        ({"prefillers": [{"port": 1, "env": ["A=1"]}]}, "env must be a mapping"),
        ({"hash_seed": "random"}, "hash_seed must be a whole number"),
        ({"hash_seed": True}, "hash_seed must be a whole number"),
        ({"connector": "lmcash"}, "did you mean lmcache?"),
        ({"chunk_size": 0}, "chunk_size must be a whole number from 1"),
        ({"vllm_args": "--enforce-eager"}, "vllm_args must be a list"),
        ({"store": {"master": "localhost"}}, "master must be HOST:PORT"),
        ({"store": {"start": "yes"}}, "start must be true or false"),
        ({"store": {"start": True, "lend": "much"}}, 'such as "4GiB"'),
        ({"store": {"lend": "4GiB"}}, "set start: true"),
        ({"store": {"port": 1}}, "store: port is no setting here"),
        ({"proxy": {"host": "0.0.0.0"}}, "the proxy's host 0.0.0.0 can be reached from other"),
        ({"decoders": [{"port": 1, "host": "10.0.0.1"}]}, "set insecure_allow_remote: true"),
        (
            {"decoders": [{"port": 1, "host": "10.0.0.1"}], "insecure_allow_remote": True},
            "decoder-1 is at 10.0.0.1, and the master at 127.0.0.1:50051, which is another one on "
            "each machine: set master under store to an address that all workers reach",
        ),
        ({"stop_timeout": 0}, "stop_timeout must be seconds"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: object, words: str) -> None:
    with pytest.raises(Wrong) as raised:
        read(tmp_path, changes)
    assert words in str(raised.value)
    assert "kvstore-pd.yaml" in str(raised.value)


def test_sizes() -> None:
    sizes: dict[object, int | None] = {
        **{"4GiB": 4 << 30, "512MB": 512 << 20, "1k": 1 << 10, 7: 7, "7": 7, "2 TiB": 2 << 40},
        **{"": None, "GiB": None, "4.5GiB": None, -1: None, "4X": None},
    }
    for text, size in sizes.items():
        assert bytes_of(text) == size, text


def test_workers_of_one_host_are_told_apart(tmp_path: Path) -> None:
    """vLLM's connector answers lookups by a number, LMCache by a name."""
    for connector, key in (("mooncake-store", "lookup_rpc_port"), ("lmcache", "lmcache_rpc_port")):
        read_settings = read(tmp_path, {"connector": connector})
        told = [engines.kv_transfer(read_settings, worker) for worker in read_settings.workers]
        marks = [each["kv_connector_extra_config"][key] for each in told]
        assert len(set(marks)) == 3
        assert [each["kv_role"] for each in told] == ["kv_producer", "kv_consumer", "kv_consumer"]
        assert {each["kv_load_failure_policy"] for each in told} == {"recompute"}


def test_what_is_added_for_one_worker_is_added_to_what_all_have(tmp_path: Path) -> None:
    read_settings = read(
        tmp_path,
        {
            "vllm_args": ["--a"],
            "kv_transfer": {"kv_connector_extra_config": {"x": 1}},
            "decoders": [{"port": 1, "vllm_args": ["--b"], "kv_transfer": {"kv_role": "kv_both"}}],
        },
    )
    program = {each.name: each for each in programs.all_programs(read_settings)}["decoder-1"]
    assert program.command[-2:] == ["--a", "--b"]
    told = engines.kv_transfer(read_settings, read_settings.of_role("decoder")[0])
    assert told["kv_role"] == "kv_both"
    assert told["kv_connector_extra_config"]["x"] == 1
    assert "lmcache_rpc_port" in told["kv_connector_extra_config"]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, {"python": "env/bin/python", "store": {"programs": "/usr/bin"}})
    assert found.python == str(tmp_path / "env/bin/python")
    assert found.state == tmp_path / ".kvstore-pd"
    assert found.store.programs == "/usr/bin"
    assert read(tmp_path, {"python": "python3.11"}).python == "python3.11"


def test_somebody_lends(tmp_path: Path) -> None:
    """The node, or else the workers."""
    for store, node, workers in (
        ({"start": True}, 4 << 30, 0),
        ({"start": True, "lend": 0}, 0, 4 << 30),
        ({}, 0, 4 << 30),
        ({"start": True, "worker_lends": "1GiB"}, 4 << 30, 1 << 30),
    ):
        found = read(tmp_path, {"store": store}).store
        assert (found.lend, found.worker_lends) == (node, workers), store


def test_the_plugin_is_told_of_the_pool(tmp_path: Path) -> None:
    read_settings = read(tmp_path, {"connector": "lmcache-plugin"})
    for worker in read_settings.workers:
        _, text = engines.config_file(read_settings, worker)
        told = yaml.safe_load(text)
        assert told["remote_storage_plugins"] == ["kvstore"]
        extra = told["extra_config"]
        assert extra["remote_storage_plugin.kvstore.module_path"] == "kvstore.lmcache.remote"
        assert extra["kvstore.master"] == "127.0.0.1:50051"
        assert extra["get_blocking_failed_threshold"] == 1000
        waits = extra.get("kvstore.await_puts_ms")
        assert waits == (5000 if worker.role == "decoder" else None)


def test_vllms_connector_has_its_file(tmp_path: Path) -> None:
    read_settings = read(tmp_path, {"connector": "mooncake-store"})
    worker = read_settings.workers[0]
    assert engines.config_variable(read_settings) == "MOONCAKE_CONFIG_PATH"
    ending, text = engines.config_file(read_settings, worker)
    told = yaml.safe_load(text)
    assert (ending, told["mode"], told["global_segment_size"]) == (".json", "embedded", 4 << 30)
    assert told["master_server_address"] == "127.0.0.1:50051"
