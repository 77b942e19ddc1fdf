"""How tensors are split, and under which keys the parts lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._types.parallelism import ParallelAxis, TensorParallelism
from .form import Axis, Described, NoTensor, describe

# The order in which a key names them.
KINDS = ("dp", "tp", "ep", "pp")
DP, TP, EP, PP = range(4)


def shard_key(key: str, rank: int) -> str:
    """Of a part that is split over tp alone."""
    return f"{key}_tp_{rank}"


def part_key(key: str, axes: Sequence[Axis]) -> str:
    """Of a part by all its axes."""
    if len(axes) == 1 and axes[0].kind == TP:
        return shard_key(key, axes[0].rank)
    return key + "".join(f"__{_named(axis)}" for axis in sorted(axes, key=lambda axis: axis.kind))


def writer_key(key: str, rank: int, size: int, split_dim: int) -> str:
    return f"{key}__writer_{rank}of{size}_sd{split_dim}"


def with_axis(axes: Sequence[Axis], axis: Axis) -> list[Axis]:
    """These, with `axis` in place of the one of its kind."""
    return [*(other for other in axes if other.kind != axis.kind), axis]


def axis_of(axes: Sequence[Axis], kind: int) -> Axis | None:
    return next((axis for axis in axes if axis.kind == kind), None)


def axes_of(parallelism: Any) -> list[Axis]:
    """Checked. Raises NoTensor."""
    if not isinstance(parallelism, TensorParallelism):
        raise NoTensor(f"a TensorParallelism is wanted, not {parallelism!r}")
    if not parallelism.axes:
        raise NoTensor("the parallelism has no axes")
    axes = [_checked(axis) for axis in parallelism.axes]
    if len({axis.kind for axis in axes}) < len(axes):
        raise NoTensor("two axes of one kind")
    return axes


def partition_of(writer: Any) -> Axis:
    """What a writer_partition says: an object with rank, size and split_dim. Raises NoTensor."""
    try:
        rank, size, split_dim = int(writer.rank), int(writer.size), int(writer.split_dim)
    except (AttributeError, TypeError, ValueError):
        raise NoTensor("a writer_partition must have rank, size and split_dim") from None
    if not 0 <= rank < size:
        raise NoTensor(f"rank {rank} of {size}")
    return Axis(TP, rank, size, split_dim, 0)


def split(whole: Described, axis: Axis, axes: Sequence[Axis]) -> Described:
    """The part at a place of `axis`, described by all of its axes. Raises NoTensor: the whole can't
    be split evenly."""
    begin, length = bounds(whole.form.shape, axis.rank, axis.size, axis.split_dim)
    part = whole.tensor.narrow(axis.split_dim, begin, length)
    return describe(part, axes, whole.form.shape)


def bounds(shape: Sequence[int], rank: int, size: int, split_dim: int) -> tuple[int, int]:
    """Where the part begins, and how long it is. Raises NoTensor."""
    if not 0 <= split_dim < len(shape):
        raise NoTensor(f"there is no dimension {split_dim} in a tensor of {len(shape)}")
    if not 0 <= rank < size:
        raise NoTensor(f"rank {rank} of {size}")
    length, rest = divmod(shape[split_dim], size)
    if rest:
        raise NoTensor(f"{shape[split_dim]} can't be split evenly over {size}")
    return rank * length, length


def _checked(axis: ParallelAxis) -> Axis:
    if axis.kind not in KINDS:
        raise NoTensor(f"unknown kind of axis: {axis.kind!r}")
    if not 0 <= axis.rank < axis.size:
        raise NoTensor(f"rank {axis.rank} of {axis.size} on axis {axis.kind}")
    kind = KINDS.index(axis.kind)
    if (axis.split_dim is not None) != (kind == TP):
        raise NoTensor(f"axis {axis.kind} must {'' if kind == TP else 'not '}have a split_dim")
    extra = {EP: axis.expert_id, PP: axis.stage_id}.get(kind, 0)
    if extra is None:
        raise NoTensor(f"axis {axis.kind} must have {'expert_id' if kind == EP else 'stage_id'}")
    split_dim = -1 if axis.split_dim is None else axis.split_dim
    if kind == TP and split_dim < 0:
        raise NoTensor(f"there is no dimension {split_dim}")
    return Axis(kind, axis.rank, axis.size, split_dim, extra)


def _named(axis: Axis) -> str:
    name = f"{KINDS[axis.kind]}_{axis.rank}of{axis.size}"
    return name + {
        TP: f"_sd{axis.split_dim}",
        EP: f"_eid{axis.extra}",
        PP: f"_sid{axis.extra}",
    }.get(axis.kind, "")
