"""Workers that die, hang, answer 500 or cut a stream; clients that hang up; the proxy's end."""

from __future__ import annotations

import json
import threading

import pytest
from scripted import PATIENCE, Conversation, Engine, Script, serving

ASKED = {"model": "m", "prompt": "hello", "max_tokens": 7}
STREAM = {**ASKED, "stream": True}


def fails(conversation: Conversation) -> None:
    conversation.answer(500, {"error": {"message": "KV load failure (failure_policy=fail)"}})


def refuses(conversation: Conversation) -> None:
    conversation.answer(400, {"error": {"message": "prompt too long", "code": 400}})


def hangs(conversation: Conversation) -> None:
    conversation.wait_hung_up()


def dies(conversation: Conversation) -> None:
    conversation.die()


def fails_in_stream(conversation: Conversation) -> None:
    """As vLLM does it: status and headers are sent before the first token is asked for."""
    conversation.stream({"error": {"message": "KV load failure", "code": 500}})
    conversation.done()


def dies_before_first_event(conversation: Conversation) -> None:
    conversation.stream()
    conversation.die()


def seconds(script: Script) -> str:
    """For an answer: no longer than needed where none will come, long where the machine is busy."""
    return "3" if script is hangs else "60"


# Prefill.


@pytest.mark.parametrize("script", [fails, hangs, dies])
def test_another_prefill_worker_is_asked(script: Script) -> None:
    p1, p2, d = Engine("p1", script), Engine("p2"), Engine("d")
    with serving([p1, p2], [d], "--prefill-timeout", seconds(script)) as proxy:
        assert proxy.post(ASKED).status == 200
        proxy.wait_line(r"attempt_failed .*role=prefill")
    assert len(p1.seen) == len(p2.seen) == len(d.seen) == 1
    assert p2.seen[0].headers["X-Request-Id"].endswith("-2")


@pytest.mark.parametrize(("script", "why"), [(fails, "status_500"), (dies, "broken")])
def test_without_prefill_decode_computes(script: Script, why: str) -> None:
    with serving([Engine("p", then=script)], [Engine("d")]) as proxy:
        assert json.loads(proxy.post(ASKED).read())["by"] == "d"
        assert proxy.metric(f'kvstore_pd_prefill_skipped_total{{why="{why}"}}') == 1
        proxy.wait_line(rf" request .*outcome=ok .*prefill=skipped_{why}")


def test_the_only_prefill_worker_is_asked_again_where_just_its_connection_ended() -> None:
    """As a server ends one that was idle while the next request is on its way."""
    p = Engine("p", dies)
    with serving([p], [Engine("d")]) as proxy:
        assert proxy.post(ASKED).status == 200
        assert proxy.metric("kvstore_pd_prefill_seconds_count") == 1
    assert len(p.seen) == 2


def test_a_prefill_worker_that_is_gone_is_not_asked_until_it_is_back() -> None:
    p, d = Engine("p"), Engine("d")
    with serving([p], [d]) as proxy:
        p.stop()
        proxy.wait_health("no prefill worker")
        assert proxy.post(ASKED).status == 200
        assert proxy.metric('kvstore_pd_prefill_skipped_total{why="down"}') == 1
        p.start()
        proxy.wait_health("ok")
        assert proxy.post(ASKED).status == 200
    assert len(p.seen) == 1


def test_what_prefill_refuses_is_the_clients_answer() -> None:
    p1, p2, d = Engine("p1", refuses), Engine("p2", refuses), Engine("d")
    with serving([p1, p2], [d]) as proxy:
        answer = proxy.post(STREAM)
        assert answer.status == 400
        assert json.loads(answer.read())["error"]["message"] == "prompt too long"
    assert (len(p1.seen), len(p2.seen), d.seen) == (1, 0, [])


def test_whoever_waits_for_a_worker_that_falls_silent_goes_on_without_it() -> None:
    """Long before --prefill-timeout: its /health is no longer answered."""
    p, d = Engine("p", hangs), Engine("d")
    silent = threading.Event()

    def health() -> tuple[int, object]:
        if p.seen:
            silent.wait(PATIENCE)
        return 200, {}

    p.health = health
    with serving([p], [d], "--health-timeout", "1", "--prefill-timeout", "600") as proxy:
        assert proxy.post(ASKED).status == 200
        proxy.wait_line("worker_down .*no answer to /health")
        silent.set()
        proxy.wait_health("ok")


def test_a_worker_that_is_late_to_say_that_it_is_well_is_kept() -> None:
    d = Engine("d")
    asked: list[int] = []
    heard = threading.Event()

    def health() -> tuple[int, object]:
        asked.append(len(asked))
        if len(asked) > 3:
            heard.set()
        heard.wait(PATIENCE)
        return 200, {}

    d.health = health
    flags = ("--health-timeout", "0.2", "--health-failures", "1000")
    with serving([Engine("p")], [d], *flags) as proxy:
        assert heard.wait(PATIENCE)
        assert json.loads(proxy.post(ASKED).read())["by"] == "d"
        assert not any("worker_down" in line for line in proxy.lines)


