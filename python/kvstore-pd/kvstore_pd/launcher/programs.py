"""What is to run: each program's command, environment and files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ..proxy.front import LAST_WORDS_SECONDS
from . import engines
from .settings import DECODER, LMCACHE, PLUGIN, PREFILLER, Settings, Worker

MASTER = "master"
NODE = "node"
PROXY = "proxy"


@dataclass(frozen=True)
class Program:
    name: str
    command: list[str]
    env: dict[str, str]
    host: str  # where it listens
    port: int  # 0: nowhere that others must know
    other_ports: tuple[int, ...] = ()
    health: str = ""  # a URL that answers 200 when it is ready
    ready_line: str = ""  # else: what its log says then
    files: dict[Path, str] = field(default_factory=dict)

    @property
    def is_worker(self) -> bool:
        return names_worker(self.name)


def names_worker(name: str) -> bool:
    return name not in (MASTER, NODE, PROXY)


def all_programs(settings: Settings) -> list[Program]:
    """In the order of their start."""
    store = [_master(settings)] if settings.store.start else []
    if settings.store.start and settings.store.lend:
        store.append(_node(settings))
    workers = [_worker(settings, worker) for worker in settings.workers]
    return [*store, *workers, _proxy(settings)]


# What the words of the command line stand for.
CHOICES = ("all", "store", PREFILLER, DECODER, PROXY)


def chosen(programs: list[Program], what: str) -> list[Program]:
    return [program for program in programs if means(what, program.name)]


def means(what: str, name: str) -> bool:
    """Whether it is all, the program's name, or its kind."""
    kind = "store" if name in (MASTER, NODE) else name.rpartition("-")[0]
    return what in ("all", name, kind)


def url(host: str, port: int, path: str) -> str:
    return f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}"


def is_here(host: str) -> bool:
    """Whether this machine has that address."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)
        return True
    except OSError:
        return False


def store_program(settings: Settings, name: str) -> str:
    """Empty where it is not found."""
    folders = [settings.store.programs] if settings.store.programs else []
    folders += [str(Path(python).parent) for python in (settings.python, sys.executable)]
    found = shutil.which(name, path=os.pathsep.join(folders)) or shutil.which(name)
    return found or ""


def _master(settings: Settings) -> Program:
    store = settings.store
    command = [
        store_program(settings, "kvstore_master") or "kvstore_master",
        *("--listen", store.host, "--port", str(store.port)),
        *("--metrics_port", str(store.metrics_port)),
        *("--state_file", str(settings.state / "master.state")),
        *(["--insecure_allow_remote"] if settings.insecure_allow_remote else []),
        *store.master_args,
    ]
    return Program(
        MASTER,
        command,
        _common_env(settings),
        store.host,
        store.port,
        other_ports=(store.metrics_port,),
        health=url(store.host, store.metrics_port, "/health"),
    )


def _node(settings: Settings) -> Program:
    store = settings.store
    command = [
        store_program(settings, "kvstore_node") or "kvstore_node",
        *("--master", store.master, "--name", f"node-{socket.gethostname()}"),
        *("--lend", str(store.lend), "--listen", f"{store.host}:0", "--wait"),
        *(["--rdma_devices", store.devices] if store.protocol == "rdma" and store.devices else []),
        *(["--insecure_allow_remote"] if settings.insecure_allow_remote else []),
        *store.node_args,
    ]
    return Program(NODE, command, _common_env(settings), store.host, 0, ready_line="ready: lends")


def _common_env(settings: Settings) -> dict[str, str]:
    """What finds packages and libraries for workers finds them for the store's programs as well."""
    names = ("PYTHONPATH", "LD_LIBRARY_PATH", "PATH")
    return {name: value for name, value in settings.env.items() if name in names}


def _worker(settings: Settings, worker: Worker) -> Program:
    ending, text = engines.config_file(settings, worker)
    file = settings.state / "config" / (worker.name + ending)
    transfer = json.dumps(engines.kv_transfer(settings, worker))
    env = {
        engines.config_variable(settings): str(file),
        "PYTHONHASHSEED": str(settings.hash_seed),
        # Neither CUDA nor kvstore lives on in a child that was forked.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    }
    if settings.connector in (LMCACHE, PLUGIN):
        env["LMCACHE_USE_EXPERIMENTAL"] = "True"
    # Always: what the shell has exported is not for prefill, which would wait for its own puts.
    awaits = settings.await_puts_ms if worker.role == DECODER else 0
    env["KVSTORE_AWAIT_PUTS_MS"] = str(awaits)
    if worker.device == "cpu":
        env["CUDA_VISIBLE_DEVICES"] = ""
        # Else each engine of a machine binds itself to the same cores.
        env["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
    elif worker.device:
        env["CUDA_VISIBLE_DEVICES"] = worker.device
    env.update(worker.env)
    return Program(
        worker.name,
        _filled(worker, settings, transfer)
        if worker.command
        else _vllm(worker, settings, transfer),
        env,
        worker.host,
        worker.port,
        health=url(worker.host, worker.port, "/health"),
        files={file: text},
    )


def _vllm(worker: Worker, settings: Settings, transfer: str) -> list[str]:
    """Not `vllm serve`: that wants a distribution called vllm, and the one for CPUs is not."""
    name, block = settings.served_model_name, settings.block_size
    return [
        *(settings.python, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", settings.model, "--host", worker.host, "--port", str(worker.port)),
        *(["--served-model-name", name] if name else []),
        *(["--block-size", str(block)] if block else []),
        *("--kv-transfer-config", transfer),
        *worker.vllm_args,
    ]


def _filled(worker: Worker, settings: Settings, transfer: str) -> list[str]:
    """Names in braces that are none of these stay: a command may have braces of its own."""
    values = {
        "{python}": settings.python,
        "{model}": settings.model,
        "{served_model_name}": settings.served_model_name,
        "{name}": worker.name,
        "{host}": worker.host,
        "{port}": str(worker.port),
        "{kv_transfer_config}": transfer,
    }
    words = []
    for word in (*worker.command, *worker.vllm_args):
        for name, value in values.items():
            word = word.replace(name, value)
        words.append(word)
    return words


def _proxy(settings: Settings) -> Program:
    proxy = settings.proxy
    words = [sys.executable, "-m", "kvstore_pd.proxy.main"]
    words += ["--host", proxy.host, "--port", str(proxy.port)]
    # Done, last words to clients included, before it would be killed.
    words += ["--drain-timeout", f"{max(0.1, settings.stop_timeout - 2 * LAST_WORDS_SECONDS):g}"]
    for role in (PREFILLER, DECODER):
        workers = settings.of_role(role)
        words += [f"--{role}-host", *(worker.host for worker in workers)]
        words += [f"--{role}-port", *(str(worker.port) for worker in workers)]
    words += ["--insecure-allow-remote"] if settings.insecure_allow_remote else []
    # Its /health would tell of the workers, and they may be started later.
    return Program(
        PROXY,
        [*words, *proxy.args],
        {},
        proxy.host,
        proxy.port,
        health=url(proxy.host, proxy.port, "/metrics"),
    )
