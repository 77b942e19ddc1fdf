"""mooncake.mooncake_config."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mooncake import mooncake_config
from mooncake.mooncake_config import MooncakeConfig

LEAST = {"local_hostname": "here", "metadata_server": "m", "master_server_address": "a:1"}


def written(folder: Path, **fields: Any) -> str:
    path = folder / "mooncake.json"
    path.write_text(json.dumps({**LEAST, **fields}))
    return str(path)


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MOONCAKE_")]:
        monkeypatch.delenv(name)


def test_defaults(tmp_path: Path) -> None:
    config = MooncakeConfig.from_file(written(tmp_path))
    assert config == MooncakeConfig(
        local_hostname="here",
        metadata_server="m",
        global_segment_size=3355443200,
        local_buffer_size=1073741824,
        protocol="tcp",
        device_name="",
        master_server_address="a:1",
        enable_ssd_offload=False,
        ssd_offload_path="",
        tenant_id="default",
        enable_client_http_server=False,
        client_http_port=9300,
    )
    assert config.global_segment_size == mooncake_config.DEFAULT_GLOBAL_SEGMENT_SIZE
    assert config.local_buffer_size == mooncake_config.DEFAULT_LOCAL_BUFFER_SIZE


@pytest.mark.parametrize(
    ("written_as", "bytes_"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("4096b", 4096),
        ("16k", 16 << 10),
        ("16KB", 16 << 10),
        ("16 MB", 16 << 20),
        (" 1.5 gb ", 3 << 29),
        ("2T", 2 << 40),
        ("1e3", 1000),
        (1000.9, 1000),
    ],
)
def test_sizes(tmp_path: Path, written_as: Any, bytes_: int) -> None:
    config = MooncakeConfig.from_file(written(tmp_path, global_segment_size=written_as))
    assert config.global_segment_size == bytes_


@pytest.mark.parametrize("size", ["", "mb", "50%", "16 pigs", "1 kb mb", -1])
def test_sizes_that_are_none(tmp_path: Path, size: Any) -> None:
    with pytest.raises(ValueError):
        MooncakeConfig.from_file(written(tmp_path, local_buffer_size=size))


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        *((yes, True) for yes in (True, 1, "true", "Yes", "on", "1", "enable")),
        *((no, False) for no in (False, 0, None, "", "false", "NO", "off", "0", "disable")),
    ],
)
def test_booleans(tmp_path: Path, written_as: Any, meant: bool) -> None:
    config = MooncakeConfig.from_file(written(tmp_path, enable_ssd_offload=written_as))
    assert config.enable_ssd_offload is meant


def test_a_boolean_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        MooncakeConfig.from_file(written(tmp_path, enable_client_http_server="perhaps"))


@pytest.mark.parametrize("name", sorted(LEAST))
def test_what_must_be_there(tmp_path: Path, name: str) -> None:
    for value in ("", "  ", None, 3):
        with pytest.raises(ValueError, match=name):
            MooncakeConfig.from_file(written(tmp_path, **{name: value}))
    path = tmp_path / "less.json"
    path.write_text(json.dumps({key: value for key, value in LEAST.items() if key != name}))
    with pytest.raises(ValueError, match=name):
        MooncakeConfig.from_file(str(path))


def test_protocols(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = MooncakeConfig.from_file(written(tmp_path, protocol=" RDMA ", device_name="a,b"))
    assert (config.protocol, config.device_name) == ("rdma", "a,b")
    assert not caplog.records
    assert MooncakeConfig.from_file(written(tmp_path, protocol="pigeon")).protocol == "pigeon"
    assert "pigeon" in caplog.text
    for wrong in ("", " ", 3):
        with pytest.raises(ValueError, match="protocol"):
            MooncakeConfig.from_file(written(tmp_path, protocol=wrong))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        MooncakeConfig.from_file(str(tmp_path / "none.json"))


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="MOONCAKE_MASTER"):
        MooncakeConfig.load_from_env()
    monkeypatch.setenv("MOONCAKE_MASTER", "m:50051")
    config = MooncakeConfig.load_from_env()
    assert config.local_hostname == "localhost"
    assert config.metadata_server == "P2PHANDSHAKE"
    assert config.master_server_address == "m:50051"
    assert config.global_segment_size == mooncake_config.DEFAULT_GLOBAL_SEGMENT_SIZE
    given = {
        "LOCAL_HOSTNAME": "here",
        "TE_META_DATA_SERVER": "http://m:8080/metadata",
        "GLOBAL_SEGMENT_SIZE": "1gb",
        "LOCAL_BUFFER_SIZE": "64mb",
        "PROTOCOL": "rdma",
        "DEVICE": "mlx5_0",
        "OFFLOAD_ENABLED": "yes",
        "OFFLOAD_FILE_STORAGE_PATH": "/ssd",
        "TENANT_ID": "t",
        "ENABLE_CLIENT_HTTP_SERVER": "1",
        "CLIENT_HTTP_PORT": "9301",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"MOONCAKE_{name}", value)
    assert MooncakeConfig.load_from_env() == MooncakeConfig(
        "here",
        "http://m:8080/metadata",
        1 << 30,
        64 << 20,
        "rdma",
        "mlx5_0",
        "m:50051",
        True,
        "/ssd",
        "t",
        True,
        9301,
    )


def test_the_environment_may_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONCAKE_MASTER", "ignored:1")
    monkeypatch.setenv("MOONCAKE_CONFIG_PATH", written(tmp_path, tenant_id=7))
    config = MooncakeConfig.load_from_env()
    assert config.master_server_address == "a:1"
    assert config.tenant_id == "7"
