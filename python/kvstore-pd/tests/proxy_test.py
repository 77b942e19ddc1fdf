"""The way of a request through the proxy, where all goes well."""

from __future__ import annotations

import json
import threading

import pytest
from scripted import ASKED, Conversation, Engine, serving


def test_prefill_computes_one_token_then_decode_answers_the_request_as_it_came() -> None:
    p, d = Engine("p"), Engine("d")
    raw = b'{"model":"m",  "prompt":"hello","max_tokens":7,"n":2,"min_tokens":3,"stream":false}'
    with serving([p], [d]) as proxy:
        answer = proxy.post(raw)
        assert answer.status == 200
        assert json.loads(answer.read())["by"] == "d"
    (to_prefill,), (to_decode,) = p.seen, d.seen
    assert to_prefill.body == {"model": "m", "prompt": "hello", "max_tokens": 1, "stream": False}
    assert to_decode.raw == raw
    assert to_prefill.path == to_decode.path == "/v1/completions"


def test_a_chat_has_one_token_by_either_name_and_keeps_what_makes_its_prompt() -> None:
    p, d = Engine("p"), Engine("d")
    asked = {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "tools": [{"type": "function"}],
        "tool_choice": "auto",
        "cache_salt": "s",
        "logprobs": True,
        "top_logprobs": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with serving([p], [d]) as proxy:
        assert proxy.post(asked, "/v1/chat/completions").read().endswith(b"data: [DONE]\n\n")
    kept = {k: asked[k] for k in ("model", "messages", "tools", "tool_choice", "cache_salt")}
    assert p.seen[0].body == {
        **kept,
        "max_tokens": 1,
        "max_completion_tokens": 1,
        "stream": False,
    }
    assert d.seen[0].body == asked


def test_each_event_is_handed_on_as_it_comes() -> None:
    """The worker goes on only when the client has read what was sent so far."""
    read: list[bytes] = []
    proceed = [threading.Event() for _ in range(3)]

    def slowly(conversation: Conversation) -> None:
        conversation.stream()
        for i, event in enumerate(proceed):
            conversation.event(i)
            assert event.wait(60)
        conversation.done()

    with serving([Engine("p")], [Engine("d", slowly)]) as proxy:
        answer = proxy.post({**ASKED, "stream": True})
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for event in proceed:
            read.append(answer.readline() + answer.readline())
            event.set()
        assert read == [b"data: %d\n\n" % i for i in range(3)]
        assert answer.read() == b"data: [DONE]\n\n"


def test_an_event_in_two_parts_arrives_whole() -> None:
    def halves(conversation: Conversation) -> None:
        conversation.stream()
        conversation.part(b'data: {"a"')
        conversation.part(b":1}\n\ndata: ")
        conversation.part(b"[DONE]\n\n")
        conversation.end_without_done()

    with serving([Engine("p")], [Engine("d", halves)]) as proxy:
        assert proxy.post({**ASKED, "stream": True}).read() == b'data: {"a":1}\n\ndata: [DONE]\n\n'


def test_the_least_busy_worker_is_next() -> None:
    busy = Engine("busy", Conversation.wait_hung_up)
    free = Engine("free")
    with serving([Engine("p")], [busy, free]) as proxy:
        first = proxy.connect()
        first.request("POST", "/v1/completions", json.dumps(ASKED))
        busy.wait_asked(1)
        for _ in range(5):
            assert json.loads(proxy.post(ASKED).read())["by"] == "free"
        first.close()
    assert len(busy.seen) == 1


def test_idle_workers_take_turns() -> None:
    ps, ds = [Engine("p1"), Engine("p2")], [Engine("d1"), Engine("d2")]
    with serving(ps, ds) as proxy:
        for _ in range(4):
            proxy.post(ASKED).read()
    assert [len(each.seen) for each in (*ps, *ds)] == [2, 2, 2, 2]


def test_ids_and_credentials_go_to_the_workers() -> None:
    p, d = Engine("p"), Engine("d")
    with serving([p], [d]) as proxy:
        answer = proxy.post(ASKED, X_Request_Id="mine", Authorization="Bearer k", Traceparent="t")
        answer.read()
        assert answer.headers["X-Request-Id"] == "mine"
        made = proxy.post(ASKED, X_Request_Id="with space")
        made.read()
        assert len(made.headers["X-Request-Id"]) == 32
    for seen in (p.seen, d.seen):
        assert seen[0].headers["X-Request-Id"] == "mine"
        assert seen[0].headers["Authorization"] == "Bearer k"
        assert seen[0].headers["Traceparent"] == "t"
        assert seen[1].headers["X-Request-Id"] == made.headers["X-Request-Id"]
        assert "Authorization" not in seen[1].headers


def test_what_a_worker_sets_for_one_client_is_not_sent_for_another() -> None:
    d = Engine("d", then=lambda c: c.answer(200, {}, **{"Set-Cookie": "mine=1"}))
    # By a name: cookies of addresses are not kept in any case.
    with serving([Engine("p")], [d], "--decoder-host", "localhost") as proxy:
        assert proxy.post(ASKED).headers["Set-Cookie"] == "mine=1"
        proxy.post(ASKED).read()
    assert "Cookie" not in d.seen[1].headers


def test_prefills_body_has_one_type() -> None:
    p = Engine("p")
    with serving([p], [Engine("d")]) as proxy:
        connection = proxy.connect()
        headers = {"content-type": "application/json; charset=utf-8"}
        connection.request("POST", "/v1/completions", json.dumps(ASKED), headers)
        connection.getresponse().read()
    assert p.seen[0].headers.get_all("Content-Type") == ["application/json"]


def test_a_key_of_the_environment_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    p, d = Engine("p"), Engine("d")
    with serving([p], [d]) as proxy:
        proxy.post(ASKED).read()
        proxy.post(ASKED, Authorization="Bearer mine").read()
    for seen in (p.seen, d.seen):
        assert [each.headers["Authorization"] for each in seen] == ["Bearer secret", "Bearer mine"]


def test_models_and_tokens_are_a_decode_workers_business() -> None:
    p, d = Engine("p"), Engine("d", lambda c: c.answer(200, {"data": ["m"]}))
    with serving([p], [d]) as proxy:
        assert json.loads(proxy.get("/v1/models").read()) == {"data": ["m"]}
        assert json.loads(proxy.post(ASKED, "/tokenize?add=1").read())["by"] == "d"
    assert [each.path for each in d.seen] == ["/v1/models", "/tokenize?add=1"]
    assert p.seen == []


def test_metrics_tell_what_happened() -> None:
    with serving([Engine("p")], [Engine("d")]) as proxy:
        proxy.post(ASKED).read()
        proxy.post({**ASKED, "stream": True}).read()
        proxy.wait_metric("kvstore_pd_request_seconds_count", 2)
        done = 'kvstore_pd_requests_total{code="200",path="/v1/completions"}'
        assert proxy.metric(done) == 2
        assert proxy.metric("kvstore_pd_prefill_seconds_count") == 2
        assert proxy.metric("kvstore_pd_first_byte_seconds_count") == 2
        assert proxy.metric("kvstore_pd_requests_running") == 0


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [
        (b"{", 400, "not JSON"),
        (b"[1]", 400, "JSON object"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"prompt":"' + b"x" * 3000 + b'"}', 413, "larger than 2000 bytes"),
    ],
)
def test_what_the_client_did_wrong_is_said_in_openais_form(
    raw: bytes, status: int, words: str
) -> None:
    p, d = Engine("p"), Engine("d")
    with serving([p], [d], "--max-body-bytes", "2000" if status == 413 else "1000000") as proxy:
        answer = proxy.post(raw)
        error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"], error["type"]) == (
        status,
        status,
        "invalid_request_error",
    )
    assert words in error["message"]
    assert p.seen == d.seen == []


@pytest.mark.parametrize(
    ("header", "raw"),
    [
        ({"Content-Encoding": "gzip"}, b"no gzip"),
        ({"Transfer-Encoding": "chunked"}, b"x\r\nno chunk"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/completions", "/tokenize"])
def test_a_body_that_can_not_be_read_is_the_clients_fault(
    header: dict[str, str], raw: bytes, path: str
) -> None:
    p, d = Engine("p"), Engine("d")
    with serving([p], [d]) as proxy:
        connection = proxy.connect()
        connection.putrequest("POST", path)
        for name, value in header.items():
            connection.putheader(name, value)
        if "Transfer-Encoding" not in header:
            connection.putheader("Content-Length", str(len(raw)))
        connection.endheaders(raw)
        assert connection.getresponse().status == 400
        proxy.stop()
        assert not any("ERROR" in line or "Traceback" in line for line in proxy.lines)
    assert p.seen == d.seen == []


def test_an_unknown_path_is_told_so() -> None:
    with serving([Engine("p")], [Engine("d")]) as proxy:
        answer = proxy.get("/v1/nothing")
        assert answer.status == 404
        assert json.loads(answer.read())["error"]["type"] == "invalid_request_error"
