"""A helper process that runs beside a program, and ends with it."""

from __future__ import annotations

import ctypes
import os
import signal
import traceback
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def run_beside(serve: Callable[[], None]) -> None:
    """Runs `serve` in a child of this process. It gets SIGTERM when this process ends, whatever
    program that has become by then. To be called by the main thread, before there are others."""
    parent = os.getpid()
    if os.fork() != 0:
        return
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() == parent:  # else it ended before it could be told
            serve()
        status = 0
    except Exception:
        traceback.print_exc()
    finally:  # never back into what the parent goes on with
        os._exit(status)
