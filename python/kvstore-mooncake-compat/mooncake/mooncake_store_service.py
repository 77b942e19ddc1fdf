"""mooncake.mooncake_store_service is not offered: importing it raises ImportError."""

from __future__ import annotations

from ._absent import refuse_module

refuse_module(__name__, "the REST service is not offered; use kvctl, or kvstore from Python")
