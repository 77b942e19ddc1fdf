"""Tensors that are split evenly over tp_size ranks: an object KEY_tp_RANK for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._store import codes
from .._types.replicate import ReplicateConfig
from .basic import Tensors
from .form import Axis, Described, NoTensor, describe, tensor_at
from .splitting import TP, shard_key, split


class TpTensors(Tensors):
    """A put is given the whole tensor and puts all its parts, whatever its tp_rank: INVALID_PARAMS
    where it can't be split evenly. A get reads one part. With a tp_size of 1 the tensor is one
    object, under its key."""

    # ---- put -------------------------------------------------------------------------------------

    def put_tensor_with_tp(
        self, key: str, tensor: Any, tp_rank: int = 0, tp_size: int = 1, split_dim: int = 0
    ) -> int:
        return self._put_split([key], [tensor], None, tp_size, split_dim)[0]

    def batch_put_tensor_with_tp(
        self,
        base_keys: Sequence[str],
        tensors_list: Sequence[Any],
        tp_rank: int = 0,
        tp_size: int = 1,
        split_dim: int = 0,
    ) -> list[int]:
        return self._put_split(base_keys, tensors_list, None, tp_size, split_dim)

    def pub_tensor_with_tp(
        self,
        key: str,
        tensor: Any,
        config: ReplicateConfig | None = None,
        tp_rank: int = 0,
        tp_size: int = 1,
        split_dim: int = 0,
    ) -> int:
        return self._put_split([key], [tensor], config, tp_size, split_dim)[0]

    def batch_pub_tensor_with_tp(
        self,
        base_keys: Sequence[str],
        tensors_list: Sequence[Any],
        config: ReplicateConfig | None = None,
        tp_rank: int = 0,
        tp_size: int = 1,
        split_dim: int = 0,
    ) -> list[int]:
        return self._put_split(base_keys, tensors_list, config, tp_size, split_dim)

    def put_tensor_with_tp_from(
        self,
        key: str,
        buffer_ptr: int,
        size: int,
        tp_rank: int = 0,
        tp_size: int = 1,
        split_dim: int = 0,
    ) -> int:
        return self.batch_put_tensor_with_tp_from(
            [key], [buffer_ptr], [size], tp_rank, tp_size, split_dim
        )[0]

    def batch_put_tensor_with_tp_from(
        self,
        base_keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        tp_rank: int = 0,
        tp_size: int = 1,
        split_dim: int = 0,
    ) -> list[int]:
        return self._put_held_split(base_keys, buffer_ptrs, sizes, None, tp_size, split_dim)

    # ---- get -------------------------------------------------------------------------------------

    def get_tensor_with_tp(
        self, key: str, tp_rank: int = 0, tp_size: int = 1, split_dim: int = 0
    ) -> Any:
        return self.get_tensor(_part_key(key, tp_rank, tp_size))

    def batch_get_tensor_with_tp(
        self, base_keys: Sequence[str], tp_rank: int = 0, tp_size: int = 1
    ) -> list[Any]:
        return self.batch_get_tensor([_part_key(key, tp_rank, tp_size) for key in base_keys])

    def get_tensor_with_tp_into(
        self,
        key: str,
        buffer_ptr: int,
        size: int,
        tp_rank: int = 0,
        tp_size: int = 1,
        split_dim: int = 0,
    ) -> Any:
        return self.get_tensor_into(_part_key(key, tp_rank, tp_size), buffer_ptr, size)

    def batch_get_tensor_with_tp_into(
        self,
        base_keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        tp_rank: int = 0,
        tp_size: int = 1,
    ) -> list[Any]:
        keys = [_part_key(key, tp_rank, tp_size) for key in base_keys]
        return self.batch_get_tensor_into(keys, buffer_ptrs, sizes)

    # ---- how -------------------------------------------------------------------------------------

    def _put_split(
        self,
        keys: Sequence[str],
        tensors: Sequence[Any],
        config: ReplicateConfig | None,
        tp_size: int,
        split_dim: int,
        *,
        replace: bool = False,
    ) -> list[int]:
        """A code per tensor: 0, or that of its first part that was not put."""
        if tp_size <= 1 or len(keys) != len(tensors):
            return self._put_tensors(keys, tensors, config, replace=replace)
        part_keys: list[str] = []
        parts: list[Described | None] = []
        for key, tensor in zip(keys, tensors, strict=True):
            part_keys += [shard_key(key, rank) if key else "" for rank in range(tp_size)]
            parts += self._parts(tensor, tp_size, split_dim)
        results = self._put_described(part_keys, parts, config, replace=replace)
        return [_first_failure(results[i : i + tp_size]) for i in range(0, len(results), tp_size)]

    def _put_held_split(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        config: ReplicateConfig | None,
        tp_size: int,
        split_dim: int,
        *,
        replace: bool = False,
    ) -> list[int]:
        """_put_split of buffers that hold whole tensors."""
        if tp_size <= 1:
            return self._put_held(keys, buffer_ptrs, sizes, config, replace=replace)
        if not self._all_hold_tensors(keys, buffer_ptrs, sizes):
            return [codes.INVALID_PARAMS] * len(keys)
        tensors = [tensor_at(*held) for held in zip(buffer_ptrs, sizes, strict=True)]
        return self._put_split(keys, tensors, config, tp_size, split_dim, replace=replace)

    def _parts(self, tensor: Any, tp_size: int, split_dim: int) -> Sequence[Described | None]:
        """As many as there are ranks; None for all of them: it can't be split so."""
        try:
            whole = describe(tensor)
            places = [Axis(TP, rank, tp_size, split_dim, 0) for rank in range(tp_size)]
            return [split(whole, place, [place]) for place in places]
        except NoTensor as error:
            self._complain(1, f"put of a tensor: {error}")
            return [None] * tp_size


def _part_key(key: str, rank: int, size: int) -> str:
    return shard_key(key, rank) if size > 1 else key


def _first_failure(results: Sequence[int]) -> int:
    return next((code for code in results if code != codes.OK), codes.OK)
