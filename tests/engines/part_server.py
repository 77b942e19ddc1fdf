"""LMCache as a server of its own (`lmcache server`), with kvstore behind it."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack

import part_pair
from deployment import CHUNK, EXAMPLES, MASTER_PORT, PORTS, Engine, Store
from environment import Environment
from part_pair import Pair
from plain import Plain
from report import Section
from running import Program, wait_for

# What a server says of each request.
_FOUND = re.compile(r"retained keys \(\d+ L1, (\d+) L2\)")
_PORTS = {"prefiller": 5555, "decoder": 5565}  # and the next two, for HTTP


def server(environment: Environment, plain: Plain) -> Section:
    """A server for each worker, as on two hosts: what one has stored reaches the other by kvstore
    alone."""
    section = Section(
        "server",
        "LMCache as a server, with kvstore as its L2",
        "A vLLM and an `lmcache server` on each side, as on two hosts, with vLLM's own "
        "LMCacheMPConnector and examples/engines/lmcache-server-l2.json; no module of ours. What "
        "was loaded is what vLLM counted.",
        part_pair.COLUMNS,
    )
    part_pair.learn(plain)
    with Store(environment, "kvstore") as store, ExitStack() as stack:
        store.start_node("shelf-1")
        servers = [_start_server(stack, environment, role) for role in _PORTS]
        workers = [stack.enter_context(_worker(environment, role)) for role in _PORTS]
        for worker in workers:
            worker.wait()
        # An LMCache server looks without waiting.
        pair = Pair(
            *workers,
            lambda chunks: wait_for(
                f"{chunks} chunks are stored", lambda: store.objects() >= chunks
            ),
        )
        part_pair.warm(pair)
        start = servers[1].size()
        asked = part_pair.ask_pair(pair, plain, part_pair.PROMPTS, by_log=False)
        part_pair.summary(section, "kvstore", asked)
        behind = sum(int(chunks) for chunks in _FOUND.findall(servers[1].text(start)))
        chunks = sum(tokens // CHUNK for tokens, _ in part_pair.PROMPTS)
        section.check(
            f"{behind} of {chunks} chunks came to decode's server from kvstore", behind == chunks
        )
    return section


def _start_server(stack: ExitStack, environment: Environment, role: str) -> Program:
    adapter = json.loads((EXAMPLES / "lmcache-server-l2.json").read_text())
    adapter["adapter_params"]["master"] = f"127.0.0.1:{MASTER_PORT}"
    port = _PORTS[role]
    program = Program(
        environment.root,
        f"lmcache-{role}",
        [
            *(environment.python, environment.venv / "bin" / "lmcache", "server"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--http-host", "127.0.0.1", "--http-port", str(port + 1)),
            *("--prometheus-port", str(port + 2), "--disable-observability"),
            *("--chunk-size", str(CHUNK), "--l1-size-gb", "0.25", "--eviction-policy", "LRU"),
            # Else the worker waits for ever on a CPU.
            *("--supported-transfer-mode", "auto"),
            *("--l2-adapter", json.dumps(adapter)),
        ],
        environment.variables([environment.store("kvstore")]),
    )
    stack.callback(program.stop)
    program.wait_healthy(f"http://127.0.0.1:{port + 1}/healthcheck")
    return program


def _worker(environment: Environment, role: str) -> Engine:
    transfer = {
        "kv_connector": "LMCacheMPConnector",
        "kv_role": "kv_producer" if role == "prefiller" else "kv_consumer",
        "kv_load_failure_policy": "recompute",
        "kv_connector_extra_config": {
            "lmcache.mp.host": "tcp://127.0.0.1",
            "lmcache.mp.port": _PORTS[role],
        },
    }
    return Engine(environment, role, PORTS[role], [], {}, transfer)
