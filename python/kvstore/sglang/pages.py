"""What a page of a host pool is in the store.

One object holds a whole page: K and V and, in layouts that have them apart, every layer, which are
its pieces in the order in which the pool names them. K without V is of no use, and one object
instead of two halves what the master has to look up, place and evict. (SGLang's Mooncake backend
has two, and can't have layer_first for models with both.)

A key says all that must be equal where bytes are to be read as what they are: model, data type,
layout, tokens a page, which share of the model (ranks), and a digest of the sizes of the pieces and
what else of the pool makes their order. The page's hash, at its end, stands for the tokens alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

# Of these pools each tensor-parallel rank has its own share, also where the model's KV is the same
# on all.
_OWN_SHARE = ("mamba",)
_DRAFTS = ("draft", "draft_swa")


class Pages:
    """A pool's pages. Fixed when the pool is registered.

    Raises ValueError: the pool names no addresses for its pages, or not the same for each.
    """

    def __init__(self, pool: Any, config: Any, name: str = "kv") -> None:
        self._pool = pool
        self.size = int(pool.page_size or 1)  # tokens
        addresses, sizes = self._memory(range(self.size))
        if not addresses or len(addresses) != len(sizes):
            raise ValueError(f"the host pool {name} names no memory for its pages")
        self._pieces = len(addresses)
        self.bytes = sum(sizes)
        shared = _same_on_all_ranks(pool, config, name)
        layout = str(getattr(pool, "layout", ""))
        dtype = str(getattr(pool, "dtype", "")).removeprefix("torch.")
        digest = hashlib.sha256(
            repr((type(pool).__name__, list(sizes), *_of_pool(pool))).encode()
        ).hexdigest()[:12]
        self._prefix = "@".join(
            (
                "sglang",
                config.model_name or "",
                dtype,
                layout,
                f"p{self.size}",
                ranks(config, shared),
                name,
                digest,
                "",
            )
        )

    def key(self, page: str) -> str:
        return self._prefix + page

    def memory(self, indices: Any) -> tuple[list[list[int]], list[list[int]]]:
        """Addresses and sizes of the pieces of each page that the indices name, a page's tokens one
        after the other."""
        tokens = len(indices)
        if tokens % self.size:
            raise ValueError(f"{tokens} tokens are no whole pages of {self.size}")
        addresses, sizes = self._memory(indices)
        count = tokens // self.size
        if len(addresses) != count * self._pieces or len(sizes) != len(addresses):
            raise ValueError(
                f"the host pool names {len(addresses)} pieces for {count} pages, not "
                f"{self._pieces} for each"
            )
        n = self._pieces
        return (
            [addresses[i : i + n] for i in range(0, len(addresses), n)],
            [sizes[i : i + n] for i in range(0, len(sizes), n)],
        )

    def _memory(self, indices: Any) -> tuple[list[int], list[int]]:
        if isinstance(indices, range):
            import torch  # type: ignore[import-not-found, unused-ignore]

            indices = torch.arange(indices.start, indices.stop, dtype=torch.int64)
        addresses, sizes = self._pool.get_page_buffer_meta(indices)
        return [int(a) for a in addresses], [int(s) for s in sizes]


def ranks(config: Any, shared: bool) -> str:
    """Which share of the model this rank has; `shared`: all tensor-parallel ranks have the same."""
    parts = [] if shared else [("tp", config.tp_rank, config.tp_size)]
    parts.append(("pp", config.pp_rank, config.pp_size))
    parts.append(("cp", config.attn_cp_rank, config.attn_cp_size))
    parts.append(("dcp", getattr(config, "dcp_rank", 0), getattr(config, "dcp_size", 1)))
    text = "-".join(f"{name}{rank}of{size}" for name, rank, size in parts if size > 1)
    return text or "one"


def _same_on_all_ranks(pool: Any, config: Any, name: str) -> bool:
    if name in _OWN_SHARE:
        return False
    if name in _DRAFTS:
        kind = type(pool).__name__
        return "MLA" in kind or "DeepSeekV4" in kind
    return bool(config.is_mla_model)


def _of_pool(pool: Any) -> Sequence[str]:
    """What else of it makes the order of a page's bytes, as far as it says so."""
    names = ("layer_num", "start_layer", "end_layer", "head_num", "head_dim", "v_head_dim")
    return [f"{name}={getattr(pool, name, None)}" for name in names]
