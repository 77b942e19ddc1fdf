"""Tensors that are split over the ranks of several kinds of parallelism."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._store import codes
from .._types.parallelism import ReadTarget
from .._types.replicate import ReplicateConfig
from .assembly import Parts, part, parts_of, whole
from .form import HEADER_SIZE, Axis, Described, NoTensor, describe, read, tensor_at
from .splitting import (
    TP,
    axes_of,
    axis_of,
    part_key,
    partition_of,
    shard_key,
    split,
    with_axis,
    writer_key,
)
from .tp import TpTensors

_PARTS_MANIFEST = "__parallelism_manifest"
_WRITERS_MANIFEST = "__writer_manifest"


@dataclass(frozen=True)
class _Wish:
    """What is put for one key: a part, and under which key others learn how many there are."""

    key: str
    described: Described | None
    manifest: str = ""


class ParallelTensors(TpTensors):
    """Without parallelism and writer_partition a tensor is one object, as for put_tensor.

    With a parallelism a put is given the part of its ranks; where tp is one axis of several, the
    whole, of which it puts its part. With a writer_partition (rank, size, split_dim) it is given
    the whole, too. A parallelism that can't be, or both, are INVALID_PARAMS.

    A get reads what its target says: the tensor as_stored under the key, the shard of a
    parallelism, or the full tensor. Shards and full tensors are put together from the parts that
    there are, also when those were split otherwise.
    """

    # ---- put -------------------------------------------------------------------------------------

    def put_tensor_with_parallelism(
        self,
        key: str,
        tensor: Any,
        parallelism: Any = None,
        config: ReplicateConfig | None = None,
        writer_partition: Any = None,
    ) -> int:
        return self._put_parallel([key], [tensor], [parallelism], config, [writer_partition])[0]

    def batch_put_tensor_with_parallelism(
        self,
        keys: Sequence[str],
        tensors_list: Sequence[Any],
        parallelisms: Any = None,
        config: ReplicateConfig | None = None,
        writer_partitions: Any = None,
    ) -> list[int]:
        return self._put_parallel(keys, tensors_list, parallelisms, config, writer_partitions)

    def upsert_tensor_with_parallelism(
        self,
        key: str,
        tensor: Any,
        parallelism: Any = None,
        config: ReplicateConfig | None = None,
        writer_partition: Any = None,
    ) -> int:
        return self._put_parallel(
            [key], [tensor], [parallelism], config, [writer_partition], replace=True
        )[0]

    def batch_upsert_tensor_with_parallelism(
        self,
        keys: Sequence[str],
        tensors_list: Sequence[Any],
        parallelisms: Any = None,
        config: ReplicateConfig | None = None,
        writer_partitions: Any = None,
    ) -> list[int]:
        return self._put_parallel(
            keys, tensors_list, parallelisms, config, writer_partitions, replace=True
        )

    def put_tensor_with_parallelism_from(
        self,
        key: str,
        buffer_ptr: int,
        size: int,
        parallelism: Any = None,
        config: ReplicateConfig | None = None,
        writer_partition: Any = None,
    ) -> int:
        """Of a buffer with header and data. With tp alone it is the whole, and all its parts are
        put, as by put_tensor_with_tp_from."""
        return self._put_parallel_from(
            [key], [buffer_ptr], [size], [parallelism], config, [writer_partition]
        )[0]

    def batch_put_tensor_with_parallelism_from(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        parallelisms: Any = None,
        config: ReplicateConfig | None = None,
        writer_partitions: Any = None,
    ) -> list[int]:
        return self._put_parallel_from(
            keys, buffer_ptrs, sizes, parallelisms, config, writer_partitions
        )

    def upsert_tensor_with_parallelism_from(
        self,
        key: str,
        buffer_ptr: int,
        size: int,
        parallelism: Any = None,
        config: ReplicateConfig | None = None,
        writer_partition: Any = None,
    ) -> int:
        return self._put_parallel_from(
            [key], [buffer_ptr], [size], [parallelism], config, [writer_partition], replace=True
        )[0]

    def batch_upsert_tensor_with_parallelism_from(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        parallelisms: Any = None,
        config: ReplicateConfig | None = None,
        writer_partitions: Any = None,
    ) -> list[int]:
        return self._put_parallel_from(
            keys, buffer_ptrs, sizes, parallelisms, config, writer_partitions, replace=True
        )

    # ---- get -------------------------------------------------------------------------------------

    def get_tensor_with_parallelism(self, key: str, target: ReadTarget | None = None) -> Any:
        return self._read_target(key, target)

    def batch_get_tensor_with_parallelism(
        self, keys: Sequence[str], targets: Any = None
    ) -> list[Any]:
        if targets is None:
            return self.batch_get_tensor(keys)
        if not isinstance(targets, list) or len(targets) != len(keys):
            return [None] * len(keys)
        return [self._read_target(key, target) for key, target in zip(keys, targets, strict=True)]

    def get_tensor_with_parallelism_into(
        self, key: str, buffer_ptr: int, size: int, target: ReadTarget | None = None
    ) -> Any:
        """None also when the buffer is too small for header and data."""
        if target is None or target.mode == "as_stored":
            return self.get_tensor_into(key, buffer_ptr, size) if _is_plain(target) else None
        tensor = self._read_target(key, target)
        return None if tensor is None else _written(tensor, buffer_ptr, size)

    def batch_get_tensor_with_parallelism_into(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        targets: Any = None,
    ) -> list[Any]:
        if targets is None:
            return self.batch_get_tensor_into(keys, buffer_ptrs, sizes)
        columns = (keys, buffer_ptrs, sizes, targets)
        if not isinstance(targets, list) or len({len(column) for column in columns}) > 1:
            return [None] * len(keys)
        return [self.get_tensor_with_parallelism_into(*row) for row in zip(*columns, strict=True)]

    # ---- how puts are done -----------------------------------------------------------------------

    def _put_parallel(
        self,
        keys: Sequence[str],
        tensors: Sequence[Any],
        parallelisms: Any,
        config: ReplicateConfig | None,
        partitions: Any,
        *,
        replace: bool = False,
    ) -> list[int]:
        count = len(keys)
        parallelisms, partitions = _column(parallelisms, count), _column(partitions, count)
        if parallelisms is None or partitions is None or len(tensors) != count:
            return [codes.INVALID_PARAMS] * count
        rows = zip(keys, tensors, parallelisms, partitions, strict=True)
        wishes = [self._wish(*row) for row in rows]
        results = self._put_described(
            [wish.key for wish in wishes],
            [wish.described for wish in wishes],
            config,
            replace=replace,
        )
        self._put_manifests(wishes, results, config, replace)
        return results

    def _put_manifests(
        self,
        wishes: Sequence[_Wish],
        results: list[int],
        config: ReplicateConfig | None,
        replace: bool,
    ) -> None:
        """After the parts: who finds a manifest finds this part, too."""
        for i, wish in enumerate(wishes):
            if results[i] == codes.OK and wish.manifest and wish.described:
                header = wish.described.form.packed()
                put = self.upsert if replace else self.put
                results[i] = put(wish.manifest, header, config)

    def _wish(self, key: str, tensor: Any, parallelism: Any, partition: Any) -> _Wish:
        try:
            if parallelism is not None and partition is not None:
                raise NoTensor("a parallelism and a writer_partition, too")
            if not key:
                raise NoTensor("the key is empty")
            described = describe(tensor)
            if partition is not None:
                return _of_writer(key, described, partition_of(partition))
            if parallelism is not None:
                return _of_ranks(key, described, axes_of(parallelism))
            return _Wish(key, described)
        except NoTensor as error:
            self._complain(1, f"put of a tensor: {error}")
            return _Wish(key, None)

    def _put_parallel_from(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        parallelisms: Any,
        config: ReplicateConfig | None,
        partitions: Any,
        *,
        replace: bool = False,
    ) -> list[int]:
        count = len(keys)
        parallelisms, partitions = _column(parallelisms, count), _column(partitions, count)
        if parallelisms is None or partitions is None:
            return [codes.INVALID_PARAMS] * count
        if not self._all_hold_tensors(keys, buffer_ptrs, sizes):
            return [codes.INVALID_PARAMS] * count
        results = []
        for key, address, size, parallelism, partition in zip(
            keys, buffer_ptrs, sizes, parallelisms, partitions, strict=True
        ):
            alone = self._tp_alone(parallelism) if partition is None else None
            if alone is not None:
                results += self._put_held_split(
                    [key], [address], [size], config, alone.size, alone.split_dim, replace=replace
                )
            elif parallelism is None and partition is None:
                results += self._put_held([key], [address], [size], config, replace=replace)
            else:
                tensor = tensor_at(address, size)
                results += self._put_parallel(
                    [key], [tensor], [parallelism], config, [partition], replace=replace
                )
        return results

    def _tp_alone(self, parallelism: Any) -> Axis | None:
        try:
            axes = axes_of(parallelism)
        except NoTensor:
            return None
        return axes[0] if len(axes) == 1 and axes[0].kind == TP else None

    # ---- how gets are done -----------------------------------------------------------------------

    def _read_target(self, key: str, target: ReadTarget | None) -> Any:
        if target is None:
            return self.get_tensor(key)
        try:
            if not isinstance(target, ReadTarget):
                raise NoTensor(f"a ReadTarget is wanted, not {target!r}")
            if target.mode == "as_stored":
                if not _is_plain(target):
                    raise NoTensor("as_stored takes no parallelism; shard does")
                return self.get_tensor(key)
            axes = [] if target.parallelism is None else axes_of(target.parallelism)
            if target.mode == "shard":
                return self._shard(key, axes)
            return self._full(key, axes)
        except NoTensor as error:
            self._complain(1, f"get of the tensor {key!r}: {error}")
            return None

    def _shard(self, key: str, axes: Sequence[Axis]) -> Any:
        if not axes:
            raise NoTensor("a shard needs a parallelism")
        (buffer,) = self.batch_get_buffer([part_key(key, axes)])
        if buffer is not None and set(read(memoryview(buffer)[:HEADER_SIZE]).axes) == set(axes):
            return self._tensor(buffer)
        wanted = axis_of(axes, TP)
        if wanted is None:
            return None
        return part(self._parts_there(key, axes), wanted, self.batch_get_tensor)

    def _full(self, key: str, axes: Sequence[Axis]) -> Any:
        if axes and axis_of(axes, TP) is None:  # no axis splits it
            return self._shard(key, axes)
        return whole(self._parts_there(key, axes), self.batch_get_tensor)

    def _parts_there(self, key: str, axes: Sequence[Axis]) -> Parts:
        """The first that is there: parts by tp, parts by writers, the whole. Raises NoTensor."""
        manifests = [key + _PARTS_MANIFEST, key + _WRITERS_MANIFEST, shard_key(key, 0), key]
        for source, form in zip(manifests, self._forms(manifests), strict=True):
            if form is None:
                continue
            place = axis_of(form.axes, TP)
            if source == key:
                return Parts([key], 0, form.shape)
            if place is None:
                continue
            if source.endswith(_WRITERS_MANIFEST):
                return parts_of(form, place, _WriterKeys(key, place))
            fixed = axes if len(form.axes) > 1 else form.axes
            return parts_of(form, place, _PartKeys(key, fixed, place))
        raise NoTensor("there is no such tensor, nor parts of one")


@dataclass(frozen=True)
class _WriterKeys:
    key: str
    place: Axis

    def __call__(self, rank: int) -> str:
        return writer_key(self.key, rank, self.place.size, self.place.split_dim)


@dataclass(frozen=True)
class _PartKeys:
    key: str
    axes: Sequence[Axis]
    place: Axis

    def __call__(self, rank: int) -> str:
        stored = Axis(TP, rank, self.place.size, self.place.split_dim, 0)
        return part_key(self.key, with_axis(self.axes, stored))


def _of_writer(key: str, given: Described, place: Axis) -> _Wish:
    part_of_it = split(given, place, [place])
    there = writer_key(key, place.rank, place.size, place.split_dim)
    return _Wish(there, part_of_it, key + _WRITERS_MANIFEST)


def _of_ranks(key: str, given: Described, axes: Sequence[Axis]) -> _Wish:
    there = part_key(key, axes)
    place = axis_of(axes, TP)
    if place is None:
        return _Wish(there, describe(given.tensor, axes))
    if len(axes) > 1:
        return _Wish(there, split(given, place, axes), key + _PARTS_MANIFEST)
    shape = list(given.form.shape)
    if place.split_dim >= len(shape):
        raise NoTensor(f"there is no dimension {place.split_dim} in a tensor of {len(shape)}")
    shape[place.split_dim] *= place.size
    return _Wish(there, describe(given.tensor, axes, tuple(shape)), key + _PARTS_MANIFEST)


def _is_plain(target: ReadTarget | None) -> bool:
    return target is None or target.parallelism is None


def _column(values: Any, count: int) -> list[Any] | None:
    """One per key; None: they are not as many."""
    if values is None:
        return [None] * count
    return values if isinstance(values, list) and len(values) == count else None


def _written(tensor: Any, address: int, size: int) -> Any:
    """The tensor in that memory, behind its header; None: it does not fit."""
    described = describe(tensor)
    form = described.form
    if size < form.size or not address:
        return None
    at = address
    for source, length in zip(described.addresses, described.sizes, strict=True):
        ctypes.memmove(at, source, length)
        at += length
    return tensor_at(address, form.size)
