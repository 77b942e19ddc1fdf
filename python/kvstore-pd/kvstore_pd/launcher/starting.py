"""up: what is to run is started, store first, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from . import agreement, processes, showing
from .processes import Places, Process
from .programs import PROXY, Program
from .settings import Settings

_POLL = 0.2
_PROGRESS = 15.0  # seconds between words on what is waited for; more often where time is short
NOTED = "what keys are made of stands in the pool, for other hosts to compare"
Say = Callable[[str], None]


class Failed(Exception):
    """Something did not start; why, and the end of its log."""


@dataclass
class Told:
    """By a signal, meanwhile."""

    to_end: bool = False


def start_all(
    settings: Settings, places: Places, to_start: list[Program], say: Say, told: Told
) -> None:
    """Store, then all workers at once, then the proxy. What fails takes down what was started here.
    Raises Failed."""
    store = [program for program in to_start if not program.is_worker and program.name != PROXY]
    workers = [program for program in to_start if program.is_worker]
    proxy = [program for program in to_start if program.name == PROXY]
    until = _Deadline(settings.start_timeout, told)
    started: list[str] = []
    try:
        for each in store:  # The node needs the master.
            _start(places, [each], started, until, say)
        compares = bool(workers) and agreement.can_be_asked(settings)
        noted = compares and not agreement.leave(settings)
        _start(places, workers, started, until, say)
        if compares:
            _agree(settings, noted, say)
        _start(places, proxy, started, until, say)
    except BaseException:
        if (
            workers
            and agreement.can_be_asked(settings)
            and not agreement.any_runs(settings, started)
        ):
            agreement.take(settings)
        for name in reversed(started):
            say(f"{name}: {processes.stop(places, name, settings.stop_timeout)}")
        raise


def _agree(settings: Settings, noted: bool, say: Say) -> None:
    """With hosts that have started meanwhile. Raises Failed."""
    # Where only workers lend, there was no room for a note before.
    why = "" if noted else agreement.leave(settings)
    say(f"other hosts can't be told what keys are made of here: {why}" if why else NOTED)
    found = list(agreement.differing(settings))
    if found:
        raise Failed("\n".join(found))


class _Deadline:
    """For all of one start, with words meanwhile, and an end before by a signal."""

    def __init__(self, seconds: float, told: Told) -> None:
        self._told = told
        self._until = time.monotonic() + seconds
        self._between = min(_PROGRESS, seconds / 10)
        self._next = time.monotonic() + self._between

    def left(self) -> float:
        return self._until - time.monotonic()

    def go_on(self) -> None:
        """Raises Failed where a signal has ended it."""
        if self._told.to_end:
            raise Failed("interrupted")

    def tell(self, places: Places, names: list[str], say: Say) -> None:
        """Now and then: what is waited for, and the last that each has said."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._between
        for name in names:
            last = next((line for line in reversed(places.tail(name)) if line.strip()), "")
            say(f"{name}: not ready yet, {self.left():.0f} s left: {last.strip()[:120]}")


def _start(
    places: Places, programs: list[Program], started: list[str], until: _Deadline, say: Say
) -> None:
    waiting: dict[str, tuple[Program, Process, float]] = {}
    for program in programs:
        until.go_on()
        try:
            process = processes.start(places, program)
        except OSError as error:
            raise Failed(f"{program.name}: {program.command[0]}: {error.strerror}") from None
        started.append(program.name)
        waiting[program.name] = program, process, time.monotonic()
        say(f"{program.name}: started, pid {process.pid}, log {places.log(program.name)}")
    while waiting:
        for name, (program, process, began) in list(waiting.items()):
            if showing.is_ready(places, program) and process.is_alive():
                say(f"{name}: ready after {time.monotonic() - began:.0f} s")
                del waiting[name]
            elif not process.is_alive():
                raise Failed(_with_log(places, name, "ended before it was ready"))
            elif until.left() <= 0:
                raise Failed(_with_log(places, name, "was not ready in time (start_timeout)"))
        if waiting:
            until.go_on()
            until.tell(places, list(waiting), say)
            time.sleep(_POLL)


def _with_log(places: Places, name: str, what: str) -> str:
    lines = "\n".join(f"  {line}" for line in places.tail(name))
    return f"{name} {what}; its log, {places.log(name)}, ends with\n{lines}"
