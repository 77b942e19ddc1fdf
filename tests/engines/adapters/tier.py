"""The adapter as `lmcache server` makes it, and memory like its L1."""

from __future__ import annotations

import argparse
import json
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.internal_api import L1MemoryDesc
from lmcache.v1.distributed.l2_adapters.config import parse_args_to_l2_adapters_config
from lmcache.v1.distributed.l2_adapters.factory import create_l2_adapter_from_registry
from lmcache.v1.memory_allocators.mixed_memory_allocator import MixedMemoryAllocator
from lmcache.v1.memory_management import MemoryFormat
from pool import PATIENCE

READY_FILE = Path(os.environ["KVSTORE_TREE"]) / "examples/engines/lmcache-server-l2.json"
SHAPE = torch.Size([2, 2, 256, 128])
SIZE = 2 * 2 * 256 * 128 * 4  # bytes


def spec(master: str, **parameters: Any) -> str:
    """The ready file's, with this master, the patience that a busy machine takes, and more."""
    read = json.loads(READY_FILE.read_text())
    patient = {"look_seconds": 5, "get_seconds": 20, "put_seconds": 20}
    read["adapter_params"] |= {"master": master, **patient, **parameters}
    return json.dumps(read)


def parsed(text: str) -> Any:
    return parse_args_to_l2_adapters_config(argparse.Namespace(l2_adapter=[text]))


class Tier:
    """An adapter with memory. Tasks are waited for as LMCache's controllers do."""

    def __init__(self, master: str, **parameters: Any) -> None:
        self.memory = MixedMemoryAllocator(64 << 20)
        arena = L1MemoryDesc(
            ptr=self.memory.buffer.data_ptr(), size=self.memory.buffer.numel(), align_bytes=4096
        )
        (config,) = parsed(spec(master, **parameters)).adapters
        self.adapter = create_l2_adapter_from_registry(config, arena)
        self.adapter.set_backend_identity("plugin")

    def chunk(self, seed: int | None = None, shape: torch.Size = SHAPE) -> Any:
        """Filled with numbers that follow from the seed, or with zeros."""
        chunk = self.memory.allocate([shape], [torch.float32], MemoryFormat.KV_2LTD)
        assert chunk is not None
        chunk.tensor.copy_(torch.zeros(shape) if seed is None else values(seed, shape))
        return chunk

    def free(self, chunks: list[Any]) -> None:
        for chunk in chunks:
            chunk.ref_count_down()

    def store(self, keys: list[Any], chunks: list[Any]) -> Any:
        adapter = self.adapter
        task = adapter.submit_store_task(keys, chunks)
        done: dict[int, Any] = {}

        def completed() -> Any:
            done.update(adapter.pop_completed_store_tasks())
            return done.get(task)

        return self._wait(adapter.get_store_event_fd(), completed)

    def lock(self, keys: list[Any]) -> list[bool]:
        adapter = self.adapter
        task = adapter.submit_lookup_and_lock_task(keys, {})
        found = self._wait(
            adapter.get_lookup_and_lock_event_fd(),
            lambda: adapter.query_lookup_and_lock_result(task),
        )
        assert adapter.query_lookup_and_lock_result(task) is None  # once only
        return [found.test(i) for i in range(len(keys))]

    def load(self, keys: list[Any], chunks: list[Any]) -> list[bool]:
        adapter = self.adapter
        task = adapter.submit_load_task(keys, chunks)
        loaded = self._wait(adapter.get_load_event_fd(), lambda: adapter.query_load_result(task))
        return [loaded.test(i) for i in range(len(keys))]

    def _wait(self, fd: int, result: Callable[[], Any]) -> Any:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        until = time.monotonic() + PATIENCE
        while (got := result()) is None:
            assert time.monotonic() < until
            if poller.poll(1000):
                os.eventfd_read(fd)
        return got

    def close(self) -> None:
        self.adapter.close()
        self.memory.close()


@contextmanager
def tier(master: str, **parameters: Any) -> Iterator[Tier]:
    started = Tier(master, **parameters)
    try:
        yield started
    finally:
        started.close()


def key(number: int, salt: str = "", model: str = "models/tiny") -> Any:
    return ObjectKey(
        chunk_hash=number.to_bytes(32, "big"),
        model_name=model,
        kv_rank=ObjectKey.ComputeKVRank(1, 0, 1, 0),
        cache_salt=salt,
    )


def values(seed: int, shape: torch.Size = SHAPE) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
