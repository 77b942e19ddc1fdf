"""Prefill and decode workers as one OpenAI-compatible server.

proxy/   kvstore-pd-proxy: sends each request to a prefill, then to a decode worker
"""

from __future__ import annotations

from importlib import metadata

__version__ = metadata.version("kvstore-pd")
