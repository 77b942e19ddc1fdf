"""kvstore's programs as console scripts: each becomes the one that the package carries."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn


def path_of(program: str) -> Path:
    """Where the package has `kvstore_master`, `kvstore_node`, `kvctl` or `kvbench`."""
    return Path(__file__).parent / "bin" / program


def _become(program: str) -> NoReturn:
    os.execv(path_of(program), [program, *sys.argv[1:]])


def kvstore_master() -> NoReturn:
    """Decides where objects live."""
    _become("kvstore_master")


def kvstore_node() -> NoReturn:
    """Lends memory."""
    _become("kvstore_node")


def kvctl() -> NoReturn:
    """Looks into a pool, and operates it."""
    _become("kvctl")


def kvbench() -> NoReturn:
    """Measures it."""
    _become("kvbench")
