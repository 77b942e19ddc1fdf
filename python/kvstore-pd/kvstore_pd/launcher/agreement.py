"""That workers of several hosts make the same keys: what each host's keys are made of stands in the
pool while its workers run, and is compared before the next ones start, and once more when they are
ready: hosts that start at the same time see each other only then.

Compared are files that have a worker in common: other pairs may share the pool. Only where the
package kvstore is installed for the workers, and the pool has memory by then. What can't be
compared is no reason not to start."""

from __future__ import annotations

import json
import socket
import subprocess
import zlib
from collections.abc import Collection, Iterator
from typing import Any

from ..proxy.options import is_local
from . import scripts
from .processes import Places
from .programs import names_worker
from .settings import LMCACHE, MOONCAKE_STORE, Settings, Worker

_SECONDS = 60.0
_PREFIX = "kvstore-pd/"
_WORKERS = "workers"  # all that the file has: what pair the note is of


def can_be_asked(settings: Settings) -> bool:
    """Whether `python` is what workers run by: with commands of their own it may be any."""
    return any(not worker.command for worker in settings.workers)


def differing(settings: Settings) -> Iterator[str]:
    """What notes of other hosts, or of workers that run here, say otherwise, with the remedy."""
    try:
        notes = json.loads(_run(settings, "read", _PREFIX))
    except (OSError, ValueError, subprocess.SubprocessError):
        return
    own = _own(settings)
    for key, text in sorted(notes.items()):
        theirs = _fields(text)
        if not _common_workers(own, theirs):
            continue
        names = [name for name in own if name != _WORKERS and name in theirs]
        name = next((name for name in names if theirs[name] != own[name]), "")
        if not name:
            continue
        if key != _key(settings):
            host = key.removeprefix(_PREFIX).rpartition("/")[0]
            yield (
                f"{name} is {own[name]!r} here and {theirs[name]!r} for the workers of {host}, so "
                "that neither side would find the other's keys: use one file for both; or, if "
                f"{host} runs none any more, `kvctl --master {settings.store.master} rm {key}`"
            )
        elif any_runs(settings):
            yield (
                f"{name} is {own[name]!r} in the file and {theirs[name]!r} for workers that run "
                "here, so that neither would find the other's keys: `kvstore-pd down` first"
            )


def any_runs(settings: Settings, but: Collection[str] = ()) -> bool:
    """Whether a worker is at work here, other than these; also one that the file has no more."""
    places = Places(settings.state)
    names = (name for name in places.names() if names_worker(name) and name not in but)
    return any(places.alive(name) for name in names)


def leave(settings: Settings) -> str:
    """Why it could not be; empty: it is there."""
    try:
        _run(settings, "leave", _key(settings), json.dumps(_own(settings)))
        return ""
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(error)


def take(settings: Settings) -> None:
    """Also where there is none, or no pool any more."""
    try:
        _run(settings, "take", _key(settings))
    except (OSError, ValueError, subprocess.SubprocessError):
        pass


def _own(settings: Settings) -> dict[str, Any]:
    lmcache = settings.connector != MOONCAKE_STORE
    own: dict[str, Any] = {
        # Both of LMCache's ways make LMCache's keys.
        "connector": LMCACHE if lmcache else MOONCAKE_STORE,
        "model": settings.model,
        "hash_seed": settings.hash_seed,
    }
    if lmcache:
        own["chunk_size"] = settings.chunk_size
    own[_WORKERS] = [_address(worker) for worker in settings.workers]
    return own


def _address(worker: Worker) -> str:
    """Loopback is another one on each host."""
    where = f"{worker.host}:{worker.port}"
    return f"{socket.gethostname()}/{where}" if is_local(worker.host) else where


def _common_workers(own: dict[str, Any], theirs: dict[str, Any]) -> bool:
    workers = theirs.get(_WORKERS)
    return isinstance(workers, list) and any(each in workers for each in own[_WORKERS])


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _key(settings: Settings) -> str:
    """One for each host and state folder, in which one pair runs at a time."""
    folder = zlib.crc32(str(settings.state.resolve()).encode())
    return f"{_PREFIX}{socket.gethostname()}/{folder:08x}"


def _run(settings: Settings, verb: str, *words: str) -> str:
    """Raises OSError, SubprocessError, ValueError."""
    asked = [verb, settings.store.master, *words]
    return scripts.run(
        settings.python, "notes.py", asked, settings.env, _SECONDS, "no package kvstore"
    )
