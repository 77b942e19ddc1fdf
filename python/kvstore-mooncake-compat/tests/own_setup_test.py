"""Where setup is better than its model, and what is answered without a pool."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from mooncake.store import MooncakeDistributedStore, ReplicateConfig
from pool import Pool

import kvstore


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as started:
        yield started


WITHOUT_A_POOL = {
    "get": ("key",),
    "get_buffer": ("key",),
    "get_batch": (["a", "b"],),
    "batch_get_buffer": (["a", "b"],),
    "get_size": ("key",),
    "is_exist": ("key",),
    "batch_is_exist": (["a", "b"],),
    "remove": ("key",),
    "batch_remove": (["a", "b"],),
    "remove_by_regex": ("key",),
    "remove_all": (True,),
    "put": ("key", b"value"),
    "put_parts": ("key", b"value"),
    "put_batch": (["a", "b"], [b"1", b"2"]),
    "upsert": ("key", b"value"),
    "upsert_parts": ("key", b"value"),
    "upsert_batch": (["a", "b"], [b"1", b"2"]),
    "put_from": ("key", 4096, 1),
    "put_from_with_metadata": ("key", 4096, 4096, 1, 1),
    "upsert_from": ("key", 4096, 1),
    "batch_put_from": (["a", "b"], [4096, 4096], [1, 1]),
    "batch_upsert_from": (["a", "b"], [4096, 4096], [1, 1]),
    "batch_put_from_multi_buffers": (["a", "b"], [[4096]] * 2, [[1]] * 2),
    "get_into": ("key", 4096, 1),
    "batch_get_into": (["a", "b"], [4096, 4096], [1, 1]),
    "batch_get_into_multi_buffers": (["a", "b"], [[4096]] * 2, [[1]] * 2),
    "get_into_ranges": ([4096], [["a"]], [[[0]]], [[[0]]], [[[1]]]),
    "batch_get_session_start": (["a", "b"],),
    "batch_get_into_multi_buffer_ranges": (["a", "b"], [[4096]] * 2, [[1]] * 2, [[0]] * 2),
    "batch_get_session_end": (["a", "b"],),
    "batch_put_session_start": (["a", "b"], [1, 1]),
    "batch_put_from_multi_buffer_ranges": (["a", "b"], [[4096]] * 2, [[1]] * 2, [[0]] * 2),
    "batch_put_session_end": (["a", "b"],),
    "batch_put_session_revoke": (["a", "b"],),
    "register_buffer": (4096, 4096),
    "unregister_buffer": (4096,),
    "get_replica_desc": ("key",),
    "batch_get_replica_desc": (["a"],),
    "batch_replica_clear": (["a"],),
    "create_copy_task": ("key", ["node"]),
    "create_move_task": ("key", "node", "other"),
    "query_task": ((1, 2),),
    "allocate_and_mount_segment": (4096,),
    "unmount_segment": (["1-2"],),
}
ANSWERS = {
    "get": b"",
    "get_buffer": None,
    "get_batch": [b"", b""],
    "batch_get_buffer": [None, None],
    "get_into_ranges": [[[-600]]],
    "batch_get_session_end": -600,
    "get_replica_desc": [],
    "batch_get_replica_desc": {},
    "batch_replica_clear": [],
    "create_copy_task": ((0, 0), -600),
    "create_move_task": ((0, 0), -600),
    "query_task": (None, -600),
    "allocate_and_mount_segment": {"ret": -1, "segment_ids": [], "allocated_size": 0},
    "unmount_segment": -1,
}


@pytest.mark.parametrize("name", WITHOUT_A_POOL)
def test_calls_without_a_pool(pool: Pool, name: str) -> None:
    arguments = WITHOUT_A_POOL[name]
    two = isinstance(arguments[0], list)
    answer = ANSWERS.get(name, [-600, -600] if two and "batch_" in name[:6] else -600)
    store = MooncakeDistributedStore()
    assert getattr(store, name)(*arguments) == answer
    assert store.setup("localhost", "none", 0, 1 << 20, "tcp", "", pool.address) == 0
    store.close()
    assert getattr(store, name)(*arguments) == answer


def test_a_master_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    store = MooncakeDistributedStore()
    began = time.monotonic()
    with caplog.at_level(logging.ERROR):
        assert store.setup("localhost", "none", 1 << 20, 1 << 20, "tcp", "", "127.0.0.1:1") == -1
    assert time.monotonic() - began < 60
    assert "no master at 127.0.0.1:1" in caplog.text
    # Callers that ignored it find nothing, rather than a key for every number but 0.
    assert store.is_exist("key") == 0
    assert store.batch_is_exist(["a", "b"]) == [0, 0]
    assert store.put("key", b"value") == -600
    assert store.close() == 0


@pytest.mark.parametrize(
    "config",
    [
        {"master_server_address": "{}", "device_name": "mlx5_9"},
        {"master_server_addr": "{}", "rdma_devices": "mlx5_9,mlx5_8"},
        {"master_server_addr": "{}", "master_server_address": "127.0.0.1:1"},
    ],
    ids=lambda config: ",".join(config),
)
def test_both_spellings_count(pool: Pool, config: dict[str, str]) -> None:
    store = MooncakeDistributedStore()
    texts = {name: value.format(pool.address) for name, value in config.items()}
    both = {"local_hostname": "localhost", "metadata_server": "http://localhost:8080/metadata"}
    assert store.setup({**both, **texts, "global_segment_size": "0"}) == 0
    assert store.put("spelling", b"value") == 0
    store.close()


def test_keys_that_nobody_knows_are_named_once(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    store = MooncakeDistributedStore()
    both = {"local_hostname": "localhost", "metadata_server": "none", "global_segment_size": "0"}
    right = {"rdma_devices": "", "tenant_id": "default", "ipc_socket_path": "", "protocol": "tcp"}
    assert store.setup({**both, **right, "master_server_address": pool.address}) == 0
    assert caplog.records == []
    slips = {"device_nam": "mlx5_0", "colour": "red"}
    assert store.setup({**both, **slips, "master_server_addr": pool.address}) == 0
    assert len(caplog.records) == 1
    assert "'device_nam' (is 'device_name' meant?), 'colour'" in caplog.text
    store.close()


def test_a_master_that_is_not_named_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Where its key is misspelt, another would be asked without a word."""
    store = MooncakeDistributedStore()
    slip = {"local_hostname": "localhost", "metadata_server": "none", "master_server": "10.0.0.9:1"}
    store.setup({**slip, "global_segment_size": "0"})
    assert "'master_server' (is 'master_server_addr" in caplog.text
    assert "no master_server_addr is given; 127.0.0.1:50051 is asked" in caplog.text
    store.close()


