"""Tensors where there is no pool, or no master any more, and such as can't be stored."""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mooncake.store import MooncakeDistributedStore, ReadTarget
from pool import PATIENCE, Pool

torch = pytest.importorskip("torch")

MIB = 1 << 20


def set_up(address: str, timeout: str = "30") -> MooncakeDistributedStore:
    store = MooncakeDistributedStore()
    options = {
        "local_hostname": "127.0.0.1",
        "metadata_server": "P2PHANDSHAKE",
        "global_segment_size": "0",
        "local_buffer_size": "1MB",
        "master_server_address": address,
        "transfer_timeout": timeout,
    }
    assert store.setup(options) == 0
    return store


@pytest.fixture(scope="module")
def store() -> Iterator[MooncakeDistributedStore]:
    with Pool() as pool:
        made = set_up(pool.address)
        yield made
        made.close()


def check_all_fail(store: MooncakeDistributedStore) -> None:
    """As many answers as there are keys, none of them a success, and no exception."""
    tensor, keys = torch.ones(4), ["a", "b"]
    memory = ctypes.create_string_buffer(1024)
    at = ctypes.addressof(memory)
    assert store.put_tensor("a", tensor) < 0
    codes = store.batch_put_tensor(keys, [tensor, tensor])
    assert len(codes) == 2
    assert max(codes) < 0
    codes = store.batch_put_tensor_with_tp(keys, [tensor, tensor], 0, 2, 0)
    assert len(codes) == 2
    assert max(codes) < 0
    assert store.put_tensor_with_parallelism("a", tensor) < 0
    assert store.get_tensor("a") is None
    assert store.batch_get_tensor(keys) == [None, None]
    assert store.get_tensor_into("a", at, 1024) is None
    assert store.batch_get_tensor_into(keys, [at, at], [512, 512]) == [None, None]
    assert store.get_tensor_with_tp("a", 1, 2) is None
    target = ReadTarget()
    target.mode = "full"
    assert store.get_tensor_with_parallelism("a", target) is None
    assert store.save_tensor_to_safetensor("a", "/nowhere/file") == -1100


def test_before_setup_and_after_close(store: MooncakeDistributedStore) -> None:
    closed = MooncakeDistributedStore()
    check_all_fail(closed)
    with Pool() as pool:
        closed = set_up(pool.address)
        assert closed.put_tensor("a", torch.ones(4)) == 0
        assert closed.close() == 0
        check_all_fail(closed)


def test_without_a_master() -> None:
    with Pool() as pool:
        store = set_up(pool.address, timeout="0.5")
        pool.master.kill()
        began = time.monotonic()
        check_all_fail(store)
        assert time.monotonic() - began < PATIENCE  # each call ends within its timeout
        assert store.close() == 0


def test_a_full_pool(store: MooncakeDistributedStore) -> None:
    with Pool(lend="4MiB") as pool:
        small = set_up(pool.address)
        assert small.put_tensor("large", torch.zeros(2 * MIB)) == -200
        assert small.get_tensor("large") is None
        assert small.close() == 0


def test_tensors_that_have_no_bytes(store: MooncakeDistributedStore) -> None:
    for wrong in (
        torch.empty(3, device="meta"),
        torch.eye(3).to_sparse(),
        torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    ):
        assert store.put_tensor("wrong", wrong) == -600
    assert store.is_exist("wrong") == 0


def test_tensors_that_are_views(store: MooncakeDistributedStore) -> None:
    """The values count, not the memory below."""
    base = torch.arange(8, dtype=torch.float32)
    views = {
        "negated": torch.view_as_complex(base.reshape(4, 2)).conj().imag,
        "expanded": torch.ones(1).expand(5),
        "strided": base[::2],
        "learning": torch.nn.Parameter(base * 2),
    }
    for name, view in views.items():
        assert store.put_tensor(name, view) == 0
        assert torch.equal(store.get_tensor(name), view.detach().resolve_neg().clone())


def test_an_object_that_only_begins_like_a_tensor(store: MooncakeDistributedStore) -> None:
    assert store.put_tensor("whole", torch.arange(100)) == 0
    header = store.get("whole")[:304]
    for number, value in enumerate((header, header + b"\0" * 799, header + b"\0" * 801)):
        assert store.put(f"false{number}", value) == 0
        assert store.get_tensor(f"false{number}") is None
    for place in (8, 12, 24, 32, 40, 104):  # type, dimensions, sizes, shapes
        spoilt = header[:place] + b"\xff\xff\xff\x7f" + header[place + 4 :]
        assert store.put(f"spoilt{place}", spoilt + b"\0" * 800) == 0
        if place != 40:  # the whole's shape, which a tensor by itself does not need
            assert store.get_tensor(f"spoilt{place}") is None


def test_tensors_whose_storage_was_emptied(store: MooncakeDistributedStore) -> None:
    """As those that do the training have them."""
    emptied, shorter = torch.zeros(1000), torch.arange(100)[::2]
    emptied.storage().resize_(0)
    shorter.storage().resize_(50)
    answers = store.batch_put_tensor(
        ["good", "emptied", "shorter"], [torch.ones(3), emptied, shorter]
    )
    assert answers == [0, -600, -600]
    assert torch.equal(store.get_tensor("good"), torch.ones(3))


@pytest.mark.parametrize(
    "header",
    [
        *({"a": {"dtype": "F32"}}, [1], 1, {"a": 1}, {"a": {"dtype": [], "data_offsets": [0, 4]}}),
        *({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}} for shape in (1, ["x"])),
        *(
            {"a": {"dtype": "F32", "shape": [1], "data_offsets": offsets}}
            for offsets in ([0, 5], [0, 1 << 60], [4, 0], [-1, 4], ["", 4], [0.0, 4.0], 4, [1])
        ),
    ],
    ids=str,
)
def test_files_that_are_wrong(
    store: MooncakeDistributedStore, tmp_path: Path, header: object
) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "file"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"12345")
    assert store.load_tensor_from_safetensor("a", str(path)) is None
