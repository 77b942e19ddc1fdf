"""Mooncake's flags, and what becomes of them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from mooncake._programs import client, flags, master
from mooncake._programs.flags import UsageError
from mooncake._programs.master_flags import FLAGS


def translated(*arguments: str) -> set[str]:
    return set(master.translate(flags.parse(arguments, FLAGS)))


def test_the_guides_command_line() -> None:
    guide = translated("-port", "50052", "-max_threads", "64", "-metrics_port", "9004")
    assert {"--port=50052", "--max_threads=64", "--metrics_port=9004"} < guide
    assert {"--listen=0.0.0.0", "--insecure_allow_remote", "--lease_ms=10000"} < guide


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ("--rpc_port=1 --port=2", "--port=1"),
        ("-rpc_port 0 -port 2", "--port=2"),
        ("--rpc_thread_num=8", "--max_threads=8"),
        ("--max_threads=1", "--max_threads=4"),
        ("--rpc_thread_num=100000", "--max_threads=4096"),
        ("--default_kv_lease_ttl=5s", "--lease_ms=5000"),
        ("--default_kv_lease_ttl 250", "--lease_ms=250"),
        ("--client_ttl=30", "--gone_after_ms=30000"),
        ("--client_ttl=1", "--gone_after_ms=10000"),
        ("--eviction_high_watermark_ratio=0.9", "--free_share_wanted=0.1"),
        ("--minloglevel=1", "--log_level=warning"),
        ("--rpc_address=127.0.0.1", "--listen=127.0.0.1"),
        ("--rpc_address=[::1]", "--listen=::1"),
        ("--rpc_address=localhost", "--listen=127.0.0.1"),
    ],
)
def test_master_flags(arguments: str, result: str) -> None:
    assert result in translated(*arguments.split())


def test_loopback_is_not_remote() -> None:
    assert "--insecure_allow_remote" not in translated("--rpc_address=127.0.0.1")
    assert not any("free_share" in one for one in translated())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--prot=1", "did you mean --port?"),
        ("port", "'port' is no flag"),
        ("--port", "--port needs a value"),
        ("--port=x", "--port is 'x'"),
        ("--port=65536", "0 to 65535"),
        ("--default_kv_lease_ttl=soon", "must be a time"),
        ("--default_kv_lease_ttl=2h", "at most 600000"),
        ("--eviction_high_watermark_ratio=2", "0 to 1"),
        ("--rpc_address=nowhere.invalid", "no address"),
        (f"--rpc_address={'long' * 20}.invalid", "no address"),
        ("--allow_evict_soft_pinned_objects=false", "pin hard"),
        ("--noallow_evict_soft_pinned_objects", "pin hard"),
    ],
)
def test_wrong_flags_are_named(arguments: str, named: str) -> None:
    with pytest.raises(UsageError) as error:
        translated(*arguments.split())
    assert named in str(error.value)


def test_booleans() -> None:
    name = "enable_http_metadata_server"
    for words, value in (
        ([f"--{name}"], "true"),
        ([f"--{name}=false"], "false"),
        ([f"--{name}", "false"], "false"),
        ([f"--no{name}"], "false"),
        ([f"-{name}", "-port=1"], "true"),
    ):
        assert flags.parse(words, FLAGS)[name] == value
    assert not flags.is_true(name, "0")
    with pytest.raises(UsageError, match="must be true or false"):
        flags.is_true(name, "maybe")


@pytest.mark.parametrize(
    "wish",
    [
        *("enable_ha", "enable_oplog", "enable_snapshot", "enable_offload", "promotion_on_hit"),
        *("enable_kv_events", "enable_multi_tenants", "enable_cxl", "root_fs_dir=/dfs"),
        *("dynamic_replication_mode=enforce", "rpc_interface=eth0"),
    ],
)
def test_what_is_not_offered_is_refused(wish: str) -> None:
    name = wish.partition("=")[0]
    with pytest.raises(UsageError, match=f"--{name}=.* is not offered: "):
        flags.check_absent(flags.parse([f"--{wish}"], FLAGS), FLAGS)
    off = {"enable_ha": "false", "dynamic_replication_mode": "off"}.get(name, "")
    assert flags.check_absent({name: off}, FLAGS) == []


def test_what_has_no_effect_is_said() -> None:
    given = flags.parse(["--eviction_ratio=0.1", "--memory_allocator=offset"], FLAGS)
    assert flags.check_absent(given, FLAGS) == [
        "--eviction_ratio has no effect: kvstore evicts exactly what is needed"
    ]


def test_http_listens_where_rpc_does() -> None:
    def notes(*words: str) -> list[str]:
        return master._other_host(flags.parse(words, FLAGS))

    assert notes("-rpc_address=127.0.0.1", "-metrics_host=127.0.0.1") == []
    assert notes("-metrics_host=127.0.0.1") == ["--metrics_host: HTTP listens on 0.0.0.0, too"]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "master.yaml"
    path.write_text(
        "---\n# a comment\nrpc_port: 5  # and one\nrpc_address: '127.0.0.1'\n\n"
        'cluster_id: "a # b"\nenable_ha: false\n'
    )
    assert flags.read_file(str(path), FLAGS, {}) == (
        {
            "rpc_port": "5",
            "rpc_address": "127.0.0.1",
            "cluster_id": "a # b",
            "enable_ha": "false",
        },
        [],
    )
    path.write_text('{"port": 5, "enable_ha": false, "root_fs_dir": null}')
    assert flags.read_file(str(path), FLAGS, {}) == (
        {
            "port": "5",
            "enable_ha": "false",
            "root_fs_dir": "",
        },
        [],
    )
    for wrong, named in (
        ("port", "master.yaml:1"),
        ("port:\n  deep: 1", "master.yaml:2"),
        ("{", "master.yaml"),
        ('["port"]', "master.yaml"),
    ):
        path.write_text(wrong)
        with pytest.raises(UsageError, match=named):
            flags.read_file(str(path), FLAGS, {})
    with pytest.raises(UsageError, match=r"none\.yaml"):
        flags.read_file(str(tmp_path / "none.yaml"), FLAGS, {})


@pytest.mark.parametrize(
    "text",
    [
        "port: 5\nports: 1\nclient_live_ttl_sec: 60\nnewer:\n  deep: 1\n- list\n",
        '{"port": 5, "ports": 1, "client_live_ttl_sec": 60, "newer": {"deep": 1}}',
    ],
    ids=["yaml", "json"],
)
def test_files_of_other_releases(tmp_path: Path, text: str) -> None:
    """What is unknown is said, and does not end the master."""
    path = tmp_path / "master"
    path.write_text(text)
    values, notes = master._read([f"--config_path={path}", "-rpc_port=6"])
    assert values == {"port": "5", "client_ttl": "60", "rpc_port": "6", "config_path": str(path)}
    assert notes == [
        f"{path}: unknown flag --newer, see --help; it has no effect",
        f"{path}: unknown flag --ports; did you mean --port?; it has no effect",
    ]
    assert "--gone_after_ms=60000" in master.translate(values)


@pytest.mark.parametrize("table", [FLAGS, client.FLAGS], ids=["master", "client"])
def test_flags_of_all_programs_are_no_error(table: dict[str, flags.Flag]) -> None:
    given = flags.parse(["--flagfile=f", "-log_link", "x", "--nolog_prefix"], table)
    notes = flags.check_absent(given, table)
    assert [note.partition(" has no effect: ")[0] for note in notes] == [
        "--flagfile",
        "--log_link",
        "--log_prefix",
    ]


def test_hosts_of_both_families_are_ipv4_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: list(both))
    assert "--listen=127.0.0.1" in translated("--rpc_address=localhost")


def test_the_daemons_flags() -> None:
    def command(*words: str) -> set[str]:
        return set(client.translate(flags.parse(words, client.FLAGS)))

    plain = command("--master_server_address=127.0.0.1:5", "--global_segment_size", "16 MB")
    assert plain == {
        "--master=127.0.0.1:5",
        "--lend=16777216",
        "--listen=127.0.0.1:0",
        "--log_level=info",
        "--wait",
    }
    named = command("--host=127.0.0.1", "--protocol=RDMA", "--device_names=a, b")
    assert {"--rdma_devices=a,b", "--lend=4294967296"} < named
    assert "--ways=local,shm,rdma,tcp" in command("--host=127.0.0.1", "-protocol", "rdma")
    assert command("--device_names=a") == command()
    assert "--insecure_allow_remote" in command("--host=10.0.0.1")
    assert command("--global_segment_size=0") == set()
    for words in (
        ("--protocol=nvlink",),
        ("--global_segment_size=much",),
        ("--master_server_address=m",),
    ):
        with pytest.raises(UsageError):
            command(*words)
