"""The distribution, as it is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# What these tests use of the other packages'.
SHARED = [TESTS.parents[1] / "tests" / name for name in ("lines.py", "ports.py")]


def test_its_version_is_the_projects() -> None:
    version = metadata.version("kvstore-pd")
    others = [each for each in ("kvstore", "kvstore-mooncake-compat") if _installed(each)]
    assert all(metadata.version(each) == version for each in others)


def _installed(name: str) -> bool:
    return any(each.name == name for each in metadata.distributions())


@pytest.mark.parametrize(
    "what", [["-p", "kvstore_pd"], sorted(map(str, [*TESTS.glob("*.py"), *SHARED]))]
)
def test_it_is_strictly_typed(what: list[str], tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    mypy = ("-m", "mypy", "--strict", "--no-error-summary")
    done = subprocess.run(
        [sys.executable, *mypy, "--cache-dir", str(tmp_path), *what],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.stdout + done.stderr == ""


def test_it_runs_where_neither_store_nor_engine_is_installed() -> None:
    code = (
        "import sys, kvstore_pd.launcher.main, kvstore_pd.proxy.main; "
        "assert not {'kvstore', 'mooncake', 'vllm', 'lmcache'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/", timeout=60)
