"""mooncake.ep is not offered: importing it raises ImportError."""

from __future__ import annotations

from ._absent import refuse_module

refuse_module(__name__, "expert parallelism needs Mooncake's own wheel")
