"""What the file says (example.yaml explains it)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..proxy.options import is_local
from .reading import Section, Wrong, each, load

STATE = ".kvstore-pd"
STOP_TIMEOUT = 30.0

PREFILLER = "prefiller"
DECODER = "decoder"

# How workers reach the store.
LMCACHE = "lmcache"  # LMCache's mooncakestore://, by the drop-in for Mooncake's module
PLUGIN = "lmcache-plugin"  # LMCache's remote storage plugin of the package kvstore
MOONCAKE_STORE = "mooncake-store"  # vLLM's own connector, by the drop-in
CONNECTORS = (LMCACHE, PLUGIN, MOONCAKE_STORE)


@dataclass(frozen=True)
class Worker:
    role: str
    name: str
    number: int  # from 1, of all workers in the file
    host: str
    port: int
    device: str  # "cpu", or for CUDA_VISIBLE_DEVICES; empty: as it is
    command: list[str]  # instead of vLLM's
    vllm_args: list[str]
    env: dict[str, str]
    lmcache: dict[str, Any]
    kv_transfer: dict[str, Any]


@dataclass(frozen=True)
class Store:
    master: str  # HOST:PORT
    start: bool  # by kvstore-pd, here
    lend: int  # bytes of the node that is started; 0: none is
    worker_lends: int  # bytes that each worker lends
    metrics_port: int
    protocol: str
    devices: str
    programs: str  # the folder of kvstore_master and kvstore_node; empty: found
    master_args: list[str]
    node_args: list[str]

    @property
    def host(self) -> str:
        return self.master.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.master.rpartition(":")[2])


@dataclass(frozen=True)
class Proxy:
    host: str
    port: int
    args: list[str]


@dataclass(frozen=True)
class Settings:
    path: Path
    state: Path  # folder of logs, pid files and what is generated
    model: str
    served_model_name: str
    python: str
    connector: str
    hash_seed: int
    chunk_size: int
    block_size: int  # 0: vLLM's own
    await_puts_ms: int
    start_timeout: float
    stop_timeout: float
    insecure_allow_remote: bool
    env: dict[str, str]  # of all workers
    store: Store
    workers: list[Worker]
    proxy: Proxy

    def of_role(self, role: str) -> list[Worker]:
        return [worker for worker in self.workers if worker.role == role]


_ONCE = "it stands at the top of the file, once, since both sides must have the same"
_ONLY_ABOVE = {"model": _ONCE, "hash_seed": _ONCE, "chunk_size": _ONCE, "connector": _ONCE}


def read(path: Path) -> Settings:
    """Raises Wrong."""
    path = path.absolute()
    top = load(path)
    top.where = path.name
    common = _Common(
        top.texts("vllm_args"),
        top.environment("env"),
        top.mapping("lmcache"),
        top.mapping("kv_transfer"),
    )
    prefillers = each(
        top.sections("prefillers"), lambda section, i: _worker(PREFILLER, section, i, i, common)
    )
    before = len(prefillers)
    decoders = each(
        top.sections("decoders"),
        lambda section, i: _worker(DECODER, section, i, before + i, common),
    )
    settings = Settings(
        path=path,
        state=path.parent / Path(top.text("state", STATE)).expanduser(),
        model=top.required_text("model"),
        served_model_name=top.text("served_model_name", ""),
        python=_path(path.parent, top.text("python", sys.executable)),
        connector=top.choice("connector", LMCACHE, CONNECTORS),
        hash_seed=top.number("hash_seed", 123, 0, 4294967295),
        chunk_size=top.number("chunk_size", 256, 1, 1 << 20),
        block_size=top.number("block_size", 0, 1, 1 << 20),
        await_puts_ms=top.number("await_puts_ms", 5000, 0, 60_000),
        start_timeout=top.seconds("start_timeout", 600),
        stop_timeout=top.seconds("stop_timeout", STOP_TIMEOUT),
        insecure_allow_remote=top.flag("insecure_allow_remote", False),
        env=common.env,
        store=_store(top.section("store"), path.parent),
        workers=prefillers + decoders,
        proxy=_proxy(top.section("proxy")),
    )
    top.end()
    _check(settings)
    return settings


@dataclass(frozen=True)
class _Common:
    """What all workers have; a worker's own is added."""

    vllm_args: list[str]
    env: dict[str, str]
    lmcache: dict[str, Any]
    kv_transfer: dict[str, Any]


