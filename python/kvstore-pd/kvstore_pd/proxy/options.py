"""The command line of kvstore-pd-proxy."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yarl import URL

from .. import __version__
from . import log

Address = tuple[str, int]

_TEXT = """\
An OpenAI-compatible server in front of prefill and decode workers that share a kvstore pool.

Each request goes to a prefill worker first, with max_tokens = 1, whose answer is thrown away: what
counts is that the worker has put the prompt's KV cache into the pool. Then the request as it came
goes to a decode worker, which gets the cache from there, and whose answer is handed on as it comes.
"""

_MORE = """\
workers:
  Hosts and ports may be given several times, several at once, or with commas: as many hosts as
  ports; or one host for all ports; or one port for all hosts. The worker that is used is the one
  with the fewest requests under way. GET /health of each is asked all the time; one that refuses,
  or says that it is ill, is left out until it answers 200 again.

what is served:
  POST /v1/completions, /v1/chat/completions   prefill, then decode; streamed or not
  GET  /v1/models, /version                    by a decode worker
  POST /tokenize, /detokenize                  by a decode worker
  GET  /health                                 200 while a decode worker is up, else 503; workers as
                                               JSON
  GET  /metrics                                for Prometheus

when something fails:
  A prefill worker that dies, answers 5xx or takes too long: another one is asked; where none is
  left, or where it refuses (4xx), decode computes the prompt itself. A decode worker that dies or
  answers 5xx before the first byte: another one, or the same once more where there is no other. One
  that takes too long: one other, then 504. After the first byte of a stream: an event with an error
  in OpenAI's form ends it, without [DONE]. All decode workers are down: 503 with Retry-After. What
  a decode worker answers with 4xx is handed on. A client that hangs up, or does not read its
  stream for --client-timeout, ends its request at the workers too.

signals:
  SIGTERM, SIGINT: listens no more, finishes what is under way within --drain-timeout, exits with 0.
  A second one ends it at once.

environment:
  OPENAI_API_KEY   sent to workers as "Authorization: Bearer KEY" with requests that bring no
                   Authorization of their own. Then whoever reaches the proxy uses the key.

security:
  No login, no TLS: who reaches the port may use the workers. Therefore only addresses of this
  machine are listened on, unless --insecure-allow-remote is given.

example:
  kvstore-pd-proxy --port 9000 --prefiller-port 8100 8101 --decoder-port 8200

exit status: 0 ended by a signal, 1 failed (the port is in use), 2 typed wrong.
"""


@dataclass(frozen=True)
class Options:
    """Times are in seconds."""

    host: str
    port: int
    prefillers: list[Address]
    decoders: list[Address]
    connect_timeout: float
    prefill_timeout: float
    first_byte_timeout: float
    answer_timeout: float
    idle_timeout: float
    client_timeout: float
    prefill_attempts: int
    decode_attempts: int
    health_interval: float
    health_timeout: float
    health_failures: int
    drain_timeout: float
    max_body_bytes: int
    log_level: str


def read(arguments: Sequence[str] | None = None) -> Options:
    """Ends the process with a line and 2 where they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        if not given.insecure_allow_remote and not is_local(given.host):
            raise ValueError(
                f"--host {given.host} can be reached from other machines, and there is no login: "
                "add --insecure-allow-remote if that is meant"
            )
        prefillers = pairs(
            "prefiller", given.prefiller_host, given.prefiller_port, given.num_prefillers
        )
        decoders = pairs("decoder", given.decoder_host, given.decoder_port, given.num_decoders)
    except ValueError as error:
        parser.error(str(error))
    return Options(
        host=given.host,
        port=given.port,
        prefillers=prefillers,
        decoders=decoders,
        connect_timeout=given.connect_timeout,
        prefill_timeout=given.prefill_timeout,
        first_byte_timeout=given.first_byte_timeout,
        answer_timeout=given.answer_timeout,
        idle_timeout=given.idle_timeout,
        client_timeout=given.client_timeout,
        prefill_attempts=given.prefill_attempts,
        decode_attempts=given.decode_attempts,
        health_interval=given.health_interval,
        health_timeout=given.health_timeout,
        health_failures=given.health_failures,
        drain_timeout=given.drain_timeout,
        max_body_bytes=given.max_body_bytes,
        log_level=given.log_level,
    )


