"""Stores and engines at work: what the guide starts, on one host."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from environment import HERE, REPOSITORY, Environment
from running import PATIENCE, Failure, Program, wait_for

EXAMPLES = REPOSITORY / "examples" / "engines"
MASTER_PORT = 50052
METRICS_PORT = 9004
METADATA_PORT = 8080
CHUNK = 256  # tokens, of LMCache
BLOCK = 32  # tokens, of vLLM


class Store(AbstractContextManager["Store"]):
    """A master and a metadata server as the guide starts them: this repository's ("kvstore") or
    Mooncake's ("mooncake"). Confined to one thread."""

    def __init__(self, environment: Environment, kind: str, flags: Sequence[str] = ()) -> None:
        self.kind = kind
        self._environment = environment
        self._flags = flags  # of the master
        self._nodes: list[Program] = []
        self.packages = environment.store(kind)
        # A master would find again what an earlier one knew.
        shutil.rmtree(environment.variables()["XDG_STATE_HOME"], ignore_errors=True)
        self.metadata = self._console(
            "mooncake_http_metadata_server", "--host", "127.0.0.1", "--port", str(METADATA_PORT)
        )
        self.master = self._start_master()

    def restart_master(self) -> None:
        """Kills it, and starts it again as a service manager would."""
        self.master.kill()
        self.master = self._start_master()

    def start_node(self, name: str, lent: int = 1 << 30) -> Program:
        """A kvstore_node that lends memory."""
        command = [
            self._environment.python,
            self.packages / "bin" / "kvstore_node",
            *("--master", f"127.0.0.1:{MASTER_PORT}", "--name", name, "--lend", str(lent)),
            "--wait",
        ]
        node = Program(self._environment.root, f"node-{name}", command, self.variables())
        self._nodes.append(node)
        node.wait_until(lambda: "ready" in node.text())
        return node

    def kvctl(self, *words: str) -> str:
        """What it prints of this store, which is kvstore. Raises Failure where it fails."""
        command = [
            *(self._environment.python, self.packages / "bin" / "kvctl", *words),
            *("--master", f"127.0.0.1:{MASTER_PORT}"),
        ]
        variables = {**os.environ, **self.variables()}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Failure(f"kvctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def objects(self) -> int:
        """How many are stored in this store, which is kvstore."""
        return self.metric("kvstore_objects")

    def metric(self, name: str) -> int:
        """What the master of this store, which is kvstore, says of itself; without labels."""
        url = f"http://127.0.0.1:{METRICS_PORT}/metrics"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            found = re.search(rf"(?m)^{name} (\d+)$", answer.read().decode())
        if found is None:
            raise Failure(f"{url} says nothing of {name}")
        return int(found[1])

    def variables(self) -> dict[str, str]:
        return self._environment.variables([self.packages])

    def stop(self) -> None:
        for program in (*self._nodes, self.master, self.metadata):
            program.stop()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_master(self) -> Program:
        master = self._console(
            "mooncake_master",
            *("-port", str(MASTER_PORT), "-max_threads", "64", "-metrics_port", str(METRICS_PORT)),
            *("-rpc_address", "127.0.0.1", "-metrics_host", "127.0.0.1"),
            *self._flags,
        )
        master.wait_until(lambda: _listens(METRICS_PORT))
        return master

    def _console(self, name: str, *flags: str) -> Program:
        command = [self._environment.python, self.packages / "bin" / name, *flags]
        # Mooncake's sockets on loopback.
        variables = {**self.variables(), "MC_TCP_BIND_ADDRESS": "127.0.0.1"}
        return Program(self._environment.root, name, command, variables)


class Engine(AbstractContextManager["Engine"]):
    """A vLLM server. It is ready after wait(). Confined to one thread."""

    def __init__(
        self,
        environment: Environment,
        name: str,
        port: int,
        packages: Sequence[Path],
        variables: Mapping[str, str] = {},
        transfer: Mapping[str, object] | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [
            *(environment.python, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", environment.model, "--served-model-name", "tiny"),
            *("--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--enforce-eager"),
            *("--max-model-len", 2048, "--max-num-seqs", 4, "--block-size", BLOCK),
            # Else a repeated prompt would be vLLM's own hit.
            "--no-enable-prefix-caching",
        ]
        if transfer is not None:
            command += ["--kv-transfer-config", json.dumps(transfer)]
        self.program = Program(
            environment.root,
            name,
            [str(word) for word in command],
            {
                **environment.variables([*packages, HERE / "on_cpu"]),
                "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
                # Else each engine binds itself to the same cores.
                "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                "OMP_NUM_THREADS": "1",
                "VLLM_HOST_IP": "127.0.0.1",
                "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
                "LMCACHE_USE_EXPERIMENTAL": "True",
                "MC_TCP_BIND_ADDRESS": "127.0.0.1",
                "MC_STORE_CLIENT_SETUP_RETRIES": "3",
                **variables,
            },
        )

    def wait(self) -> Engine:
        self.program.wait_healthy(self.url + "/health")
        return self

    def kill(self) -> None:
        self.program.kill()

    def stop(self) -> None:
        self.program.stop()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


PORTS = {"prefiller": 8100, "decoder": 8200, "plain": 8300}


def plain(environment: Environment) -> Engine:
    return Engine(environment, "plain", PORTS["plain"], [])


def lmcache_worker(
    environment: Environment,
    role: str,
    config: Path,
    packages: Sequence[Path],
    variables: Mapping[str, str] = {},
    name: str | None = None,
    port: int | None = None,
) -> Engine:
    """A worker of the guide's pair: role is prefiller or decoder; config is LMCache's. Of several
    with a role each has a name and a port of its own."""
    producer = role == "prefiller"
    transfer = {
        "kv_connector": "LMCacheConnectorV1",
        "kv_connector_module_path": "lmcache_on_cpu",
        "kv_role": "kv_producer" if producer else "kv_consumer",
        # A worker whose load failed computes instead, rather than answer with an error.
        "kv_load_failure_policy": "recompute",
        "kv_connector_extra_config": {
            "discard_partial_chunks": False,
            "lmcache_rpc_port": f"{'producer' if producer else 'consumer'}-{name or role}",
        },
    }
    variables = {"LMCACHE_CONFIG_FILE": str(config), **variables}
    return Engine(environment, name or role, port or PORTS[role], packages, variables, transfer)


def mooncake_store_worker(
    environment: Environment,
    role: str,
    config: Path,
    packages: Sequence[Path],
    variables: Mapping[str, str] = {},
) -> Engine:
    """So with vLLM's own MooncakeStoreConnector."""
    producer = role == "prefiller"
    transfer = {
        "kv_connector": "MooncakeStoreConnector",
        "kv_role": "kv_producer" if producer else "kv_consumer",
        "kv_load_failure_policy": "recompute",
        # With one number for both, on one host each answers for the other.
        "kv_connector_extra_config": {"lookup_rpc_port": 1 if producer else 2},
    }
    variables = {"MOONCAKE_CONFIG_PATH": str(config), **variables}
    return Engine(environment, role, PORTS[role], packages, variables, transfer)


# The examples are sized for a machine of one's own.
_SMALL = {
    r"(max_local_cpu_size: )\S+": r"\g<1>0.25",
    r"(global_segment_size: )\d+": r"\g<1>268435456",
    r"(local_buffer_size: )\d+": r"\g<1>67108864",
    r'("global_segment_size": )"\w+"': r'\g<1>"512MB"',
    r'("local_buffer_size": )"\w+"': r'\g<1>"128MB"',
}


def example(
    environment: Environment, name: str, changes: Mapping[str, str] = {}, added: Sequence[str] = ()
) -> Path:
    """One of examples/engines, as it is but for its sizes and these: values of keys, and lines that
    are added to its end, where extra_config is. The file to give to an engine."""
    text = (EXAMPLES / name).read_text()
    for pattern, replacement in _SMALL.items():
        text = re.sub(pattern, replacement, text)
    for key, value in changes.items():
        text, found = re.subn(rf"(?m)^(\s*{key}: ).*$", rf"\g<1>{value}", text)
        if not found:
            raise ValueError(f"{name} has no key {key}")
    text += "".join(f"  {line}\n" for line in added)
    written = environment.root / "run" / name
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(text)
    return written


def wait_for_ports() -> None:
    """Until whoever used them last has let go. Raises Failure where somebody else does."""
    for port in (METADATA_PORT, MASTER_PORT, METRICS_PORT, *PORTS.values(), 9000):
        wait_for(f"port {port} is free", lambda port=port: not _listens(port))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
