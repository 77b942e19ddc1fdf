"""kvstore-pd: store, pair and proxy from one file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asking
from environment import HERE, Environment
from plain import Plain
from report import Section
from running import Failure, say

_LONGEST = 400.0  # seconds
_PROXY = "http://127.0.0.1:9000"
_PROMPTS = [(300, 5), (600, 8), (1024, 10), (1900, 9)]


def launcher(environment: Environment, plain: Plain) -> Section:
    """up, a few prompts, status, down."""
    section = Section(
        "launcher",
        "The pair by kvstore-pd",
        "`kvstore-pd up`, prompts through its proxy, `kvstore-pd status`, `kvstore-pd down`. The "
        "workers lend nothing, the node that it starts does; nothing is waited for between prefill "
        "and decode.",
        ("prompt, tokens", "loaded", "answer"),
    )
    plain.learn([asking.prompt(*one) for one in _PROMPTS])
    folder = environment.root / "launcher"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # JSON is YAML.
    (folder / "kvstore-pd.yaml").write_text(json.dumps(_settings(environment), indent=1))
    try:
        _call(environment, folder, "up")
        log = folder / ".kvstore-pd" / "decoder-1.log"
        for tokens, seed in _PROMPTS:
            text = asking.prompt(tokens, seed)
            answer = asking.ask(_PROXY, text)
            loads = asking.loads_in(log.read_text(errors="replace"))
            loaded = loads[answer.request].loaded if answer.request in loads else 0
            equal = answer.tokens == plain.answer(text)
            section.row(tokens, loaded, "equal" if equal else "differs")
            wanted = asking.full_chunks(tokens, 256)
            section.check(
                f"{tokens} tokens: loaded {wanted}, the answer is right", equal and loaded == wanted
            )
        states = json.loads(_call(environment, folder, "status", "--json"))
        section.check("status: all is ready", states)
    finally:
        _call(environment, folder, "down")
    return section


def _settings(environment: Environment) -> dict[str, object]:
    packages = environment.store("kvstore")
    variables = environment.variables([packages, HERE / "on_cpu"])
    return {
        "model": str(environment.model),
        "served_model_name": "tiny",
        "python": str(environment.python),
        "connector": "lmcache",
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
        "kv_transfer": {"kv_connector_module_path": "lmcache_on_cpu"},
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
