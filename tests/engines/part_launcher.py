"""kvstore-pd: store, pair and proxy from one file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asking
import deployment
from environment import HERE, Environment
from plain import Plain
from report import Section
from running import Failure, Log, is_running, say

_LONGEST = 400.0  # seconds
_PROXY = "http://127.0.0.1:9000"
# By each way to the store others, though stores are new as well.
_PROMPTS = {
    "lmcache": [(300, 5), (600, 8), (1024, 10), (1900, 9)],
    "lmcache-plugin": [(300, 51), (600, 52), (1024, 53), (1900, 54)],
    # vLLM's own connector.
    "mooncake-store": [(300, 61), (600, 62), (1024, 63), (1900, 64)],
}
_PROGRAMS = 5  # master, node, prefill and decode worker, proxy


def launcher(environment: Environment, plain: Plain) -> Section:
    """up, a few prompts, status, down; by each way to the store."""
    section = Section(
        "launcher",
        "The pair by kvstore-pd",
        "`kvstore-pd up`, prompts through its proxy, `kvstore-pd status`, `kvstore-pd down`. The "
        "workers lend nothing, the node that it starts does; nothing but decode's own lookup waits "
        "between prefill and decode (await_puts_ms). With vLLM's own connector (mooncake-store) "
        "loaded is what vLLM counted.",
        ("connector", "prompt, tokens", "loaded", "answer"),
    )
    plain.learn([asking.prompt(*one) for prompts in _PROMPTS.values() for one in prompts])
    end_all(environment)
    for connector, prompts in _PROMPTS.items():
        _one(environment, plain, section, connector, prompts)
    return section


def _one(
    environment: Environment,
    plain: Plain,
    section: Section,
    connector: str,
    prompts: Sequence[tuple[int, int]],
) -> None:
    folder = _folders(environment) / connector
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # JSON is YAML.
    settings = json.dumps(_settings(environment, connector), indent=1)
    (folder / "kvstore-pd.yaml").write_text(settings)
    try:
        _call(environment, folder, "up")
        log = Log(folder / ".kvstore-pd" / "decoder-1.log")
        for tokens, seed in prompts:
            text = asking.prompt(tokens, seed)
            if connector == "mooncake-store":
                loaded, wanted, answer = _counted(text, tokens)
            else:
                wanted, start = asking.full_chunks(tokens, deployment.CHUNK), log.size()
                answer = asking.ask(_PROXY, text)
                loaded = asking.loaded(log, answer, start, wanted).loaded
            equal = answer.tokens == plain.answer(text)
            section.row(connector, tokens, loaded, "equal" if equal else "differs")
            section.check(
                f"{connector}, {tokens} tokens: loaded {wanted}, the answer is right",
                equal and loaded == wanted,
            )
        states = [
            row["state"] for row in json.loads(_call(environment, folder, "status", "--json"))
        ]
        section.check(f"{connector}: status shows all as ready", states == ["ready"] * _PROGRAMS)
    finally:
        pids = [json.loads(note.read_text())["pid"] for note in _notes(folder)]
        _call(environment, folder, "down")
    ended = len(pids) == _PROGRAMS and not any(is_running(pid) for pid in pids)
    section.check(f"{connector}: down has ended all {_PROGRAMS}", ended)


def _counted(text: str, tokens: int) -> tuple[int, int, asking.Answer]:
    """What vLLM counted for this prompt, what it should, and the answer."""
    decoder = f"http://127.0.0.1:{deployment.PORTS['decoder']}"
    before = asking.counted(decoder)
    answer = asking.ask(_PROXY, text)
    # The connector leaves the last token's block to vLLM.
    wanted = asking.full_chunks(tokens - 1, deployment.BLOCK)
    return asking.counted(decoder) - before, wanted, answer


def end_all(environment: Environment) -> list[str]:
    """Ends what a run that was cut off has left; the names of these."""
    ended = []
    for folder in _folders(environment).glob("*"):
        if left := _notes(folder):
            _call(environment, folder, "down")
            ended += [f"{folder.name}/{note.name.partition('.')[0]}" for note in left]
    return ended


def _folders(environment: Environment) -> Path:
    return environment.root / "launcher"


def _notes(folder: Path) -> list[Path]:
    """Of kvstore-pd, of the processes that it has started and not ended."""
    return list((folder / ".kvstore-pd").glob("*.pid.json"))


def _settings(environment: Environment, connector: str) -> dict[str, object]:
    packages = environment.store("kvstore")
    variables = environment.variables([packages, HERE / "on_cpu"])
    return {
        "model": str(environment.model),
        "served_model_name": "tiny",
        "python": str(environment.python),
        "connector": connector,
        "block_size": 32,
        "store": {
            "master": "127.0.0.1:50052",
            "start": True,
            "lend": "1GiB",
            "metrics_port": 9004,
            "programs": str(packages / "bin"),
        },
        "env": {
            **{name: value for name, value in variables.items() if name != "PYTHONHASHSEED"},
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": "1",
            "VLLM_HOST_IP": "127.0.0.1",
        },
        "vllm_args": [
            *("--dtype", "float32", "--enforce-eager", "--max-model-len", "2048"),
            *("--max-num-seqs", "4", "--no-enable-prefix-caching"),
        ],
        "lmcache": {"max_local_cpu_size": 0.25},
        # LMCache in a worker has no case for CPUs.
        "kv_transfer": (
            {} if connector == "mooncake-store" else {"kv_connector_module_path": "lmcache_on_cpu"}
        ),
        "prefillers": [{"port": 8100, "device": "cpu"}],
        "decoders": [{"port": 8200, "device": "cpu"}],
        "proxy": {"port": 9000},
    }


def _call(environment: Environment, folder: Path, *words: str) -> str:
    """What kvstore-pd prints. Raises Failure where it fails."""
    say(f"kvstore-pd {words[0]}")
    packages = environment.store("kvstore")
    command: Sequence[str] = [
        *(str(environment.python), str(packages / "bin" / "kvstore-pd")),
        *(words[0], "--config", str(folder / "kvstore-pd.yaml"), *words[1:]),
    ]
    done = subprocess.run(
        command,
        env={**os.environ, **environment.variables([packages])},
        capture_output=True,
        text=True,
        timeout=_LONGEST,
    )
    if done.returncode != 0:
        raise Failure(
            f"kvstore-pd {words[0]}: {done.returncode}\n{done.stdout}{done.stderr}"[-3000:]
        )
    return done.stdout