def _worker(role: str, section: Section, i: int, number: int, common: _Common) -> Worker:
    worker = Worker(
        role=role,
        name=f"{role}-{i}",
        number=number,
        host=section.text("host", "127.0.0.1"),
        port=section.port("port"),
        device=section.text("device", ""),
        command=section.texts("command"),
        vllm_args=common.vllm_args + section.texts("vllm_args"),
        env={**common.env, **section.environment("env")},
        lmcache=merged(common.lmcache, section.mapping("lmcache")),
        kv_transfer=merged(common.kv_transfer, section.mapping("kv_transfer")),
    )
    section.end(_ONLY_ABOVE)
    return worker


def _path(folder: Path, text: str) -> str:
    """A bare name is looked for in PATH; else a path is relative to the file's folder."""
    return str(folder / Path(text).expanduser()) if "/" in text else text


def _store(section: Section, folder: Path) -> Store:
    master = section.text("master", "127.0.0.1:50051")
    host, colon, port = master.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise section.wrong("master", "must be HOST:PORT", master)
    start = section.flag("start", False)
    lend = section.size("lend", 4 << 30 if start else 0)
    store = Store(
        master=master,
        start=start,
        lend=lend,
        # Somebody must lend.
        worker_lends=section.size("worker_lends", 0 if lend else 4 << 30),
        metrics_port=section.port("metrics_port", 9003),
        protocol=section.choice("protocol", "tcp", ("tcp", "rdma")),
        devices=section.text("devices", ""),
        programs=_path(folder, section.text("programs", "")),
        master_args=section.texts("master_args"),
        node_args=section.texts("node_args"),
    )
    section.end()
    if lend and not start:
        raise Wrong(f"{section.where}: lend is what a node lends that is started; set start: true")
    return store


def _proxy(section: Section) -> Proxy:
    proxy = Proxy(
        section.text("host", "127.0.0.1"), section.port("port", 8000), section.texts("args")
    )
    section.end()
    return proxy


def _check(settings: Settings) -> None:
    """What the file alone shows to be wrong."""
    for key in ("prefillers", "decoders"):
        if not settings.of_role(key.removesuffix("s")):
            raise Wrong(f"{settings.path.name}: {key} is empty; name at least one, with its port")
    exposed = [
        (f"{worker.name}'s host", worker.host)
        for worker in settings.workers
        if not is_local(worker.host)
    ]
    if not is_local(settings.proxy.host):
        exposed.append(("the proxy's host", settings.proxy.host))
    if settings.store.start and not is_local(settings.store.host):
        exposed.append(("the master's host", settings.store.host))
    if exposed and not settings.insecure_allow_remote:
        what, host = exposed[0]
        raise Wrong(
            f"{settings.path.name}: {what} {host} can be reached from other machines, and there "
            f"is no login: set insecure_allow_remote: true if that is meant"
        )
    _one_pool(settings)


def _one_pool(settings: Settings) -> None:
    """Loopback is another machine on each: where workers are on several, each would find a pool of
    its own, and no hits."""
    far = [worker for worker in settings.workers if not is_local(worker.host)]
    if far and is_local(settings.store.host):
        raise Wrong(
            f"{settings.path.name}: {far[0].name} is at {far[0].host}, and the master at "
            f"{settings.store.master}, which is another one on each machine: set master under "
            "store to an address that all workers reach, or host of all workers to 127.0.0.1"
        )


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The second counts more; mappings in both are merged."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = merged(before, value) if both and before is not None else value
    return result
