"""mooncake.structured_object_store is not offered: importing it raises ImportError."""

from __future__ import annotations

from ._absent import refuse_module

refuse_module(__name__, "objects of reinforcement learning are not what engines cache")
