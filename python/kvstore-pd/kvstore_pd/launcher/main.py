"""kvstore-pd: the command line and its verbs."""

from __future__ import annotations

import argparse
import fcntl
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .. import __version__
from . import agreement, checks, processes, programs, settings, showing, starting
from .processes import Places
from .programs import CHOICES, MASTER, NODE, PROXY, Program
from .reading import Wrong, nearest
from .settings import Settings
from .starting import Told

DONE, FAILED, USAGE = 0, 1, 2
_EXAMPLE = Path(__file__).with_name("example.yaml")

_TEXT = """\
Starts prefill and decode workers that share a kvstore pool, the proxy before them and, if told to,
the pool itself; looks after them, and ends them. All of it stands in one file.
"""

_MORE = """\
verbs:
  init             writes a file to begin with, which explains every setting
  check [WHAT]     looks whether WHAT could be started: ports, model, keys, packages, the pool
  up [WHAT]        checks, starts WHAT in the background, and waits until it is ready. What runs
                   already stays. If something does not start, what this call started is ended again
  status           what is running, since when, and whether it is ready
  down [WHAT]      ends WHAT: SIGTERM, and SIGKILL after stop_timeout. It knows by .kvstore-pd/ what
                   runs, also where the file has it no more, or cannot be read

what:
  all (the default), store, prefiller, decoder, proxy, or a name that status shows. Workers whose
  host is another machine's are left out: run `kvstore-pd up` there, with the same file.

files:
  kvstore-pd.yaml       the settings, unless --config names another file
  .kvstore-pd/          beside it, readable by its owner: logs (NAME.log, the one before as
                        NAME.log.1), who runs (NAME.pid.json), and what is generated for engines
                        (config/)

examples:
  kvstore-pd init && $EDITOR kvstore-pd.yaml
  kvstore-pd up
  kvstore-pd up decoder-2 --dry-run
  kvstore-pd status --json
  kvstore-pd down

exit status: 0 done, and for status: all of it is ready; 1 failed, or some of it is not; 2 typed
wrong, or the file is.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        if given.verb == "init":
            return _init(Path(given.config))
        if given.verb == "down":
            return _down(Path(given.config), given.what)
        chosen = settings.read(Path(given.config))
        all_programs = programs.all_programs(chosen)
        wanted = programs.chosen(all_programs, getattr(given, "what", "all"))
        if not wanted:
            raise _nothing(chosen, all_programs, given.what)
        if given.verb == "status":
            return _status(chosen, all_programs, given.json)
        if given.verb == "check":
            return _check(chosen, wanted)
        if given.dry_run:
            return _show(chosen, wanted)
        return _up(chosen, wanted)
    except Wrong as wrong:
        print(f"kvstore-pd: {wrong}", file=sys.stderr)
        return USAGE
    except (OSError, starting.Failed) as error:
        print(f"kvstore-pd: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("kvstore-pd: interrupted", file=sys.stderr)
        return FAILED


def _nothing(chosen: Settings, all_programs: list[Program], what: str) -> Wrong:
    if what == "store":
        return Wrong(f"{chosen.path.name} starts no store: set start: true under store")
    names = [*CHOICES, *(program.name for program in all_programs)]
    return Wrong(f"{what} is nothing that {chosen.path.name} has{nearest(what, names)}")


def _init(path: Path) -> int:
    if path.exists():
        print(f"kvstore-pd: {path} is there already", file=sys.stderr)
        return FAILED
    path.write_text(_EXAMPLE.read_text())
    print(f"{path} is written: set model and ports in it, then `kvstore-pd up`")
    return DONE


def _to_start(chosen: Settings, wanted: list[Program]) -> list[Program]:
    """Of these those that are to run here and don't."""
    places = Places(chosen.state)
    here = []
    for program in wanted:
        if not programs.is_here(program.host):
            _say(f"{program.name}: {program.host} is not this machine's: start it there")
        elif (process := places.alive(program.name)) is not None:
            _say(f"{program.name}: runs already, pid {process.pid}")
        else:
            here.append(program)
    return here


def _check(chosen: Settings, wanted: list[Program]) -> int:
    to_start = _to_start(chosen, wanted)
    found = checks.findings(chosen, to_start)
    for finding in found:
        print(f"- {finding}", file=sys.stderr)
    if not found and to_start:
        _say(f"nothing speaks against starting {', '.join(each.name for each in to_start)}")
    return FAILED if found else DONE


