"""Where this store is meant to differ from Mooncake's, and why."""

from __future__ import annotations

from importlib import metadata

DIFFERENCES = {
    "a batch of no keys": "there is one answer for each key, so none",
    "values of wide items": "all of their bytes are stored, where Mooncake counts items",
    "values with gaps": "their items are stored, where Mooncake takes what lies there",
    "no local buffer": "bytes can be got all the same: nothing is staged",
    "the null address": "it is no memory",
    "sessions after their lease": "they ask for another lease, where Mooncake's end",
    "sessions of removed objects": "they end, where Mooncake reads what is left",
    "files without safetensors": "they are read and written without that package",
    "shards split otherwise": "a shard is the part that was asked for, or None, never another part",
    "shards of a whole tensor": "they are cut from it, where Mooncake finds none",
    "what writers have put": "it is found as a whole and in shards of any size",
    "a torch without uint16": "it is enough, where Mooncake asks it for types that it lacks",
    "the shape of a scalar": "a tensor without dimensions is got as one, not as one with one",
}


def _is_ours() -> bool:
    try:
        metadata.version("kvstore-mooncake-compat")
    except metadata.PackageNotFoundError:
        return False
    return True


def differs(what: str) -> bool:
    """Whether the store under test is this one; `what` stands in the table above."""
    assert what in DIFFERENCES
    return _is_ours()
