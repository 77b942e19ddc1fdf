"""mooncake.engine is not offered: importing it raises ImportError."""

from __future__ import annotations

from ._absent import refuse_module

refuse_module(
    __name__,
    "kvstore moves bytes itself; a transfer engine is Mooncake's own wheel, in another environment",
)
