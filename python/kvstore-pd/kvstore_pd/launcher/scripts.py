"""Scripts beside this file, run by the Python that workers run by: what it can import, and the pool
as it sees it, this process's own Python may know nothing of."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


def run(
    python: str, script: str, words: list[str], env: Mapping[str, str], seconds: float, failed: str
) -> str:
    """What the script prints; `env` on top of this process's. Raises OSError, SubprocessError, and
    ValueError with the last line of its errors, or `failed` where it said nothing."""
    done = subprocess.run(
        [python, str(Path(__file__).with_name(script)), *words],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        cwd="/",
    )
    if done.returncode != 0:
        raise ValueError((done.stderr.strip().splitlines() or [failed])[-1])
    return done.stdout