def test_a_worker_that_says_it_is_ill_is_left_out() -> None:
    ill, well = Engine("ill"), Engine("well")
    ill.health = lambda: (503, {})
    with serving([Engine("p")], [ill, well]) as proxy:
        proxy.wait_line("worker_down .*answers 503")
        for _ in range(3):
            assert json.loads(proxy.post(ASKED).read())["by"] == "well"
    assert ill.seen == []


# Decode, before the first byte.


@pytest.mark.parametrize("script", [fails, dies, hangs, fails_in_stream, dies_before_first_event])
@pytest.mark.parametrize("workers", [1, 2])
def test_decode_is_asked_again(script: Script, workers: int) -> None:
    """By another worker, or by the same where there is none. The client does not notice."""
    bad = Engine("bad", script)
    ds = [bad, Engine("good")][:workers]
    with serving([Engine("p")], ds, "--first-byte-timeout", seconds(script)) as proxy:
        text = proxy.post(STREAM).read().decode()
        assert [line for line in text.splitlines() if line] == [
            *(f'data: {{"choices": [{{"text": "t{i}"}}]}}' for i in range(3)),
            "data: [DONE]",
        ]
    assert len(bad.seen) == 3 - workers
    assert ds[-1].seen[-1].headers["X-Request-Id"].endswith("-2")


def test_one_that_is_busy_is_asked_rather_than_the_one_that_failed() -> None:
    busy, bad = Engine("busy", hangs), Engine("bad", fails)
    with serving([Engine("p")], [busy, bad]) as proxy:
        first = proxy.connect()
        first.request("POST", "/v1/completions", json.dumps(ASKED))
        busy.wait_asked(1)
        assert json.loads(proxy.post(ASKED).read())["by"] == "busy"
        first.close()
    assert len(bad.seen) == 1


@pytest.mark.parametrize("script", [fails, dies, hangs])
def test_an_answer_that_is_no_stream_is_asked_for_again(script: Script) -> None:
    d = Engine("d", script)
    with serving([Engine("p")], [d], "--answer-timeout", seconds(script)) as proxy:
        assert json.loads(proxy.post(ASKED).read())["by"] == "d"


def test_an_answer_cut_in_the_midst_is_asked_for_again() -> None:
    def cut(conversation: Conversation) -> None:
        conversation.send_response(200)
        conversation.send_header("Content-Length", "100")
        conversation.end_headers()
        conversation.wfile.write(b'{"choices"')
        conversation.die()

    with serving([Engine("p")], [Engine("d", cut)]) as proxy:
        assert json.loads(proxy.post(ASKED).read())["by"] == "d"


def test_a_decode_worker_that_is_gone_is_found_out_by_the_request() -> None:
    """No look at /health has been between."""
    d1, d2 = Engine("d1"), Engine("d2")
    with serving([Engine("p")], [d1, d2], "--health-interval", "600") as proxy:
        proxy.post(ASKED).read()
        d1.stop()
        for _ in range(4):
            assert json.loads(proxy.post(ASKED).read())["by"] == "d2"


def test_what_decode_refuses_is_not_asked_again() -> None:
    d1, d2 = Engine("d1", then=refuses), Engine("d2", then=refuses)
    with serving([Engine("p")], [d1, d2]) as proxy:
        answer = proxy.post(STREAM)
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (400, 400)
    assert len(d1.seen) + len(d2.seen) == 1


def test_an_error_that_stays_is_not_said_to_be_worth_another_try() -> None:
    d = Engine("d", then=fails)
    with serving([Engine("p")], [d], "--decode-attempts", "2") as proxy:
        answer = proxy.post(ASKED)
        error = json.loads(answer.read())["error"]
    assert (answer.status, answer.headers["Retry-After"], len(d.seen)) == (502, None, 2)
    assert "failed 2 times" in error["message"] and "KV load failure" in error["message"]


def test_without_decode_workers_clients_are_told_to_come_back() -> None:
    p, d = Engine("p"), Engine("d")
    with serving([p], [d]) as proxy:
        d.stop()
        answer = proxy.post(ASKED)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert json.loads(answer.read())["error"]["type"] == "service_unavailable"
        proxy.wait_health("no decode worker")
        assert proxy.get("/health").status == 503
        asked_before = len(p.seen)
        assert proxy.post(ASKED).status == 503
        assert len(p.seen) == asked_before  # Its work would be for nobody.
        d.start()
        proxy.wait_health("ok")
        assert proxy.post(ASKED).status == 200


# Decode, after the first byte.


@pytest.mark.parametrize("why", ["broken", "no_done", "idle"])
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
    with serving([Engine("p")], [d], "--idle-timeout", "2" if why == "idle" else "60") as proxy:
        answer = proxy.post(STREAM)
        assert answer.readline() + answer.readline() == b'data: {"choices": []}\n\n'
        proceed.set()
        error = json.loads(answer.read().decode().removeprefix("data: "))["error"]
        assert error["type"] == "server_error" and "not the whole answer" in error["message"]
        assert proxy.metric(f'kvstore_pd_streams_cut_total{{why="{why}"}}') == 1
        proxy.wait_line(rf"stream_cut .*why={why}")
    assert len(d.seen) == 1


# Clients that hang up, and the end.


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
