"""tools/engines-on-cpu."""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import deployment
import part_faults
import part_launcher
import part_pair
import part_proxy
import part_race
import part_server
import part_storage
import report
from environment import REPOSITORY, Environment
from plain import Plain
from report import Section
from running import Failure, say, stop_all

Part = Callable[[Environment, Plain], Section]
PARTS: dict[str, tuple[Part, str]] = {
    "guide": (part_pair.guide, "the guide's pair with its own configuration; both forms of chunks"),
    "zeroed": (part_pair.zeroed, "decode does compute from what it loads"),
    "beside": (part_pair.beside, "the pair on kvstore and on Mooncake by turns, with times"),
    "plugin": (part_pair.plugin, "the pair with kvstore's own plugin for LMCache"),
    "server": (part_server.server, "LMCache as a server, with kvstore as its L2"),
    "vllm": (part_pair.vllm_connector, "vLLM's own MooncakeStoreConnector"),
    "sglang": (part_storage.sglang, "SGLang's HiCache storage, without its server"),
    "plugins": (part_storage.plugins, "kvstore's own plugins for LMCache and SGLang"),
    "race": (part_race.race, "decode asks before prefill's put has ended; 1000 requests"),
    "proxy": (part_proxy.proxy, "completions and chats through the proxy, whole and as streams"),
    "launcher": (part_launcher.launcher, "store, pair and proxy by kvstore-pd, from one file"),
    "faults": (part_faults.faults, "master, node and workers killed under running requests"),
    "mistaken": (part_pair.mistaken, "what is wrong in a configuration is named"),
}

_DESCRIPTION = """\
Runs inference engines of today on kvstore, on this machine, without a GPU: a prefill and a decode
worker of vLLM with a store between them, as released, and compares their answers with those of a
plain vLLM.

  tools/engines-on-cpu setup       makes the environment (PyPI; 1 GB to fetch, 6 GB of disk)
  tools/engines-on-cpu run         all parts, in order; writes ROOT/report.md
  tools/engines-on-cpu run PART... these
  tools/engines-on-cpu down        stops what a run that was cut off has left
"""


def _epilog() -> str:
    lines = [f"  {name:10} {what}" for name, (_, what) in PARTS.items()]
    return "\n".join(
        [
            "parts:",
            *lines,
            "",
            "A machine of two cores and 14 GiB will do. Ports 5555 to 5567, 8080, 8100, 8200,",
            "8201, 8300, 9000, 9004 and 50052 must be free.",
            "Exit status: 0 all holds, 1 something does not, 2 typed wrong.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="engines-on-cpu",
        description=_DESCRIPTION,
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=REPOSITORY / "build" / "engines",
        help="where everything is kept (default: build/engines)",
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    setup = verbs.add_parser("setup", help="make the environment")
    setup.add_argument("--wheels", type=Path, help="a folder of wheels, instead of a build")
    setup.add_argument("--without-sglang", action="store_true", help="0.8 GB less")
    setup.add_argument("--packages-only", action="store_true", help="only kvstore's own, anew")
    run = verbs.add_parser("run", help="run parts, and write the report")
    run.add_argument("parts", nargs="*", metavar="PART", help="default: all")
    verbs.add_parser("down", help="stop what was left running")
    arguments = parser.parse_args()
    environment = Environment(arguments.root.resolve())
    # What was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if arguments.verb == "setup":
            if arguments.packages_only:
                environment.make_kvstore(arguments.wheels)
            else:
                environment.make(arguments.wheels, not arguments.without_sglang)
            say(f"ready: {environment.root}")
            return 0
        if arguments.verb == "down":
            ended = _stop(environment)
            say(f"stopped: {', '.join(ended) or 'nothing was running'}")
            return 0
        unknown = [name for name in arguments.parts if name not in PARTS]
        if unknown:
            parser.error(f"no such part: {', '.join(unknown)}; parts are {', '.join(PARTS)}")
        return _run(environment, arguments.parts or list(PARTS))
    except Failure as failure:
        print(f"engines-on-cpu: {failure}", file=sys.stderr)
        return 1


def _stop(environment: Environment) -> list[str]:
    """Ends what a run has left, whether cut off or not; the names of these."""
    return part_launcher.end_all(environment) + stop_all(environment.root)


def _run(environment: Environment, parts: list[str]) -> int:
    missing = environment.missing()
    if missing:
        raise Failure(f"{missing[0]} is not there; tools/engines-on-cpu setup makes it")
    _stop(environment)
    plain = Plain(environment)
    failed = []
    for name in parts:
        part, what = PARTS[name]
        say(f"== {name}: {what}")
        began = time.monotonic()
        try:
            deployment.wait_for_ports()
            section = part(environment, plain)
        except Exception as error:  # the other parts are worth running
            section = Section(name, what, "")
            section.check(f"it ran to its end: {type(error).__name__}: {error}", False)
            if not isinstance(error, Failure):
                traceback.print_exc()
        finally:
            _stop(environment)
        section.seconds = time.monotonic() - began
        report.keep(environment.root, section, environment.commit())
        print(report.as_text([section]), flush=True)
        if not section.held:
            failed.append(name)
    text = report.as_text(report.kept(environment.root, list(PARTS)), brief=True)
    written = environment.root / "report.md"
    written.write_text(text)
    say(f"the report is {written}")
    print(f"{len(parts) - len(failed)} parts hold, {len(failed)} don't {' '.join(failed)}".rstrip())
    return 1 if failed else 0
