"""The parts that only look at bytes: events, bodies, errors."""

from __future__ import annotations

import json

import pytest
from kvstore_pd.proxy import answers, body
from kvstore_pd.proxy.events import MAX_EVENT_BYTES, Splitter, first_error


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_events_go_through_whole_wherever_they_are_cut(end: bytes) -> None:
    whole = b"data: {}" + end + b": a comment" + end + b"data: [DONE]" + end
    for cut in range(len(whole) + 1):
        splitter = Splitter()
        first, second = splitter.feed(whole[:cut]), splitter.feed(whole[cut:])
        assert first + second == whole
        assert first == b"" or first.endswith(end)
        assert splitter.rest() == b"" and splitter.done


def test_the_beginning_of_an_event_is_kept_back() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert splitter.rest() == b"data: 2"
    assert not splitter.done


def test_what_has_no_end_is_not_kept_for_ever() -> None:
    splitter = Splitter()
    assert splitter.feed(b"x" * MAX_EVENT_BYTES) == b""
    assert len(splitter.feed(b"x")) == MAX_EVENT_BYTES + 1
    assert splitter.rest() == b""


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (b'data: {"error": {"code": 500, "message": "m"}}\n\n', (500, "m")),
        (b'data:{"error": {"message": "m"}}\n\ndata: [DONE]\n\n', (500, "m")),
        (b'data: {"error": {"code": 400, "message": "m"}}\n\n', (400, "m")),
        (b'data: {"error": {"code": "too_long", "message": "m"}}\n\n', None),
        (b'data: {"error": null, "choices": []}\n\n', None),
        (b'data: {"choices": [{"text": "\\"error\\""}]}\n\n', None),
        (b'data: {"error"\n\n', None),
        (b": a comment\n\n", None),
        (b"data: [DONE]\n\n", None),
    ],
)
def test_an_error_in_the_first_event(event: bytes, found: object) -> None:
    assert first_error(event) == found


def test_what_prefill_is_asked() -> None:
    asked = body.parse(
        json.dumps({"prompt": [1, 2], "max_tokens": 9, "best_of": 3, "echo": True}).encode()
    )
    assert not asked.stream
    assert json.loads(body.for_prefill(asked, chat=False)) == {
        "prompt": [1, 2],
        "max_tokens": 1,
        "stream": False,
    }
    asked = body.parse(b'{"prompt": "x", "max_completion_tokens": 9, "stream": true}')
    assert asked.stream
    assert json.loads(body.for_prefill(asked, chat=False))["max_completion_tokens"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"error": {"message": "m", "code": 500}}', "m"),
        (b'{"detail": "m"}', "m"),
        (b'{"message": "m"}', "m"),
        (b"Internal Server\n  Error", "Internal Server Error"),
        (b'{"error": {}}', '{"error": {}}'),
        (b"\xff", "\ufffd"),
        (b"x" * 400, "x" * 300 + "..."),
    ],
)
def test_what_a_workers_answer_says(text: bytes, message: str) -> None:
    assert answers.message_in(text) == message
