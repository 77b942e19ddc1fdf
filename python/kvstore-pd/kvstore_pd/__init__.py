"""Prefill and decode workers as one OpenAI-compatible server.

proxy/      kvstore-pd-proxy: sends each request to a prefill, then to a decode worker
launcher/   kvstore-pd: starts store, workers and proxy from one file, and ends them
"""

from __future__ import annotations

from importlib import metadata

__version__ = metadata.version("kvstore-pd")