def _up(chosen: Settings, wanted: list[Program]) -> int:
    places = Places(chosen.state)
    places.make()
    with _alone(places):
        to_start = _to_start(chosen, wanted)
        found = checks.findings(chosen, to_start)
        if found:
            print("kvstore-pd: nothing was started:", file=sys.stderr)
            for finding in found:
                print(f"- {finding}", file=sys.stderr)
            return FAILED
        with _noting_signals() as told:
            starting.start_all(chosen, places, to_start, _say, told)
    if any(program.name == PROXY for program in to_start):
        where = programs.url(chosen.proxy.host, chosen.proxy.port, "/v1/completions")
        _say(f"requests go to {where}")
    return DONE


def _show(chosen: Settings, wanted: list[Program]) -> int:
    """What up would do, as a shell would be told."""
    print(f"cd {shlex.quote(str(chosen.state))}")
    for program in wanted:
        for path, text in program.files.items():
            print(f"cat > {shlex.quote(str(path))} <<'END'\n{text}END")
        variables = [f"{name}={shlex.quote(value)}" for name, value in program.env.items()]
        print(" ".join([*variables, *map(shlex.quote, program.command)]), end="\n\n")
    return DONE


def _down(path: Path, what: str) -> int:
    """What the state folder knows, whatever the file has become since: what runs must be ended."""
    chosen: Settings | None = None
    try:
        chosen = settings.read(path)
        state, patience = chosen.state, chosen.stop_timeout
    except Wrong as wrong:
        state, patience = path.absolute().parent / settings.STATE, settings.STOP_TIMEOUT
        if not state.is_dir():
            raise
        print(f"kvstore-pd: {wrong}; ends what {state} knows", file=sys.stderr)
    places = Places(state)
    names = [name for name in places.names() if programs.means(what, name)]
    if not names:
        if chosen and not programs.chosen(named := programs.all_programs(chosen), what):
            raise _nothing(chosen, named, what)
        _say("nothing of it was started here")
        return DONE
    with _alone(places):
        if chosen and any(map(programs.names_worker, names)) and agreement.can_be_asked(chosen):
            if not agreement.any_runs(chosen, names):
                agreement.take(chosen)
        for name in sorted(names, key=_end_order):
            _say(f"{name}: {processes.stop(places, name, patience)}")
    return DONE


def _end_order(name: str) -> tuple[int, str]:
    """The proxy first, which then finishes what is under way; the store last."""
    return {PROXY: 0, NODE: 2, MASTER: 3}.get(name, 1), name


def _status(chosen: Settings, all_programs: list[Program], as_json: bool) -> int:
    places = Places(chosen.state)
    rows = [showing.row(places, program) for program in all_programs]
    print(showing.as_json(rows) if as_json else showing.table(rows))
    good = {showing.READY, showing.ELSEWHERE}
    return DONE if all(row.state in good for row in rows) else FAILED


@contextmanager
def _noting_signals() -> Iterator[Told]:
    """SIGINT and SIGTERM are noted, so that what was begun is ended in order. (An exception that a
    handler raises gets lost where it meets a destructor.) A second one ends it where it is."""
    told = Told()

    def note(*_: object) -> None:
        if told.to_end:
            raise KeyboardInterrupt
        told.to_end = True

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _alone(places: Places) -> Iterator[None]:
    """One up or down at a time."""
    with open(places.state / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise starting.Failed("another kvstore-pd is at work here; wait for its end") from None
        yield


def _say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kvstore-pd",
        description=_TEXT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kvstore-pd {__version__}")
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "-c",
        "--config",
        default="kvstore-pd.yaml",
        metavar="FILE",
        help="the settings [%(default)s]",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, text: str, takes_what: bool) -> argparse.ArgumentParser:
        added = verbs.add_parser(
            name, parents=[common], help=text, description=text, allow_abbrev=False
        )
        if takes_what:
            added.add_argument(
                "what",
                nargs="?",
                default="all",
                help="all, store, prefiller, decoder, proxy, or a name [%(default)s]",
            )
        return added

    verb("init", "write a file to begin with", False)
    verb("check", "look whether it could be started", True)
    up = verb("up", "start it, and wait until it is ready", True)
    up.add_argument("--dry-run", action="store_true", help="show the files and commands instead")
    status = verb("status", "show what is running", False)
    status.add_argument("--json", action="store_true", help="for scripts")
    verb("down", "end it", True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