@pytest.mark.parametrize(
    "config",
    [
        {"protocol": "nvlink"},
        {"enable_ssd_offload": "true"},
        {"tenant_id": "other"},
        {"enable_client_http_server": "1"},
    ],
    ids=str,
)
def test_what_is_not_offered_is_refused(
    pool: Pool, config: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    both = {"local_hostname": "localhost", "metadata_server": "none"}
    master = {"master_server_addr": pool.address}
    store = MooncakeDistributedStore()
    assert store.setup({**both, **master, **config}) == -1012
    assert next(iter(config)) in caplog.text
    with pytest.raises(TypeError):
        store.setup("localhost", "none", 0, 0, "tcp", "", pool.address, engine=1, colour="red")
    assert store.setup("localhost", "none", 0, 0, "tcp", "", pool.address, engine=object()) == -1012


def test_rdma_without_a_device_is_no_failure(pool: Pool) -> None:
    store = MooncakeDistributedStore()
    code = store.setup("localhost", "none", 1 << 20, 1 << 20, "rdma", "", pool.address)
    assert code == 0
    assert store.put("rdma", b"value") == 0
    store.close()


def test_a_host_that_is_unknown(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    store = MooncakeDistributedStore()
    assert store.setup("no.such.host.invalid", "none", 0, 0, "tcp", "", pool.address) == -600
    assert "no.such.host.invalid" in caplog.text


def test_a_host_that_can_be_none(pool: Pool) -> None:
    store = MooncakeDistributedStore()
    config = {"local_hostname": "long" * 20 + ".invalid", "metadata_server": "none"}
    assert store.setup({**config, "master_server_addr": pool.address}) == -600


def test_a_name_that_only_this_host_can_reach(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As Debian's own entry in /etc/hosts has it."""
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry])
    said = "other hosts can't read what is put here"
    store = MooncakeDistributedStore()
    for name, lent, loud in (
        ("localhost", 1 << 20, False),
        ("127.0.0.1", 1 << 20, False),
        ("worker-7", 0, False),
        ("worker-7", 1 << 20, True),
    ):
        caplog.clear()
        assert store.setup(name, "none", lent, 1 << 20, "tcp", "", pool.address) == 0
        assert [said in record.message for record in caplog.records] == [True] * loud
    store.close()


def test_the_devices_of_rdma_are_those_that_are_named(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    make = kvstore.Client

    def noting(*args: Any, **kwargs: Any) -> kvstore.Client:
        made.append(kwargs)
        return make(*args, **kwargs)

    monkeypatch.setattr(kvstore, "Client", noting)
    store = MooncakeDistributedStore()
    refused = []
    for protocol, devices in (("rdma", "mlx5_98, mlx5_99"), ("rdma", ""), ("tcp", "mlx5_98")):
        arguments = ("localhost", "none", 1 << 20, 1 << 20, protocol, devices, pool.address)
        assert store.setup(*arguments) == 0
        assert store._client is not None
        refused.append(str(store._client.lending.rdma_refused))
    store.close()
    assert [one["rdma_devices"] for one in made] == [("mlx5_98", "mlx5_99"), (), ()]
    assert ["rdma" in one["ways"] for one in made] == [True, True, False]
    # What there is no such device for is told by who looked for it.
    assert ["rdma is not named" in one for one in refused] == [False, False, True]


@pytest.mark.parametrize(
    "address", ["", "http://x", "127.0.0.1:port", "127.0.0.1:99999", "{}", "long" * 20 + ":1"]
)
def test_addresses_where_no_daemon_is(pool: Pool, address: str) -> None:
    """{}: a master's, which speaks HTTP/2."""
    store = MooncakeDistributedStore()
    assert store.setup_dummy(0, 1 << 20, address.format(pool.address)) == -1


def test_a_port_that_is_taken(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        name = f"localhost:{taken.getsockname()[1]}"
        store = MooncakeDistributedStore()
        assert store.setup(name, "none", 0, 0, "tcp", "", pool.address) == -1
        assert "can't listen" in caplog.text


def test_lost_puts_are_said_whatever_else_fails(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """Engines ignore their codes."""
    store = MooncakeDistributedStore()
    assert store.setup("localhost", "none", 0, 1 << 20, "tcp", "", pool.address) == 0
    refused = ReplicateConfig()
    refused.replica_num = 0
    store._complain(1, "a get")
    assert store.put("refused", b"value", refused) == -600
    assert store.batch_put_from(["n" * 2000], [4096], [1]) == [-600]
    loud = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(loud) == 1  # the others within a minute are counted
    assert loud[0].startswith("1 failed: put: ")
    store.close()


def test_a_store_that_nobody_closes_leaves(pool: Pool) -> None:
    """SGLang never closes."""
    store = MooncakeDistributedStore()
    assert store.setup("localhost", "none", 8 << 20, 1 << 20, "tcp", "", pool.address) == 0
    name = store.get_hostname()
    del store
    again = MooncakeDistributedStore()
    assert again.setup(name, "none", 8 << 20, 1 << 20, "tcp", "", pool.address) == 0
    again.close()
