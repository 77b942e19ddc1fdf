"""The package is typed, as installed, and what uses it is checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pool import Pool

import kvstore

EXAMPLE = Path(__file__).with_name("example.py")


def test_the_example_runs() -> None:
    with Pool() as pool:
        done = subprocess.run(
            [sys.executable, EXAMPLE, pool.address], capture_output=True, text=True, timeout=60
        )
    assert done.stderr == ""
    assert (
        done.stdout
        == "5 b'value' [<Code.ALREADY_EXISTS: 6>, <Code.NOT_FOUND: 5>] 1\nb'value' True\n"
    )


def mypy(*arguments: str) -> str:
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *arguments],
        capture_output=True,
        text=True,
        cwd=EXAMPLE.parent,
    )
    return done.stdout + done.stderr


def test_the_example_and_the_package_are_strictly_typed() -> None:
    assert mypy(str(EXAMPLE)) == ""
    assert mypy("-p", "kvstore") == ""


def test_a_wrong_call_is_found() -> None:
    wrong = "import kvstore; kvstore.Client('m').get(3)"
    assert 'incompatible type "int"' in mypy("-c", wrong)


def test_everything_public_is_described() -> None:
    for name in kvstore.__all__:
        if isinstance(getattr(kvstore, name), type):
            assert getattr(kvstore, name).__doc__, name
    for name, member in vars(kvstore.Client).items():
        if not name.startswith("_") and callable(member):
            assert member.__doc__, name
