"""Workers that die, hang, refuse or answer 500, before the client has been sent anything."""

from __future__ import annotations

import json
import threading

import pytest
from scripted import (
    ASKED,
    PATIENCE,
    STREAM,
    Conversation,
    Engine,
    Script,
    dies,
    dies_before_first_event,
    fails,
    fails_in_stream,
    hangs,
    refuses,
    seconds,
    serving,
    wait_all_asked,
)

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


@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_what_prefill_refuses_decode_may_answer(status: int) -> None:
    """It was not asked what the client has asked, and it is not the one that answers."""
    p1, d = Engine("p1", lambda c: c.answer(status, {})), Engine("d")
    p2 = Engine("p2")
    with serving([p1, p2], [d]) as proxy:
        answer = proxy.post(ASKED)
        assert (answer.status, json.loads(answer.read())["by"]) == (200, "d")
        assert proxy.metric('kvstore_pd_prefill_skipped_total{why="refused"}') == 1
        proxy.wait_line(
            rf" request .*prefill=skipped_refused .*refused_with={status}|"
            rf" request .*refused_with={status} .*prefill=skipped_refused"
        )
        named = f'role="prefill",worker="127.0.0.1:{p1.port}"'
        assert proxy.metric(f'kvstore_pd_attempts_total{{outcome="refused",{named}}}') == 1
    assert (len(p1.seen), len(p2.seen), len(d.seen)) == (1, 0, 1)


def test_what_the_client_did_wrong_decode_says_too() -> None:
    p, d = Engine("p", refuses), Engine("d", refuses)
    with serving([p], [d]) as proxy:
        answer = proxy.post(STREAM)
        assert answer.status == 400
        assert json.loads(answer.read())["error"]["message"] == "prompt too long"
    assert (len(p.seen), len(d.seen)) == (1, 1)


def test_prefill_that_takes_too_long_is_asked_of_one_other_worker_at_most() -> None:
    ps = [Engine(f"p{i}", then=hangs) for i in range(4)]
    flags = ("--prefill-timeout", "0.3", "--prefill-attempts", "4")
    with serving(ps, [Engine("d")], *flags) as proxy:
        assert json.loads(proxy.post(ASKED).read())["by"] == "d"
        assert proxy.metric('kvstore_pd_prefill_skipped_total{why="timeout"}') == 1
        wait_all_asked(ps, 2)
    assert sum(len(p.seen) for p in ps) == 2


def test_whoever_waits_for_a_worker_that_falls_silent_goes_on_without_it() -> None:
    """Long before --prefill-timeout: its /health is no longer answered."""
    p, d = Engine("p", hangs), Engine("d")
    silent = threading.Event()

    def health() -> tuple[int, object]:
        if p.seen:
            silent.wait(PATIENCE)
        return 200, {}

    p.health = health
    with serving([p], [d], "--health-timeout", "3", "--prefill-timeout", "600") as proxy:
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


@pytest.mark.parametrize(
    ("script", "workers"),
    [
        *((each, 1) for each in (fails, dies, fails_in_stream, dies_before_first_event)),
        *((each, 2) for each in (fails, dies, hangs, fails_in_stream, dies_before_first_event)),
    ],
)
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


@pytest.mark.parametrize("script", [fails, dies])
def test_an_answer_that_is_no_stream_is_asked_for_again(script: Script) -> None:
    with serving([Engine("p")], [Engine("d", script)]) as proxy:
        assert json.loads(proxy.post(ASKED).read())["by"] == "d"


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("asked", [ASKED, STREAM])
def test_what_takes_too_long_is_asked_of_one_other_worker_at_most(
    asked: dict[str, object], workers: int
) -> None:
    ds = [Engine(f"d{i}", then=hangs) for i in range(workers)]
    flags = ("--answer-timeout", "0.3", "--first-byte-timeout", "0.3", "--decode-attempts", "9")
    with serving([Engine("p")], ds, *flags) as proxy:
        answer = proxy.post(asked)
        assert (answer.status, answer.headers["Retry-After"]) == (504, None)
        assert "took longer than 0.3 s" in json.loads(answer.read())["error"]["message"]
        proxy.wait_line(" request .*outcome=timeout")
        wait_all_asked(ds, min(workers, 2))
    assert sum(len(d.seen) for d in ds) == min(workers, 2)


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


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("workers", [1, 2])
def test_where_all_engines_have_ended_clients_are_told_to_come_back(
    attempts: int, workers: int
) -> None:
    """As vLLM does it: what was under way is answered 500, and /health 503 from then on."""
    ds = [Engine(f"d{i}", then=fails) for i in range(workers)]

    def health() -> tuple[int, object]:
        return (503 if any(d.seen for d in ds) else 200), {}

    for d in ds:
        d.health = health
    flags = ("--health-interval", "600", "--decode-attempts", str(attempts))
    with serving([Engine("p")], ds, *flags) as proxy:
        answer = proxy.post(ASKED)
        error = json.loads(answer.read())["error"]
        assert (answer.status, error["type"]) == (503, "service_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        # One that was not asked is believed to be up until the next look.
        assert proxy.get("/health").status == (503 if attempts >= workers else 200)


def test_one_that_answered_counts_more_than_one_that_did_not() -> None:
    bad, cut = Engine("bad", then=fails), Engine("cut", then=dies)
    with serving([Engine("p")], [bad, cut], "--decode-attempts", "2") as proxy:
        assert proxy.post(ASKED).status == 502
    assert (len(bad.seen), len(cut.seen)) == (1, 1)


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
