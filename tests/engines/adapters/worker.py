"""LMCache's part of an engine's worker, made by LMCache itself from a configuration file."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from lmcache.utils import CacheEngineKey
from lmcache.v1.config import LMCacheEngineConfig
from lmcache.v1.memory_management import MemoryFormat
from lmcache.v1.metadata import LMCacheMetadata
from lmcache.v1.storage_backend.local_cpu_backend import LocalCPUBackend
from lmcache.v1.storage_backend.remote_backend import RemoteBackend
from pool import PATIENCE

READY_FILE = Path(os.environ["KVSTORE_TREE"]) / "examples/engines/lmcache-plugin.yaml"
LAYERS, HEADS, HEAD, TOKENS = 2, 2, 64, 256
CHUNK = 2 * LAYERS * TOKENS * HEADS * HEAD * 4  # bytes


class Worker:
    """A remote backend of LMCache's, with its memory and its loop."""

    def __init__(self, config: Any, plugin: str | None = "kvstore") -> None:
        metadata = LMCacheMetadata(
            model_name="models/tiny",
            world_size=1,
            local_world_size=1,
            worker_id=0,
            local_worker_id=0,
            kv_dtype=torch.float32,
            kv_shape=(LAYERS, 2, TOKENS, HEADS, HEAD),
            chunk_size=TOKENS,
        )
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.memory = LocalCPUBackend(config, metadata, dst_device="cpu")
        self.backend = RemoteBackend(
            config,
            metadata,
            self.loop,
            self.memory,
            dst_device="cpu",
            plugin_name=plugin,
        )

    @property
    def connector(self) -> Any:
        return self.backend.connection.getWrappedConnector()

    def chunk(self, seed: int, tokens: int = TOKENS) -> Any:
        """A chunk of LMCache's memory, filled with numbers that follow from the seed. Waits for
        memory that puts still hold."""
        shape = torch.Size([2, LAYERS, tokens, HEADS * HEAD])
        form = (shape, torch.float32, MemoryFormat.KV_2LTD)
        until = time.monotonic() + PATIENCE
        while (chunk := self.memory.allocate(*form, busy_loop=False)) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        chunk.tensor.copy_(values(seed, tokens))
        return chunk

    def put(self, keys: list[Any], chunks: list[Any]) -> None:
        """As LMCache puts; then the chunks are given back."""
        done = threading.Semaphore(0)
        self.backend.batched_submit_put_task(
            keys, chunks, on_complete_callback=lambda _: done.release()
        )
        for _ in keys:
            assert done.acquire(timeout=PATIENCE)
        for chunk in chunks:
            chunk.ref_count_down()

    def forget_bytes(self) -> None:
        """Leaves nothing of what was in its memory."""
        self.memory.memory_allocator.buffer.zero_()

    def run(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(PATIENCE)

    def free_bytes(self) -> int:
        return int(self.memory.memory_allocator.pin_allocator.address_manager.get_free_size())

    def close(self) -> None:
        if self.backend.connection is not None:
            self.backend.close()
        self.memory.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)


def config(folder: Path, master: str, *, ready_file: Path = READY_FILE, **changes: Any) -> Any:
    """The ready file's, with this master, less memory, the patience that a busy machine takes, and
    changes to its extra_config."""
    read = yaml.safe_load(ready_file.read_text())
    read["max_local_cpu_size"] = 0.0625
    read["extra_config"] |= {
        "kvstore.master": master,
        "kvstore.look_seconds": 5,
        "kvstore.get_seconds": 20,
        "kvstore.put_seconds": 20,
    }
    for name, value in changes.items():
        read["extra_config"][name.replace("__", ".")] = value
    written = folder / "lmcache.yaml"
    written.write_text(yaml.safe_dump(read))
    return LMCacheEngineConfig.from_file(str(written))


@contextmanager
def worker(folder: Path, master: str, **changes: Any) -> Iterator[Worker]:
    started = Worker(config(folder, master, **changes))
    try:
        yield started
    finally:
        started.close()


def key(number: int) -> Any:
    return CacheEngineKey("models/tiny", 1, 0, number, torch.float32)


def values(seed: int, tokens: int = TOKENS) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, LAYERS, tokens, HEADS * HEAD, generator=generator)
