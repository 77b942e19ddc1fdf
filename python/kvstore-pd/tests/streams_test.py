"""Workers that cut a stream or fall silent in it; clients that hang up or don't read; the proxy's
end."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from types import SimpleNamespace
from typing import cast

import pytest
from kvstore_pd.proxy.call import Call, ClientGone
from kvstore_pd.proxy.relay import _sent
from scripted import ASKED, PATIENCE, STREAM, Conversation, Engine, serving


@pytest.mark.parametrize("why", ["broken", "no_done", "idle", "idle and ill"])
def test_a_stream_that_is_cut_ends_with_an_error(why: str) -> None:
    proceed = threading.Event()

    def cut(conversation: Conversation) -> None:
        conversation.stream({"choices": []})
        conversation.part(b'data: {"half')
        assert proceed.wait(PATIENCE)
        if why == "broken":
            conversation.die()
        elif why == "no_done":
            conversation.end_without_done()
        else:
            conversation.wait_hung_up()

    d = Engine("d", cut)
    if why == "idle and ill":
        d.health = lambda: (503 if proceed.is_set() else 200, {})
    flags = {
        "idle": ["--idle-timeout", "0.5", "--answer-timeout", "2"],
        "idle and ill": ["--idle-timeout", "0.5"],
    }
    with serving([Engine("p")], [d], *flags.get(why, [])) as proxy:
        answer = proxy.post(STREAM)
        assert answer.readline() + answer.readline() == b'data: {"choices": []}\n\n'
        proceed.set()
        error = json.loads(answer.read().decode().removeprefix("data: "))["error"]
        assert error["type"] == "server_error" and "not the whole answer" in error["message"]
        assert ("is down (/health answers 503)" in error["message"]) == ("ill" in why)
        word = why.split()[0]
        assert proxy.metric(f'kvstore_pd_streams_cut_total{{why="{word}"}}') == 1
        proxy.wait_line(rf"stream_cut .*why={word}")
    assert len(d.seen) == 1


def test_a_stream_that_is_silent_for_a_while_goes_on_where_its_worker_is_well() -> None:
    """It may think, or call a tool, of which nothing is sent before it is whole."""
    proceed = threading.Event()

    def thinks(conversation: Conversation) -> None:
        conversation.stream({"choices": []})
        assert proceed.wait(PATIENCE)
        conversation.done()

    with serving([Engine("p")], [Engine("d", thinks)], "--idle-timeout", "0.2") as proxy:
        answer = proxy.post(STREAM)
        proxy.wait_line("stream_silent")
        proceed.set()
        assert answer.read().endswith(b"data: [DONE]\n\n")
        assert proxy.metric('kvstore_pd_streams_cut_total{why="idle"}') == 0


# Clients that hang up, and the end.


def test_a_client_that_hangs_up_before_it_was_answered_is_no_bug() -> None:
    """It can be seen by a write before it is told of."""

    async def sending() -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    call = SimpleNamespace(options=SimpleNamespace(client_timeout=PATIENCE))
    with pytest.raises(ClientGone):
        asyncio.run(_sent(cast(Call, call), sending()))


def test_a_client_that_does_not_read_does_not_hold_its_worker_for_ever() -> None:
    ended = threading.Event()

    def endlessly(conversation: Conversation) -> None:
        conversation.stream()
        try:
            while True:
                conversation.event("x" * 100_000)
        except OSError:
            ended.set()

    with serving([Engine("p")], [Engine("d", endlessly)], "--client-timeout", "1") as proxy:
        raw = json.dumps(STREAM).encode()
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(
                b"POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s"
                % (len(raw), raw)
            )
            assert ended.wait(PATIENCE)
            proxy.wait_line(" request .*outcome=client_gone .*client=does_not_read")
        assert proxy.metric("kvstore_pd_requests_running") == 0
        assert not any("bug" in line or "Traceback" in line for line in proxy.lines)


@pytest.mark.parametrize("role", ["prefill", "decode"])
def test_a_client_that_hangs_up_ends_its_request_at_the_worker(role: str) -> None:
    ended = threading.Event()

    def script(conversation: Conversation) -> None:
        if role == "decode":
            conversation.stream({"choices": []})
        conversation.wait_hung_up()
        ended.set()

    p = Engine("p", *([script] if role == "prefill" else []))
    d = Engine("d", *([script] if role == "decode" else []))
    with serving([p], [d]) as proxy:
        connection = proxy.connect()
        connection.request("POST", "/v1/completions", json.dumps(STREAM))
        (p if role == "prefill" else d).wait_asked(1)
        if role == "decode":
            assert connection.getresponse().readline()
        connection.close()
        if connection.sock:
            connection.sock.close()
        assert ended.wait(PATIENCE)
        proxy.wait_metric("kvstore_pd_clients_gone_total", 1)
        proxy.wait_line("outcome=client_gone")
    assert len(p.seen) == 1


def test_told_to_end_it_finishes_what_is_under_way() -> None:
    proceed = threading.Event()

    def slowly(conversation: Conversation) -> None:
        conversation.stream({"choices": []})
        assert proceed.wait(PATIENCE)
        conversation.done()

    with serving([Engine("p")], [Engine("d", slowly)]) as proxy:
        answer = proxy.post(STREAM)
        assert answer.readline() == b'data: {"choices": []}\n'
        proxy.terminate()
        proxy.wait_line("ending")
        with pytest.raises(OSError):
            proxy.post(ASKED)
        proceed.set()
        assert answer.read().endswith(b"data: [DONE]\n\n")
        assert proxy.process.wait(PATIENCE) == 0
        proxy.wait_line("ended cut=0")


@pytest.mark.parametrize("signals", [1, 2])
def test_what_is_not_done_in_time_is_told_so(signals: int) -> None:
    """In time: within --drain-timeout, or before a second signal."""

    def endlessly(conversation: Conversation) -> None:
        conversation.stream({"choices": []})
        conversation.wait_hung_up()

    d = Engine("d", endlessly)
    patience = "0.3" if signals == 1 else "600"
    with serving([Engine("p")], [d], "--drain-timeout", patience) as proxy:
        answer = proxy.post(STREAM)
        assert answer.readline() == b'data: {"choices": []}\n'
        proxy.terminate()
        proxy.wait_line("ending")
        if signals == 2:
            proxy.terminate()
        last = answer.read().decode().strip().removeprefix("data: ")
        assert "this server ends" in json.loads(last)["error"]["message"]
        assert proxy.process.wait(PATIENCE) == 0
        proxy.wait_line("ended cut=1")
