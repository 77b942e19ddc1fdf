"""SGLang's storage by itself, and kvstore's own plugins for LMCache and SGLang."""

from __future__ import annotations

import re
import subprocess

from deployment import MASTER_PORT, Store
from environment import HERE, Environment
from plain import Plain
from report import Section
from running import Failure, Program

_LONGEST = 600.0  # seconds


def sglang(environment: Environment, plain: Plain) -> Section:
    """SGLang's own MooncakeStore, on both stores."""
    section = Section(
        "sglang",
        "SGLang's HiCache storage (MooncakeStore)",
        "The class as SGLang's wheel has it, on host tensors, without a server (PyPI has none for "
        "CPUs): pages are put, looked for, got back, and cleared.",
        ("store", "what it said"),
    )
    if not all(folder.exists() for folder in environment.sglang_packages()):
        raise Failure("SGLang is not there; tools/engines-on-cpu setup makes it")
    for kind in ("kvstore", "mooncake"):
        with Store(environment, kind) as store:
            program = Program(
                environment.root,
                f"sglang-{kind}",
                [
                    *(environment.python, HERE / "on_cpu" / "sglang_storage.py"),
                    f"127.0.0.1:{MASTER_PORT}",
                ],
                {
                    **environment.variables([store.packages, *environment.sglang_packages()]),
                    "MC_TCP_BIND_ADDRESS": "127.0.0.1",
                },
            )
            try:
                status = program.wait_end(_LONGEST)
            finally:
                program.stop()
        said = re.findall(r"^\w+ objects? a page: .*$", program.text(), re.M)
        section.row(kind, "; ".join(said) or program.tail(3))
        section.check(f"{kind}: all pages came back", status == 0 and len(said) == 2)
    return section


def plugins(environment: Environment, plain: Plain) -> Section:
    """The tests of kvstore.lmcache and kvstore.sglang, in the engines' environment."""
    section = Section(
        "plugins",
        "kvstore's own plugins for LMCache and SGLang",
        "tests/engines/adapters: with LMCache's and SGLang's own loaders and an `lmcache server`.",
    )
    done = subprocess.run(
        [HERE / "adapters" / "run", environment.root],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST,
    )
    (environment.root / "log" / "plugins.log").write_text(done.stdout)
    last = done.stdout.splitlines()[-1:]
    section.check(f"pytest: {''.join(last).strip('= ')}", done.returncode == 0)
    return section
