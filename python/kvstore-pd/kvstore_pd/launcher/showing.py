"""What is running, for people and scripts."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass

from .processes import Places
from .programs import Program, is_here

# In the words of `status`.
READY = "ready"
STARTING = "starting"  # or hanging: it does not say that it is ready
DEAD = "dead"  # it was started, and ended by itself
STOPPED = "stopped"
ELSEWHERE = "elsewhere"
_LOOK_SECONDS = 2.0
# Not by a proxy that the environment names for the world outside.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Row:
    name: str
    state: str
    pid: int | None
    seconds: int | None
    where: str
    log: str
    note: str


def row(places: Places, program: Program) -> Row:
    where = f"{program.host}:{program.port}" if program.port else ""
    log = str(places.log(program.name))
    process = places.noted(program.name)
    if process is None:
        here = is_here(program.host)
        healthy = not here and is_ready(places, program)
        note = ("answers" if healthy else "does not answer") if not here else ""
        return Row(program.name, STOPPED if here else ELSEWHERE, None, None, where, "", note)
    if not process.is_alive():
        last = next((line for line in reversed(places.tail(program.name)) if line.strip()), "")
        return Row(program.name, DEAD, process.pid, None, where, log, last[:120])
    state = READY if is_ready(places, program) else STARTING
    return Row(program.name, state, process.pid, int(process.seconds()), where, log, "")


def is_ready(places: Places, program: Program) -> bool:
    if program.ready_line:
        return any(program.ready_line in line for line in places.tail(program.name, 1000))
    try:
        with _DIRECTLY.open(program.health, timeout=_LOOK_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError, ValueError):
        return False


def table(rows: list[Row]) -> str:
    lines = [("NAME", "STATE", "PID", "SINCE", "ADDRESS", "")]
    for each in rows:
        since = "" if each.seconds is None else _duration(each.seconds)
        pid = "" if each.pid is None else str(each.pid)
        lines.append((each.name, each.state, pid, since, each.where, each.note))
    widths = [max(len(line[i]) for line in lines) for i in range(6)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(rows: list[Row]) -> str:
    return json.dumps([asdict(each) for each in rows], indent=2)


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"
