"""What a worker's Python can import, as JSON. It is run by that Python, by itself and with the
worker's environment: it uses nothing but the standard library."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys


def is_there(name: str) -> bool:
    """Found, though not imported: that would take seconds and memory."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def whose_mooncake() -> str:
    """ "kvstore", "other", or nothing."""
    found = importlib.util.find_spec("mooncake")
    if found is None or not found.submodule_search_locations:
        return ""
    folder = os.path.realpath(next(iter(found.submodule_search_locations)))
    for distribution in importlib.metadata.distributions(name="kvstore-mooncake-compat"):
        if os.path.realpath(str(distribution.locate_file("mooncake"))) == folder:
            return "kvstore"
    return "other"


def why_no_pool(master: str) -> str:
    """Why a client can't join; empty: it can, or there is no client here."""
    if not is_there("kvstore"):
        return ""
    try:
        with importlib.import_module("kvstore").Client(master, connect_timeout=5):
            return ""
    except Exception as error:
        return str(error) or type(error).__name__


if __name__ == "__main__":
    found = {
        "vllm": is_there("vllm"),
        "lmcache": is_there("lmcache"),
        "plugin": is_there("kvstore.lmcache"),
        "mooncake": whose_mooncake(),
        "pool": why_no_pool(sys.argv[1]) if len(sys.argv) > 1 else "",
    }
    print(json.dumps(found))
