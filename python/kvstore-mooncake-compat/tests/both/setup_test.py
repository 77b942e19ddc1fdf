"""setup in every form, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from deployment import Master
from mooncake.store import MooncakeDistributedStore
from ports import free_port

MB = 1 << 20


@pytest.fixture
def fresh() -> Iterator[MooncakeDistributedStore]:
    store = MooncakeDistributedStore()
    yield store
    store.close()


def works(store: MooncakeDistributedStore, key: str) -> bool:
    return store.put(key, b"value") == 0 and store.get(key) == b"value"


def of(master: Master, **given: Any) -> dict[str, Any]:
    config = {"local_hostname": "localhost", "metadata_server": "P2PHANDSHAKE"}
    return {**config, "master_server_addr": master.address, **given}


def test_by_position(fresh: MooncakeDistributedStore, master: Master, key: str) -> None:
    code = fresh.setup(
        "localhost", "P2PHANDSHAKE", 16 * MB, 16 * MB, "tcp", "no_such_device", master.address
    )
    assert code == 0
    assert works(fresh, key)
    port = re.fullmatch(r"localhost:(\d+)", fresh.get_hostname())
    assert port and 12300 <= int(port[1]) <= 14300


def test_by_keywords(fresh: MooncakeDistributedStore, master: Master, key: str) -> None:
    code = fresh.setup(
        local_hostname="127.0.0.1",
        metadata_server="P2PHANDSHAKE",
        global_segment_size=16 * MB,
        local_buffer_size=16 * MB,
        protocol="tcp",
        rdma_devices="",
        master_server_addr=master.address,
        engine=None,
        enable_ssd_offload=False,
        tenant_id="default",
    )
    assert code == 0
    assert works(fresh, key)
    assert fresh.get_hostname().startswith("127.0.0.1:")


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"global_segment_size": 16 * MB, "local_buffer_size": str(16 * MB)},
        {"global_segment_size": "16MB", "local_buffer_size": "16 mb"},
        {"global_segment_size": "0.25GB", "unknown": None, 3: 4},
        {"global_segment_size": 16 * MB, "enable_ssd_offload": "maybe", "client_http_port": 9301},
    ],
    ids=str,
)
def test_by_a_dict(
    fresh: MooncakeDistributedStore, master: Master, key: str, sizes: dict[str, Any]
) -> None:
    assert fresh.setup(of(master, **{str(name): value for name, value in sizes.items()})) == 0
    assert works(fresh, key)


@pytest.mark.parametrize(
    "wrong",
    [
        {"global_segment_size": "50%"},
        {"global_segment_size": "much"},
        {"global_segment_size": 100},
        {"global_segment_size": -5},
        {"local_buffer_size": "2TB"},
        {"client_http_port": "abc"},
        {"metadata_server": ""},
        {"local_hostname": ""},
    ],
    ids=str,
)
def test_wrong_dicts(
    fresh: MooncakeDistributedStore, master: Master, wrong: dict[str, Any]
) -> None:
    assert fresh.setup(of(master, **wrong)) == -600
    assert fresh.health_check() == 1


def test_dicts_that_lack_something(fresh: MooncakeDistributedStore) -> None:
    assert fresh.setup({}) == -600
    assert fresh.setup({"local_hostname": "localhost"}) == -600
    assert fresh.setup({"metadata_server": "P2PHANDSHAKE"}) == -600


def test_wrong_types(fresh: MooncakeDistributedStore, master: Master) -> None:
    with pytest.raises(TypeError):
        fresh.setup()
    with pytest.raises(TypeError):
        fresh.setup("localhost", "P2PHANDSHAKE", 16 * MB)
    with pytest.raises(TypeError):
        fresh.setup("localhost", "P2PHANDSHAKE", "16MB", 16 * MB, "tcp", "", master.address)
    with pytest.raises(TypeError):
        fresh.setup("localhost", "P2PHANDSHAKE", -1, 16 * MB, "tcp", "", master.address)
    with pytest.raises(TypeError, match="colour"):
        fresh.setup("localhost", "P2PHANDSHAKE", 1, 1, "tcp", "", master.address, colour="red")


def test_the_port_is_as_named(fresh: MooncakeDistributedStore, master: Master) -> None:
    name = f"localhost:{free_port()}"
    assert fresh.setup(of(master, local_hostname=name)) == 0
    assert fresh.get_hostname() == name


def test_health(fresh: MooncakeDistributedStore, master: Master) -> None:
    assert fresh.health_check() == 1
    assert fresh.setup(of(master)) == 0
    assert fresh.health_check() == 0
    assert fresh.close() == 0
    assert fresh.health_check() == 1


def test_closing_again_and_setting_up_again(
    fresh: MooncakeDistributedStore, master: Master, key: str
) -> None:
    assert fresh.close() == 0
    assert fresh.setup(of(master)) == 0
    assert works(fresh, key + "a")
    assert fresh.close() == 0
    assert fresh.close() == 0
    assert fresh.setup(of(master)) == 0
    assert fresh.setup(of(master)) == 0
    assert works(fresh, key + "b")
