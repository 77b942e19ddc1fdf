"""LMCache's in-process connector for vLLM on a CPU.

LMCache 0.5.6 runs on CPUs but for one piece: what copies between its chunks and vLLM's paged cache
exists for GPUs only. This module brings that piece and hands on LMCache's connector as it is; no
installed file is changed. vLLM takes it by

    --kv-transfer-config '{"kv_connector": "LMCacheConnectorV1",
                           "kv_connector_module_path": "lmcache_on_cpu", ...}'

with this folder on PYTHONPATH. It belongs to the tests.

ENGINES_ZERO_LOADED=1 writes zeros in place of what was loaded: an engine that then still answers as
before did not compute from what it loaded.
"""

from __future__ import annotations

import os

import lmcache
import lmcache.v1.gpu_connector as connectors
import torch
from lmcache.utils import EngineType
from lmcache.v1.gpu_connector.gpu_connectors import GPUConnectorInterface
from vllm.distributed.kv_transfer.kv_connector.v1 import lmcache_connector

_ZERO_LOADED = os.environ.get("ENGINES_ZERO_LOADED") == "1"


class PagedCacheOnCpu(GPUConnectorInterface):
    """Copies between chunks [2, layers, tokens, heads * size] and vLLM's cache of a CPU, per layer
    [blocks, heads, block, 2 * size]. Confined to the worker's thread.

    The attention kernel reads a block of one head as its keys and then its values, each in an order
    of its own; so only whole blocks are moved, which is right whatever that order is.
    """

    def __init__(self, metadata) -> None:
        self._layers, planes, _, self._heads, self._size = metadata.kv_shape
        if planes != 2:
            raise NotImplementedError("keys and values that share one plane (MLA)")
        self.kvcaches = None

    def initialize_kvcaches_ptr(self, **kwargs) -> None:
        self.kvcaches = kwargs.get("kvcaches", self.kvcaches)

    def get_shape(self, num_tokens: int) -> torch.Size:
        return torch.Size([2, self._layers, num_tokens, self._heads * self._size])

    def from_gpu(self, memory_obj, start: int, end: int, **kwargs) -> None:
        blocks, pages = self._pages(kwargs, start, end)
        chunk = memory_obj.tensor
        for layer, page in enumerate(pages):
            # [blocks, heads, 2, block, size] -> [2, blocks, block, heads, size]
            found = page[blocks].permute(2, 0, 3, 1, 4)
            chunk[:, layer].copy_(found.reshape(2, end - start, -1))

    def to_gpu(self, memory_obj, start: int, end: int, **kwargs) -> None:
        # What vLLM holds already stays: others may be reading it.
        skipped = min(end - start, max(0, kwargs.get("vllm_cached_tokens", 0) - start))
        blocks, pages = self._pages(kwargs, start + skipped, end)
        chunk = memory_obj.tensor
        if _ZERO_LOADED:
            chunk = torch.zeros_like(chunk)
        for layer, page in enumerate(pages):
            given = chunk[:, layer, skipped:].unflatten(-1, (self._heads, self._size))
            given = given.unflatten(1, (blocks.numel(), page.shape[3]))
            page[blocks] = given.permute(1, 3, 0, 2, 4)

    def batched_from_gpu(self, memory_objs, starts, ends, **kwargs) -> None:
        for memory_obj, start, end in zip(memory_objs, starts, ends, strict=True):
            self.from_gpu(memory_obj, start, end, **kwargs)

    def batched_to_gpu(self, memory_objs=None, starts=None, ends=None, **kwargs) -> None:
        for memory_obj, start, end in zip(memory_objs, starts, ends, strict=True):
            self.to_gpu(memory_obj, start, end, **kwargs)

    def _pages(self, given, start: int, end: int):
        """The blocks that hold these tokens, and each layer's cache by blocks, planes apart."""
        self.initialize_kvcaches_ptr(**given)
        size = self.kvcaches[0].shape[2]
        slots = given["slot_mapping"][start:end].long()
        blocks = slots[::size] // size
        whole = (blocks[:, None] * size + torch.arange(size)).flatten()
        if not torch.equal(slots, whole):
            raise ValueError(f"tokens {start} to {end} are not whole blocks of {size}")
        shape = (self._heads, 2, size, self._size)
        return blocks, [layer.view(-1, *shape) for layer in self.kvcaches]


_for_gpus = connectors.CreateGPUConnector


def _create(config, metadata, engine, layout_hints=None):
    if engine != EngineType.VLLM or lmcache.torch_device_type != "cpu":
        return _for_gpus(config, metadata, engine, layout_hints)
    if config.use_layerwise:
        raise NotImplementedError("layer by layer")
    return PagedCacheOnCpu(metadata)


connectors.CreateGPUConnector = _create


# vLLM looks for the class by this name.
class LMCacheConnectorV1(lmcache_connector.LMCacheConnectorV1):
    """LMCache's own."""
