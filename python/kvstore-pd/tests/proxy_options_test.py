"""The proxy's command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kvstore_pd.proxy import options

PROGRAM = Path(sys.executable).with_name("kvstore-pd-proxy")


@pytest.mark.parametrize(
    ("flags", "prefillers"),
    [
        ("", [("127.0.0.1", 8100)]),
        ("--prefiller-port 1,2", [("127.0.0.1", 1), ("127.0.0.1", 2)]),
        ("--prefiller-port 1 2", [("127.0.0.1", 1), ("127.0.0.1", 2)]),
        ("--prefiller-port 1 --prefiller-port 2", [("127.0.0.1", 1), ("127.0.0.1", 2)]),
        ("--prefiller-ports=1 --prefiller-hosts a,b", [("a", 1), ("b", 1)]),
        ("--prefiller-host a b --prefiller-port 1 2", [("a", 1), ("b", 2)]),
        ("--prefiller-port 5 --num-prefillers 3", [("127.0.0.1", i) for i in (5, 6, 7)]),
        ("--prefiller-port 5,9 --num-prefillers 2", [("127.0.0.1", i) for i in (5, 9)]),
    ],
)
def test_several_workers(flags: str, prefillers: list[tuple[str, int]]) -> None:
    read = options.read(flags.split())
    assert read.prefillers == prefillers
    assert read.decoders == [("127.0.0.1", 8200)]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--host 0.0.0.0", "add --insecure-allow-remote"),
        ("--host example.org", "add --insecure-allow-remote"),
        ("--prefiller-host a b --prefiller-port 1 2 3", "as many of both"),
        ("--decoder-port 1,1", "name 127.0.0.1:1 twice"),
        ("--decoder-port 1,2 --num-decoders 3", "--num-decoders is 3, but 2"),
        ("--decoder-port 0", "1 to 65535"),
        ("--decoder-host http://a", "http://a is no host"),
        ("--decoder-host a..b", "a..b is no host"),
        ("--port 65536", "0 to 65535"),
        ("--port x", "invalid port value: 'x'"),
        ("--idle-timeout 0", "more than 0"),
        ("--idle-timeout nan", "more than 0"),
        ("--decode-attempts 0", "less than 1"),
        ("--prefillerport 1", "--prefillerport"),
    ],
)
def test_wrong_flags_are_named(flags: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read(flags.split())
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machines_own_addresses_need_no_flag(host: str) -> None:
    assert options.read(["--host", host]).host == host


def test_other_addresses_with_the_flag() -> None:
    for flag in ("--insecure-allow-remote", "--insecure_allow_remote"):
        assert options.read(["--host", "0.0.0.0", flag]).host == "0.0.0.0"


def test_help_explains_all() -> None:
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for word in ("--drain-timeout", "Retry-After", "OPENAI_API_KEY", "exit status", "SIGTERM"):
        assert word in done.stdout


def test_a_port_in_use_ends_it() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [PROGRAM, "--port", str(port)], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr
