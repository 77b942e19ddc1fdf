"""The distribution, as it is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from mooncake import store


def test_versions_agree() -> None:
    version = metadata.version("kvstore-mooncake-compat")
    assert version == metadata.version("kvstore")
    assert f"kvstore=={version}" in (metadata.requires("kvstore-mooncake-compat") or [])


def test_it_is_strictly_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    mypy = ("-m", "mypy", "--strict", "--no-error-summary")
    done = subprocess.run(
        [sys.executable, *mypy, "--cache-dir", str(tmp_path), "-p", "mooncake"],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.stdout + done.stderr == ""


def test_names_are_there() -> None:
    for name in store.__all__:
        assert hasattr(store, name), name


def test_it_can_be_imported_without_torch() -> None:
    code = "import sys, mooncake.store, mooncake.async_store; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/", timeout=60)
