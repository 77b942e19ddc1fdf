"""A real `lmcache server` with the L2 adapter, between a worker's KV cache and the pool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import zmq
from lmcache.integration.vllm.vllm_multi_process_adapter import (
    LMCacheMPSchedulerAdapter,
    LMCacheMPWorkerAdapter,
    LoadStoreOp,
    ParallelStrategy,
)
from pool import PATIENCE, Pool
from ports import free_port

from tier import spec

MODEL = "models/tiny"
BLOCK, CHUNK = 32, 256  # tokens
BLOCKS_PER_CHUNK = CHUNK // BLOCK
ONE_OF_ONE = ParallelStrategy(
    mla_only=False, vllm_world_size=1, vllm_worker_id=0, tp_size=1, pp_size=1, n_servers=1
)


class Server:
    def __init__(self, folder: Path, master: str) -> None:
        port, self._http, prometheus = free_port(), free_port(), free_port()
        self.url = f"tcp://127.0.0.1:{port}"
        self._log = folder / f"server-{port}.log"
        flags = {
            "--host": "127.0.0.1",
            "--port": port,
            "--http-host": "127.0.0.1",
            "--http-port": self._http,
            "--prometheus-port": prometheus,
            "--l1-size-gb": 0.125,
            "--eviction-policy": "LRU",
            "--chunk-size": CHUNK,
            "--supported-transfer-mode": "auto",  # as CPUs need it
            "--l2-adapter": spec(master),
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    Path(sys.executable).with_name("lmcache"),
                    "server",
                    "--disable-observability",
                    *(str(word) for flag in flags.items() for word in flag),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LMCACHE_DISABLE_BANNER": "1"},
            )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < until, self._log.read_text()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http}{path}", timeout=5) as answer:
            return json.load(answer)

    def l2(self) -> Any:
        (adapter,) = self.get("/status")["storage_manager"]["l2_adapters"]
        return adapter

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/healthcheck"))
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
            return False


class Engine:
    """A worker's KV cache of two layers, and a scheduler, as vLLM's connector makes them."""

    def __init__(self, server: Server, seed: int) -> None:
        context = zmq.Context.instance()
        torch.manual_seed(seed)
        self.caches = {f"layers.{i}.attn": torch.randn(2, 64, BLOCK, 2, 64) for i in range(2)}
        self.worker = LMCacheMPWorkerAdapter(server.url, context, MODEL, BLOCK, ONE_OF_ONE)
        self.worker.register_kv_caches(self.caches, layout_hints={})
        self.scheduler = LMCacheMPSchedulerAdapter([server.url], context, MODEL, BLOCK, ONE_OF_ONE)

    def store(self, tokens: list[int], first_block: int) -> None:
        self.worker.submit_store_request(
            "store", self._op(tokens, first_block), self.worker.create_recorded_event()
        )
        assert self.worker.store_futures["store"].result(timeout=PATIENCE)

    def look_up(self, request: str, tokens: list[int]) -> int:
        """How many chunks of the prompt are there, and now loaded."""
        self.scheduler.maybe_submit_lookup_request(request, tokens)
        until = time.monotonic() + PATIENCE
        while (found := self.scheduler.check_lookup_result(request)) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        # In tokens.
        return found // CHUNK

    def retrieve(self, request: str, tokens: list[int], first_block: int) -> None:
        self.worker.submit_retrieve_request(
            request, self._op(tokens, first_block), self.worker.create_recorded_event()
        )
        future, _ = self.worker.retrieve_futures[request]
        assert future.result(timeout=PATIENCE)

    def blocks(self, first: int, count: int) -> list[Any]:
        return [cache[:, first : first + count].clone() for cache in self.caches.values()]

    def close(self) -> None:
        self.worker.shutdown()
        self.scheduler.shutdown()

    def _op(self, tokens: list[int], first_block: int) -> LoadStoreOp:
        count = len(tokens) // BLOCK
        blocks = list(range(first_block, first_block + count))
        return LoadStoreOp(token_ids=tokens, block_ids=[blocks], start=0, end=len(tokens))


@contextmanager
def engine(server: Server, seed: int) -> Iterator[Engine]:
    started = Engine(server, seed)
    try:
        yield started
    finally:
        started.close()


def test_what_one_server_stored_another_loads(tmp_path: Path, pool: Pool) -> None:
    tokens = list(range(3 * CHUNK))
    first = Server(tmp_path, pool.address)
    try:
        assert first.l2()["type"] == "kvstore" and first.l2()["is_healthy"]
        with engine(first, seed=1) as prefill:
            prefill.store(tokens, first_block=0)
            wanted = prefill.blocks(0, 3 * BLOCKS_PER_CHUNK)
            until = time.monotonic() + PATIENCE
            while len(first.get("/cache/objects")["entries"]) < 3:
                assert time.monotonic() < until
    finally:
        first.kill()  # with all that its own memory held
    second = Server(tmp_path, pool.address)
    try:
        with engine(second, seed=2) as decode:
            assert decode.look_up("other", [7] * CHUNK) == 0
            assert decode.look_up("r", [*tokens, *range(CHUNK)]) == 3
            assert second.l2()["gets_ok"] == 3
            decode.retrieve("r", tokens, first_block=20)
            got = decode.blocks(20, 3 * BLOCKS_PER_CHUNK)
            for layer, expected in zip(got, wanted, strict=True):
                assert torch.equal(layer, expected)
            # Loaded, and so unlocked.
            until = time.monotonic() + PATIENCE
            while second.l2()["locked_keys"] > 0:
                assert time.monotonic() < until
    finally:
        second.stop()


def test_a_lost_master_costs_hits_alone(tmp_path: Path, pool: Pool) -> None:
    server = Server(tmp_path, pool.address)
    try:
        with engine(server, seed=1) as worker:
            pool.master.kill()
            tokens = list(range(CHUNK))
            worker.store(tokens, first_block=0)
            assert worker.look_up("elsewhere", [9] * CHUNK) == 0
            # Its own memory still has it.
            assert worker.look_up("r", tokens) == 1
            assert not server.l2()["is_healthy"]
    finally:
        server.stop()
