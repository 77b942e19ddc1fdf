"""What is looked at before the start. Each finding says what is wrong, and what to do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import agreement, scripts
from .programs import MASTER, NODE, Program, store_program
from .settings import LMCACHE, MOONCAKE_STORE, PLUGIN, Settings, Worker

_PROBE_SECONDS = 120.0
_CPU_BLOCK = 32
# What the launcher gives to vLLM itself; given twice, the last would count.
_OURS = (
    *("--model", "--served-model-name", "--host", "--port", "--block-size"),
    "--kv-transfer-config",
)


def findings(settings: Settings, to_start: list[Program]) -> list[str]:
    """Empty: nothing speaks against the start."""
    return [
        *_ports(to_start),
        *_keys(settings),
        *_model(settings),
        *_arguments(settings),
        *_blocks(settings),
        *_store(settings, to_start),
        *_packages(settings, to_start),
    ]


def _ports(to_start: list[Program]) -> Iterator[str]:
    users: dict[tuple[str, int], str] = {}
    for program in to_start:
        for port in (program.port, *program.other_ports):
            if port:
                yield from _port(program, port, users)


def _port(program: Program, port: int, users: dict[tuple[str, int], str]) -> Iterator[str]:
    where = (program.host, port)
    if where in users:
        yield (
            f"{program.name} and {users[where]} both have {program.host}:{port}: give one of them "
            "another port"
        )
        return
    users[where] = program.name
    taken = _taken(*where)
    if taken:
        yield (
            f"{program.name}: {program.host}:{port} can't be had ({taken}): end what listens there "
            f"(`ss -ltnp sport = :{port}`), or give {program.name} another port"
        )


def _taken(host: str, port: int) -> str:
    try:
        with socket.create_server((host, port), family=_family(host)):
            return ""
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _keys(settings: Settings) -> Iterator[str]:
    """What is part of the keys must be the same for all workers, or none finds what others put."""
    for worker in settings.workers:
        seed = worker.env.get("PYTHONHASHSEED", str(settings.hash_seed))
        if seed != str(settings.hash_seed):
            yield (
                f"{worker.name}: PYTHONHASHSEED is {seed} in its env and {settings.hash_seed} for "
                "others; it is part of the keys, so that decode would find nothing: remove it, and "
                "set hash_seed"
            )
        chunk = worker.lmcache.get("chunk_size", settings.chunk_size)
        if chunk != settings.chunk_size:
            yield (
                f"{worker.name}: lmcache has chunk_size {chunk}, and all others "
                f"{settings.chunk_size}; chunks of another size have other keys: set chunk_size "
                f"at the top of the file instead"
            )


def _model(settings: Settings) -> Iterator[str]:
    model = settings.model
    if model.startswith((".", "~")):
        yield (
            f"model {model} depends on the folder it is read in, and its text is part of the "
            f"keys: give the whole path, the same on all machines"
        )
    elif model.startswith("/") and not (Path(model) / "config.json").is_file():
        yield (
            f"model {model}: there is no config.json in it here: mend the path, or put the model "
            "there"
        )


def _arguments(settings: Settings) -> Iterator[str]:
    for worker in settings.workers:
        for word in worker.vllm_args:
            name = word.partition("=")[0]
            if name in _OURS and not worker.command:
                key = name.strip("-").replace("-", "_").replace("kv_transfer_config", "kv_transfer")
                yield f"{worker.name}: {name} is in vllm_args: set {key} in the file instead"


def _blocks(settings: Settings) -> Iterator[str]:
    block = settings.block_size
    if block and settings.connector in (LMCACHE, PLUGIN) and settings.chunk_size % block:
        yield (
            f"chunk_size {settings.chunk_size} is no multiple of block_size {block}: LMCache "
            f"would move parts of blocks; set chunk_size to "
            f"{-(-settings.chunk_size // block) * block}"
        )
    for worker in settings.workers:
        if worker.device == "cpu" and block % _CPU_BLOCK and not worker.command:
            yield (
                f"{worker.name}: vLLM on a CPU wants blocks of {_CPU_BLOCK} tokens, and "
                f"block_size is {block}: set block_size: {_CPU_BLOCK}"
            )
        if worker.device == "cpu" and not block and not worker.command:
            yield (
                f"{worker.name}: vLLM on a CPU wants blocks of {_CPU_BLOCK} tokens, where its own "
                f"default is smaller: set block_size: {_CPU_BLOCK}"
            )


def _store(settings: Settings, to_start: list[Program]) -> Iterator[str]:
    names = {program.name for program in to_start}
    for name in [each for each in (MASTER, NODE) if each in names]:
        program = f"kvstore_{name}"
        if not store_program(settings, program):
            yield (
                f"{program} is found neither in PATH nor beside {settings.python}: install the "
                f"package kvstore there, or set programs under store to the folder that has it"
            )
    if MASTER in names or not any(program.is_worker for program in to_start):
        return
    store = settings.store
    try:
        socket.create_connection((store.host, store.port), timeout=3).close()
    except OSError as error:
        yield (
            f"the master {store.master} can't be reached ({error.strerror or error}): start "
            "kvstore_master (or mooncake_master) there, mend master under store, or set start: true"
        )
        return
    if agreement.can_be_asked(settings):
        yield from agreement.differing(settings)


def _packages(settings: Settings, to_start: list[Program]) -> Iterator[str]:
    """Once for each environment that workers have."""
    names = {program.name for program in to_start}
    master = settings.store.master if MASTER not in names else ""
    seen: set[tuple[str, str]] = set()
    for worker in settings.workers:
        path = worker.env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        if worker.name not in names or worker.command or (settings.python, path) in seen:
            continue
        seen.add((settings.python, path))
        try:
            found = _probed(settings, worker, master)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            yield f"python {settings.python} can't be run ({error}): set python to the engines' own"
            continue
        yield from _missing(settings, found)


def _probed(settings: Settings, worker: Worker, master: str) -> dict[str, Any]:
    """Raises OSError, ValueError, SubprocessError."""
    words = [master] if master else []
    said = scripts.run(settings.python, "probe.py", words, worker.env, _PROBE_SECONDS, "it failed")
    found = json.loads(said.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def _missing(settings: Settings, found: dict[str, Any]) -> Iterator[str]:
    python, connector = settings.python, settings.connector
    if not found["vllm"]:
        yield f"{python} has no vllm: set python to the engines' own, or install vLLM there"
    if connector in (LMCACHE, PLUGIN) and not found["lmcache"]:
        yield (
            f"{python} has no lmcache: pip install lmcache there, or set "
            f"connector: {MOONCAKE_STORE}"
        )
    if connector == PLUGIN and not found["plugin"]:
        yield f"{python} has no kvstore.lmcache: pip install the package kvstore there"
    if connector in (LMCACHE, MOONCAKE_STORE) and found["mooncake"] != "kvstore":
        there = (
            "has Mooncake's own module: it speaks to Mooncake's master alone; pip uninstall it, "
            "and install"
            if found["mooncake"]
            else "has no module mooncake: install"
        )
        yield f"{python} {there} kvstore and kvstore-mooncake-compat there (docs/mooncake.md)"
    if found["pool"]:
        yield (
            f"a client can't join the pool of {settings.store.master}: {found['pool']}; what "
            f"listens there may be no kvstore_master, or one of another version"
        )
