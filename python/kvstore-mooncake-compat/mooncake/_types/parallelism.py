"""How a tensor is split over ranks, and which part a reader wants."""

from __future__ import annotations

from .checked import Checked, instance, instances, number, optional, text

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_int32 = number(_INT32_MIN, _INT32_MAX)


class ParallelAxis(Checked):
    """One way of splitting: `kind` (tp, dp, pp, ep), this part's `rank` of `size`, and the
    dimension that is split; `expert_id` and `stage_id` where they apply."""

    __slots__ = ("expert_id", "kind", "rank", "size", "split_dim", "stage_id")
    kind: str
    rank: int
    size: int
    split_dim: int | None
    expert_id: int | None
    stage_id: int | None

    _converters = {
        "kind": text,
        "rank": _int32,
        "size": _int32,
        "split_dim": optional(_int32),
        "expert_id": optional(_int32),
        "stage_id": optional(_int32),
    }

    def __init__(self) -> None:
        self.kind = ""
        self.rank = 0
        self.size = 1
        self.split_dim = None
        self.expert_id = None
        self.stage_id = None


class TensorParallelism(Checked):
    """All axes along which a tensor is split."""

    __slots__ = ("axes",)
    axes: list[ParallelAxis]
    _converters = {"axes": instances(ParallelAxis)}

    def __init__(self) -> None:
        self.axes = []


def _mode(value: object) -> str:
    mode = text(value)
    if mode not in ("as_stored", "shard", "full"):
        raise RuntimeError(f"Unsupported ReadTarget mode: {mode!r} (as_stored, shard, full)")
    return mode


class ReadTarget(Checked):
    """What a reader wants of a tensor: `as_stored`, the `shard` that `parallelism` names, or the
    `full` one."""

    __slots__ = ("mode", "parallelism")
    mode: str
    parallelism: TensorParallelism | None
    _converters = {"mode": _mode, "parallelism": optional(instance(TensorParallelism))}

    def __init__(self) -> None:
        self.mode = "as_stored"
        self.parallelism = None
