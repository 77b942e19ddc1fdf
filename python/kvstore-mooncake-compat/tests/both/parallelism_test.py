"""Tensors that are split over several kinds of ranks."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from differences import differs
from mooncake.store import (
    MooncakeDistributedStore,
    ParallelAxis,
    ReadTarget,
    ReplicateConfig,
    TensorParallelism,
)

torch = pytest.importorskip("torch")

Store = MooncakeDistributedStore


def matrix() -> Any:
    return torch.arange(24, dtype=torch.float32).reshape(4, 6)


def same(one: Any, other: Any) -> bool:
    return one is not None and one.dtype == other.dtype and torch.equal(one, other)


def axis(kind: str, rank: int, size: int, split_dim: int | None = None, **more: int) -> Any:
    made = ParallelAxis()
    made.kind, made.rank, made.size, made.split_dim = kind, rank, size, split_dim
    for name, value in more.items():
        setattr(made, name, value)
    return made


def ranks(*axes: ParallelAxis) -> TensorParallelism:
    made = TensorParallelism()
    made.axes = list(axes)
    return made


def tp(rank: int, size: int, split_dim: int = 0) -> TensorParallelism:
    return ranks(axis("tp", rank, size, split_dim))


def target(mode: str, parallelism: TensorParallelism | None = None) -> ReadTarget:
    made = ReadTarget()
    made.mode, made.parallelism = mode, parallelism
    return made


def shard(*axes: ParallelAxis) -> ReadTarget:
    return target("shard", ranks(*axes))


def get(store: Store, key: str, wanted: ReadTarget | None = None) -> Any:
    return store.get_tensor_with_parallelism(key, wanted)


def put_halves(store: Store, key: str, split_dim: int = 0) -> None:
    for rank, half in enumerate(matrix().chunk(2, split_dim)):
        assert store.put_tensor_with_parallelism(key, half, tp(rank, 2, split_dim)) == 0


def test_without_parallelism(store: Store, key: str) -> None:
    assert store.put_tensor_with_parallelism(key, matrix()) == 0
    assert store.put_tensor_with_parallelism(f"{key}a", matrix(), None, ReplicateConfig()) == 0
    for name in (key, f"{key}a"):
        assert same(get(store, name), matrix())
        assert same(get(store, name, target("as_stored")), matrix())
        assert same(store.get_tensor(name), matrix())
    assert store.upsert_tensor_with_parallelism(key, matrix() + 1) == 0
    assert same(get(store, key), matrix() + 1)
    assert store.put_tensor_with_parallelism(key, 3) == -600
    assert get(store, f"{key}none") is None


@pytest.mark.parametrize("split_dim", [0, 1])
def test_shards(store: Store, key: str, split_dim: int) -> None:
    put_halves(store, key, split_dim)
    assert store.is_exist(key) == 0
    halves = matrix().chunk(2, split_dim)
    for rank in range(2):
        assert store.is_exist(f"{key}_tp_{rank}") == 1
        assert same(get(store, key, target("shard", tp(rank, 2, split_dim))), halves[rank])
        assert same(store.get_tensor_with_tp(key, rank, 2, split_dim), halves[rank])
    assert get(store, key) is None
    assert get(store, key, target("as_stored", tp(0, 2, split_dim))) is None
    assert get(store, key, target("shard")) is None
    assert same(get(store, key, target("full", tp(0, 2, split_dim))), matrix())
    assert store.upsert_tensor_with_parallelism(key, halves[0] + 9, tp(0, 2, split_dim)) == 0
    assert same(get(store, key, target("shard", tp(0, 2, split_dim))), halves[0] + 9)


def test_shards_of_other_sizes(store: Store, key: str) -> None:
    put_halves(store, key)
    for rank in range(4):
        assert same(get(store, key, target("shard", tp(rank, 4))), matrix()[rank : rank + 1])
    if differs("shards split otherwise"):
        assert get(store, key, target("shard", tp(0, 3))) is None


def test_what_one_call_has_split(store: Store, key: str) -> None:
    assert store.put_tensor_with_tp(key, matrix(), 0, 2, 0) == 0
    assert same(get(store, key, target("shard", tp(1, 2))), matrix()[2:])
    assert same(get(store, key, target("shard", tp(1, 4))), matrix()[1:2])
    assert same(get(store, key, target("full", tp(0, 2))), matrix())


def test_a_missing_part(store: Store, key: str) -> None:
    assert store.put_tensor_with_parallelism(key, matrix()[:2], tp(0, 2)) == 0
    assert same(get(store, key, target("shard", tp(0, 2))), matrix()[:2])
    assert get(store, key, target("shard", tp(1, 2))) is None
    assert get(store, key, target("full", tp(0, 2))) is None


def test_other_dimensions(store: Store, key: str) -> None:
    put_halves(store, key)
    got = get(store, key, target("shard", tp(1, 2, 1)))
    if differs("shards split otherwise"):
        assert same(got, matrix()[:, 3:])
    else:
        assert same(got, matrix()[2:])  # those of the dimension along which it was split


def test_from_the_whole(store: Store, key: str) -> None:
    assert store.put_tensor_with_parallelism(key, matrix()) == 0
    got = [get(store, key, target("shard", tp(1, 2, 1))), get(store, key, target("full", tp(0, 2)))]
    if differs("shards of a whole tensor"):
        assert same(got[0], matrix()[:, 3:])
        assert same(got[1], matrix())
    else:
        assert got == [None, None]


@pytest.mark.parametrize(
    ("place", "elsewhere", "name"),
    [
        (axis("dp", 1, 2), axis("dp", 0, 2), "__dp_1of2"),
        (axis("ep", 1, 2, expert_id=3), axis("ep", 0, 2, expert_id=3), "__ep_1of2_eid3"),
        (axis("pp", 1, 2, stage_id=1), axis("pp", 1, 2, stage_id=0), "__pp_1of2_sid1"),
    ],
    ids=["dp", "ep", "pp"],
)
def test_other_kinds(
    store: Store, key: str, place: ParallelAxis, elsewhere: ParallelAxis, name: str
) -> None:
    assert store.put_tensor_with_parallelism(key, matrix(), ranks(place)) == 0
    assert store.is_exist(key + name) == 1
    assert same(get(store, key, shard(place)), matrix())
    assert get(store, key, shard(elsewhere)) is None
    assert get(store, key) is None


def test_several_kinds(store: Store, key: str) -> None:
    """With several axes a put is given the whole, and puts its part."""
    for rank in range(2):
        axes = (axis("tp", rank, 2, 0), axis("dp", 0, 2))
        assert store.put_tensor_with_parallelism(key, matrix(), ranks(*axes)) == 0
        assert store.is_exist(f"{key}__dp_0of2__tp_{rank}of2_sd0") == 1
        assert same(get(store, key, shard(*axes)), matrix()[2 * rank : 2 * rank + 2])
        assert same(get(store, key, shard(*reversed(axes))), matrix()[2 * rank : 2 * rank + 2])
    whole = ranks(axis("tp", 0, 2, 0), axis("dp", 0, 2))
    assert same(get(store, key, target("full", whole)), matrix())
    assert get(store, key, target("full", ranks(axis("tp", 0, 2, 0), axis("dp", 1, 2)))) is None


def test_stages_name_their_parts(store: Store, key: str) -> None:
    axes = (axis("pp", 0, 2, stage_id=0), axis("tp", 1, 2, 1))
    assert store.put_tensor_with_parallelism(key, matrix(), ranks(*axes)) == 0
    assert store.is_exist(f"{key}__tp_1of2_sd1__pp_0of2_sid0") == 1
    assert same(get(store, key, shard(*axes)), matrix()[:, 3:])


def test_writers(store: Store, key: str) -> None:
    """A writer is given the whole, and puts its part."""
    for rank in range(2):
        writer = axis("tp", rank, 2, 0)
        assert store.put_tensor_with_parallelism(key, matrix(), writer_partition=writer) == 0
        assert store.is_exist(f"{key}__writer_{rank}of2_sd0") == 1
    if differs("what writers have put"):
        assert same(get(store, key, target("full", tp(0, 2))), matrix())
        assert same(get(store, key, target("shard", tp(1, 4))), matrix()[1:2])
    assert get(store, key) is None


@pytest.mark.parametrize(
    "wrong",
    [
        ranks(axis("bogus", 0, 2, 0)),
        ranks(axis("tp", 2, 2, 0)),
        ranks(axis("tp", -1, 2, 0)),
        ranks(axis("tp", 0, 0, 0)),
        ranks(axis("tp", 0, 2)),
        ranks(axis("tp", 0, 2, 5)),
        ranks(axis("ep", 0, 2)),
        ranks(axis("pp", 0, 2)),
        ranks(axis("ep", 0, 2, 0, expert_id=1)),
        ranks(axis("dp", 0, 2, 0)),
        ranks(axis("tp", 0, 2, 0), axis("tp", 0, 2, 1)),
        ranks(),
        "tp",
    ],
    ids=str,
)
def test_what_is_no_parallelism(store: Store, key: str, wrong: Any) -> None:
    assert store.put_tensor_with_parallelism(key, matrix(), wrong) == -600
    assert store.is_exist(key) == 0


def test_what_is_no_partition(store: Store, key: str) -> None:
    def put(writer: Any, parallelism: Any = None) -> int:
        return store.put_tensor_with_parallelism(
            key, matrix(), parallelism, writer_partition=writer
        )

    for wrong in (axis("tp", 2, 2, 0), axis("tp", 0, 2, 5), axis("tp", 0, 3, 0), (0, 2), "writer"):
        assert put(wrong) == -600
    assert put(axis("tp", 0, 2, 0), tp(0, 2)) == -600


def test_batches(store: Store, key: str) -> None:
    keys = [f"{key}a", f"{key}b"]
    tensors = [matrix()[:2], matrix()]
    put, read = store.batch_put_tensor_with_parallelism, store.batch_get_tensor_with_parallelism
    assert put(keys, tensors, [tp(0, 2), None]) == [0, 0]
    for wrong in (tp(0, 2), [None]):
        assert put(keys, tensors, wrong) == [-600, -600]
    assert put(keys, tensors[:1]) == [-600, -600]
    wanted = [target("shard", tp(0, 2)), None, None]
    got = read([*keys, "none"], wanted)
    assert same(got[0], matrix()[:2])
    assert same(got[1], matrix())
    assert got[2] is None
    got = read(keys)
    assert got[0] is None
    assert same(got[1], matrix())
    assert read(keys, [None]) == [None, None]
    assert read(keys, wanted[0]) == [None, None]
    upserted = store.batch_upsert_tensor_with_parallelism(keys[1:], [matrix() + 1])
    assert upserted == [0]
    assert same(get(store, keys[1]), matrix() + 1)


def test_buffers(store: Store, key: str) -> None:
    memory = ctypes.create_string_buffer(8192)
    at = ctypes.addressof(memory)
    assert store.register_buffer(at, 8192) == 0
    put_halves(store, key)
    wanted = target("shard", tp(1, 2))
    got = store.get_tensor_with_parallelism_into(key, at, 4096, wanted)
    assert same(got, matrix()[2:])
    assert got.data_ptr() == at + 304
    assert store.get_tensor_with_parallelism_into(key, at, 304 + 47, wanted) is None
    whole = target("full", tp(0, 2))
    assert same(store.get_tensor_with_parallelism_into(key, at, 4096, whole), matrix())
    got = store.batch_get_tensor_with_parallelism_into(
        [key, "none"], [at, at + 4096], [4096, 4096], [wanted, None]
    )
    assert same(got[0], matrix()[2:])
    assert got[1] is None
    assert store.put_tensor(f"{key}w", matrix()) == 0
    assert store.get_into(f"{key}w", at, 4096) == 400
    names = ("put", "upsert")
    for name in names:
        call = getattr(store, f"{name}_tensor_with_parallelism_from")
        assert call(f"{key}-{name}", at, 400) == 0
        assert same(get(store, f"{key}-{name}"), matrix())
        assert call(f"{key}-{name}-tp", at, 400, tp(0, 2)) == 0
        for rank in range(2):
            got = store.get_tensor_with_tp(f"{key}-{name}-tp", rank, 2)
            assert same(got, matrix()[2 * rank : 2 * rank + 2])
        assert call(f"{key}-{name}-w", at, 400, writer_partition=axis("tp", 1, 2, 0)) == 0
        assert same(store.get_tensor(f"{key}-{name}-w__writer_1of2_sd0"), matrix()[2:])
        assert call(f"{key}-{name}-x", at, 399) == -600
        batch = getattr(store, f"batch_{name}_tensor_with_parallelism_from")
        assert batch([f"{key}-{name}-b"], [at], [400], [ranks(axis("dp", 0, 2))]) == [0]
        assert store.is_exist(f"{key}-{name}-b__dp_0of2") == 1
    assert store.unregister_buffer(at) == 0


def test_files(store: Store, key: str, tmp_path: Any) -> None:
    if not differs("files without safetensors"):
        pytest.importorskip("safetensors")
    path = str(tmp_path / "x.safetensors")
    assert store.put_tensor(key, matrix()) == 0
    assert store.save_tensor_to_safetensor(key, path) == 0
    assert store.save_tensor_to_safetensor(f"{key}none", path) == -1100
    assert store.save_tensor_to_safetensor(key, str(tmp_path / "no" / "such")) == -600
    assert same(store.load_tensor_from_safetensor(key=key, file_name=path), matrix())
    assert same(store.load_tensor_from_safetensor(key=f"{key}l", file_name=path), matrix())
    assert same(store.get_tensor(f"{key}l"), matrix())
    assert store.load_tensor_from_safetensor(key=key, file_name=str(tmp_path / "none")) is None
