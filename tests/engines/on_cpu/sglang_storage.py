"""SGLang's own HiCache storage (class MooncakeStore) on the package `mooncake` that is found here,
without SGLang's server: pages of host memory are put, looked for and got back.

    python sglang_storage.py MASTER_ADDRESS

Exit status 0: all pages came back as they were.
"""

from __future__ import annotations

import os
import sys
import uuid

os.environ.update(
    MOONCAKE_MASTER=sys.argv[1],
    MOONCAKE_PROTOCOL="tcp",
    MOONCAKE_DEVICE="",
    MOONCAKE_TE_META_DATA_SERVER="http://127.0.0.1:8080/metadata",
    MOONCAKE_LOCAL_HOSTNAME="127.0.0.1",
    MOONCAKE_GLOBAL_SEGMENT_SIZE=str(128 << 20),
)

import torch  # noqa: E402
from sglang.srt.mem_cache.hicache_storage import HiCacheStorageConfig  # noqa: E402
from sglang.srt.mem_cache.storage.mooncake_store.mooncake_store import (  # noqa: E402
    MooncakeStore,
)

_PAGE = 16 << 10  # elements
_PAGES = 20


class HostPool:
    """What the storage asks of SGLang's pool of host memory: where pages lie. A page is two
    objects, keys and values, or one where a model has one plane for both (MLA)."""

    layout = "page_first"
    page_size = 1

    def __init__(self, objects: int) -> None:
        self._objects = objects
        self.kv_buffer = torch.randn(2 * _PAGES, objects, _PAGE)

    def get_page_buffer_meta(self, indices: torch.Tensor) -> tuple[list[int], list[int]]:
        pointers = [
            self.kv_buffer[int(page), at].data_ptr()
            for page in indices
            for at in range(self._objects)
        ]
        return pointers, [_PAGE * 4] * len(pointers)

    def get_ksize_per_token(self) -> int:
        return self._objects * _PAGE * 4


def main() -> None:
    for one_plane in (False, True):
        store = MooncakeStore(
            HiCacheStorageConfig(
                tp_rank=0,
                tp_size=1,
                pp_rank=0,
                pp_size=1,
                attn_cp_rank=0,
                attn_cp_size=1,
                is_mla_model=one_plane,
                enable_storage_metrics=False,
                is_page_first_layout=True,
                model_name="a/model",
            )
        )
        pool = HostPool(1 if one_plane else 2)
        store.register_mem_pool_host(pool)
        keys = [uuid.uuid4().hex for _ in range(_PAGES)]
        assert store.batch_exists(keys) == 0
        assert all(store.batch_set_v1(keys, torch.arange(_PAGES)))
        assert store.batch_exists(keys) == _PAGES
        assert store.batch_exists([*keys[:5], "none", *keys[5:]]) == 5
        assert all(store.batch_get_v1(keys, torch.arange(_PAGES, 2 * _PAGES)))
        assert torch.equal(pool.kv_buffer[:_PAGES], pool.kv_buffer[_PAGES:])
        assert not any(store.batch_get_v1(["none"], torch.arange(1)))
        # What was there already is stored once, and stays.
        assert all(store.batch_set_v1(keys[:3], torch.arange(3)))
        # Only of what nobody has looked for: both stores keep what is leased.
        others = [uuid.uuid4().hex for _ in range(3)]
        assert all(store.batch_set_v1(others, torch.arange(3)))
        store.clear()
        assert store.batch_exists(others) == 0
        print(f"{'one object' if one_plane else 'two objects'} a page: {_PAGES} pages came back")


if __name__ == "__main__":
    main()
