"""Whole tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import kvstore

from .._store import codes
from .._store.putting import put_addresses
from .._store.values import Values
from .._store.zero_copy import ZeroCopy
from .._types.replicate import ReplicateConfig
from .form import (
    HEADER_SIZE,
    Described,
    Form,
    NoTensor,
    describe,
    read,
    read_at,
    tensor_at,
    tensor_in,
)


class Tensors(Values, ZeroCopy):
    """Puts answer with a code, or a list of them; gets with a tensor, or None: there is none, or
    it could not be read. A tensor that is got has memory of its own, unless a buffer was named:
    then it lies there, behind its header, as long as the caller leaves it."""

    # ---- put -------------------------------------------------------------------------------------

    def put_tensor(self, key: str, tensor: Any) -> int:
        """0, also when the key is taken: then what is there stays. INVALID_PARAMS: it is no tensor,
        or of a type or shape that can't be stored."""
        return self._put_tensors([key], [tensor], None)[0]

    def batch_put_tensor(self, keys: Sequence[str], tensors_list: Sequence[Any]) -> list[int]:
        return self._put_tensors(keys, tensors_list, None)

    def pub_tensor(self, key: str, tensor: Any, config: ReplicateConfig | None = None) -> int:
        """put_tensor, with a configuration."""
        return self._put_tensors([key], [tensor], config)[0]

    def batch_pub_tensor(
        self,
        keys: Sequence[str],
        tensors_list: Sequence[Any],
        config: ReplicateConfig | None = None,
    ) -> list[int]:
        return self._put_tensors(keys, tensors_list, config)

    def upsert_tensor(self, key: str, tensor: Any) -> int:
        """put_tensor, in place of what is there."""
        return self._put_tensors([key], [tensor], None, replace=True)[0]

    def batch_upsert_tensor(self, keys: Sequence[str], tensors_list: Sequence[Any]) -> list[int]:
        return self._put_tensors(keys, tensors_list, None, replace=True)

    def upsert_pub_tensor(
        self, key: str, tensor: Any, config: ReplicateConfig | None = None
    ) -> int:
        return self._put_tensors([key], [tensor], config, replace=True)[0]

    def batch_upsert_pub_tensor(
        self,
        keys: Sequence[str],
        tensors_list: Sequence[Any],
        config: ReplicateConfig | None = None,
    ) -> list[int]:
        return self._put_tensors(keys, tensors_list, config, replace=True)

    def put_tensor_from(self, key: str, buffer_ptr: int, size: int) -> int:
        """put_tensor of a buffer that holds header and data, and nothing else."""
        return self.batch_put_tensor_from([key], [buffer_ptr], [size])[0]

    def batch_put_tensor_from(
        self, keys: Sequence[str], buffer_ptrs: Sequence[int], sizes: Sequence[int]
    ) -> list[int]:
        """Nothing is put if one of the buffers holds no tensor."""
        return self._put_held(keys, buffer_ptrs, sizes, None)

    def upsert_tensor_from(self, key: str, buffer_ptr: int, size: int) -> int:
        return self.batch_upsert_tensor_from([key], [buffer_ptr], [size])[0]

    def batch_upsert_tensor_from(
        self, keys: Sequence[str], buffer_ptrs: Sequence[int], sizes: Sequence[int]
    ) -> list[int]:
        return self._put_held(keys, buffer_ptrs, sizes, None, replace=True)

    # ---- get -------------------------------------------------------------------------------------

    def get_tensor(self, key: str) -> Any:
        return self.batch_get_tensor([key])[0]

    def batch_get_tensor(self, keys: Sequence[str]) -> list[Any]:
        buffers = self.batch_get_buffer(keys)
        return [None if buffer is None else self._tensor(buffer) for buffer in buffers]

    def get_tensor_into(self, key: str, buffer_ptr: int, size: int) -> Any:
        """None also when the buffer is too small for header and data."""
        return self.batch_get_tensor_into([key], [buffer_ptr], [size])[0]

    def batch_get_tensor_into(
        self, keys: Sequence[str], buffer_ptrs: Sequence[int], sizes: Sequence[int]
    ) -> list[Any]:
        results = self.batch_get_into(keys, buffer_ptrs, sizes)
        if not len(keys) == len(buffer_ptrs) == len(sizes):
            return results
        return [
            self._tensor_at(address, read) if read > 0 else None
            for address, read in zip(buffer_ptrs, results, strict=True)
        ]

    def get_tensor_into_cuda(self, key: str, tensor: Any) -> int:
        """Not offered: INVALID_PARAMS."""
        return self.batch_get_tensor_into_cuda([key], [tensor])[0]

    def batch_get_tensor_into_cuda(
        self, keys: Sequence[str], tensors_list: Sequence[Any]
    ) -> list[int]:
        self._complain(len(keys), "not offered: get into tensors of a GPU; use get_tensor, copy_")
        return [codes.INVALID_PARAMS] * len(keys)

    # ---- how -------------------------------------------------------------------------------------

    def _put_tensors(
        self,
        keys: Sequence[str],
        tensors: Sequence[Any],
        config: ReplicateConfig | None,
        *,
        replace: bool = False,
    ) -> list[int]:
        if len(keys) != len(tensors):
            return [codes.INVALID_PARAMS] * len(keys)
        described = [self._described(tensor) for tensor in tensors]
        return self._put_described(keys, described, config, replace=replace)

    def _described(self, tensor: Any) -> Described | None:
        """None: it can't be stored."""
        try:
            return describe(tensor)
        except NoTensor as error:
            self._complain(1, f"put of a tensor: {error}")
            return None

    def _put_described(
        self,
        keys: Sequence[str],
        described: Sequence[Described | None],
        config: ReplicateConfig | None,
        *,
        replace: bool,
    ) -> list[int]:
        addresses = [one.addresses if one else [] for one in described]
        sizes = [one.sizes if one else [] for one in described]
        bad = [i for i, key in enumerate(keys) if not key or described[i] is None]
        return self._put_all(
            put_addresses,
            (keys, addresses, sizes),
            config,
            replace=replace,
            same_node=True,
            bad=bad,
        )

    def _put_held(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        config: ReplicateConfig | None,
        *,
        replace: bool = False,
    ) -> list[int]:
        if not self._all_hold_tensors(keys, buffer_ptrs, sizes):
            return [codes.INVALID_PARAMS] * len(keys)
        return self._put_all(
            put_addresses,
            (keys, buffer_ptrs, sizes),
            config,
            replace=replace,
            same_node=True,
            bad=[i for i, key in enumerate(keys) if not key],
        )

    def _all_hold_tensors(
        self, keys: Sequence[str], buffer_ptrs: Sequence[int], sizes: Sequence[int]
    ) -> bool:
        if not len(keys) == len(buffer_ptrs) == len(sizes):
            return False
        try:
            for address, size in zip(buffer_ptrs, sizes, strict=True):
                read_at(address, size)
        except NoTensor as error:
            self._complain(1, f"put of a tensor: {error}")
            return False
        return True

    def _forms(self, keys: Sequence[str]) -> list[Form | None]:
        """What the headers say; None: there is no such object, or it is no tensor."""
        client = self._client
        if client is None:
            return [None] * len(keys)
        headers = [bytearray(HEADER_SIZE) for _ in keys]
        try:
            results = client.get_into_batch(
                list(zip(keys, headers, strict=True)),
                offsets=[0] * len(keys),
                lengths=[HEADER_SIZE] * len(keys),
                timeout=self._within(),
            )
        except kvstore.Error as error:
            results = [error] * len(keys)
        self._complain_of_reads(results)
        found = zip(headers, results, strict=True)
        return [_form(header) if result == HEADER_SIZE else None for header, result in found]

    def _tensor(self, buffer: Any) -> Any:
        """None: what was stored is no tensor."""
        try:
            return tensor_in(buffer)
        except NoTensor as error:
            self._complain(1, f"get of a tensor: {error}")
            return None

    def _tensor_at(self, address: int, size: int) -> Any:
        try:
            return tensor_at(address, size)
        except NoTensor as error:
            self._complain(1, f"get of a tensor: {error}")
            return None


def _form(header: bytearray) -> Form | None:
    try:
        return read(header)
    except NoTensor:
        return None