def is_local(host: str) -> bool:
    """Whether only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def pairs(
    what: str, hosts: Sequence[Sequence[str]], ports: Sequence[Sequence[int]], count: int | None
) -> list[Address]:
    """Raises ValueError where hosts and ports can't be told into workers."""
    all_hosts = [host for group in hosts for host in group]
    all_ports = [port for group in ports for port in group]
    if count is not None and len(all_hosts) == len(all_ports) == 1:
        # As LMCache's proxy has it: one port after the other.
        all_ports = [all_ports[0] + i for i in range(count)]
    if len(all_hosts) == 1:
        all_hosts *= len(all_ports)
    elif len(all_ports) == 1:
        all_ports *= len(all_hosts)
    if len(all_hosts) != len(all_ports):
        raise ValueError(
            f"{len(all_hosts)} of --{what}-host and {len(all_ports)} of --{what}-port: give as "
            "many of both, or one host, or one port"
        )
    found = list(zip(all_hosts, all_ports, strict=True))
    if count is not None and len(found) != count:
        raise ValueError(f"--num-{what}s is {count}, but {len(found)} are named")
    twice = next((each for each in found if found.count(each) > 1), None)
    if twice is not None:
        raise ValueError(f"--{what}-host and --{what}-port name {twice[0]}:{twice[1]} twice")
    if not all(0 < port < 65536 for port in all_ports):
        raise ValueError(f"--{what}-port must be 1 to 65535")
    for host, port in found:
        try:
            URL.build(scheme="http", host=host, port=port)
            host.encode("idna")
        except ValueError as error:
            raise ValueError(f"--{what}-host {host} is no host: {error}") from None
    return found


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in _names(text)]


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0 and at most 86400 seconds")
    return seconds


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not 0 to 65535")
    return number


# argparse calls types by their names.
_seconds.__name__, _count.__name__, _port.__name__ = "seconds", "number", "port"
_names.__name__, _numbers.__name__ = "names", "ports"


class _Listed(argparse.Action):
    """What is given takes the default's place; given again, it is added."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option: str | None = None,
    ) -> None:
        assert isinstance(values, list)
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if before is self.default else before + values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kvstore-pd-proxy",
        description=_TEXT,
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kvstore-pd {__version__}")

    def flag(
        group: argparse._ArgumentGroup,
        name: str,
        kind: Callable[[str], object],
        default: object,
        text: str,
    ) -> None:
        metavar = getattr(kind, "__name__", "value").upper()
        shown = f"{text} [%(default)s]"
        group.add_argument(name, type=kind, default=default, metavar=metavar, help=shown)

    where = parser.add_argument_group("where")
    where.add_argument("--host", default="127.0.0.1", help="listens here [%(default)s]")
    flag(where, "--port", _port, 8000, "and here; 0 takes a free one, which the first line names")
    where.add_argument(
        "--insecure-allow-remote",
        "--insecure_allow_remote",
        action="store_true",
        help="listen also where other machines can connect",
    )
    for what, port in (("prefiller", 8100), ("decoder", 8200)):
        where.add_argument(
            f"--{what}-host",
            f"--{what}-hosts",
            type=_names,
            nargs="+",
            action=_Listed,
            default=[["127.0.0.1"]],
            metavar="HOST",
            help="of the workers, as many as wanted [127.0.0.1]",
        )
        where.add_argument(
            f"--{what}-port",
            f"--{what}-ports",
            type=_numbers,
            nargs="+",
            action=_Listed,
            default=[[port]],
            metavar="PORT",
            help=f"[{port}]",
        )
        where.add_argument(
            f"--num-{what}s",
            type=_count,
            metavar="N",
            help="with one host and one port: so many, one port after the other",
        )
    times = parser.add_argument_group("times, in seconds")
    flag(times, "--connect-timeout", _seconds, 3.0, "until a worker accepts a connection")
    flag(times, "--prefill-timeout", _seconds, 120.0, "until a prefill worker has answered")
    flag(times, "--first-byte-timeout", _seconds, 120.0, "until a stream's first event")
    flag(
        times,
        "--answer-timeout",
        _seconds,
        600.0,
        "until the whole of an answer that is no stream; the longest silence of one that is",
    )
    flag(
        times,
        "--idle-timeout",
        _seconds,
        60.0,
        "of a stream's silence, after which it goes on only while /health says that the worker is "
        "up, and for --answer-timeout at most",
    )
    flag(
        times,
        "--client-timeout",
        _seconds,
        60.0,
        "until a client has read what it is sent of a stream",
    )
    flag(times, "--drain-timeout", _seconds, 60.0, "for what is under way, once told to end")
    tries = parser.add_argument_group("tries")
    flag(tries, "--prefill-attempts", _count, 2, "prefill workers that are asked, at most")
    flag(tries, "--decode-attempts", _count, 3, "times that decode workers are asked, at most")
    flag(tries, "--health-interval", _seconds, 2.0, "seconds between looks at a worker that is up")
    flag(tries, "--health-timeout", _seconds, 5.0, "seconds for an answer to /health")
    flag(
        tries, "--health-failures", _count, 3, "silent looks in a row after which it counts as down"
    )
    limits = parser.add_argument_group("limits and the log")
    flag(limits, "--max-body-bytes", _count, 64 << 20, "larger requests are refused with 413")
    limits.add_argument(
        "--log-level",
        choices=log.LEVELS,
        default="info",
        help="on standard error; info: a line for each request that was not smooth [%(default)s]",
    )
    return parser
