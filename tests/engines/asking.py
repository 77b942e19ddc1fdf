"""Prompts, the answers of engines to them, and what the decoder's log and counters say of those."""

from __future__ import annotations

import json
import random
import re
import statistics
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPResponse

from running import PATIENCE, Failure, Log, wait_for

_WORDS = 1024
_ANSWER = 300.0  # seconds
_RETRIEVED = re.compile(
    r"\[req_id=(\S+)\] Retrieved (\d+) out of (\d+) required tokens .*?cost ([\d.]+) ms"
)
_LOOKED_UP = re.compile(r"Reqid: (\S+), Total tokens (\d+), .*?LMCache hit tokens: (\d+)")
_COUNTER = re.compile(
    r'^vllm:prompt_tokens_by_source_total\{.*source="external_kv_transfer".*\} ([\d.e+]+)$', re.M
)


@dataclass(frozen=True)
class Form:
    """How a prompt is asked."""

    chat: bool = False  # as messages
    stream: bool = False


@dataclass(frozen=True)
class Answer:
    """What an engine said: `request` is the name it goes by in its log."""

    request: str
    tokens: tuple[int, ...]
    prompt_tokens: int
    events: int = 0  # of a stream those with tokens


@dataclass(frozen=True)
class Load:
    """What the decoder's log says of one request."""

    loaded: int
    wanted: int
    milliseconds: float


def prompt(tokens: int, seed: int) -> str:
    """So many words of one token each, always the same for a seed; a longer one begins as a shorter
    one of its seed."""
    chance = random.Random(seed)
    return " ".join(f"w{chance.randrange(3, _WORDS)}" for _ in range(tokens))


def ask(url: str, text: str, tokens: int = 16, form: Form = Form()) -> Answer:
    """Raises Failure where the answer is not a good one, or a stream is cut."""
    body: dict[str, object] = {
        "model": "tiny",
        "max_tokens": tokens,
        "temperature": 0,
        "seed": 0,
        "ignore_eos": True,
        "return_token_ids": True,
    }
    if form.chat:
        # The model's template makes of them the words of the text again.
        system, _, user = text.partition(" ")
        roles = (("system", system), ("user", user))
        body["messages"] = [{"role": role, "content": content} for role, content in roles]
    else:
        body["prompt"] = text
    if form.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    path = "/v1/chat/completions" if form.chat else "/v1/completions"
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER) as answer:
            if form.stream:
                return _streamed(answer)
            said = json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failure(f"{url} answered {error.code}: {error.read()[:300]!r}") from error
    except OSError as error:
        raise Failure(f"{url}: {error}") from error
    choice = said["choices"][0]
    return Answer(said["id"], tuple(choice["token_ids"]), said["usage"]["prompt_tokens"])


def _streamed(answer: HTTPResponse) -> Answer:
    """Raises Failure where it has an error, or no end."""
    kind = answer.headers.get_content_type()
    if kind != "text/event-stream":
        raise Failure(f"no stream but {kind}: {answer.read(300)!r}")
    request, prompt_tokens, events = "", 0, 0
    tokens: list[int] = []
    for line in answer:
        if not line.startswith(b"data: "):
            continue
        data = line.removeprefix(b"data: ").strip()
        if data == b"[DONE]":
            return Answer(request, tuple(tokens), prompt_tokens, events)
        event = json.loads(data)
        if "choices" not in event:
            raise Failure(f"an event of the stream: {data[:300]!r}")
        request = event["id"]
        prompt_tokens = (event.get("usage") or {}).get("prompt_tokens", prompt_tokens)
        for choice in event["choices"]:
            more = choice.get("token_ids") or []
            tokens += more
            events += bool(more)
    raise Failure(f"a stream was cut after {len(tokens)} tokens")


def full_chunks(tokens: int, chunk: int) -> int:
    """How many tokens of a prompt the store can hold."""
    return tokens // chunk * chunk


def loads(log: Log, start: int = 0) -> dict[str, Load]:
    """By request, what LMCache loaded since a worker's log was `start` long."""
    return {
        _bare(request): Load(int(loaded), int(wanted), float(cost))
        for request, loaded, wanted, cost in _RETRIEVED.findall(log.text(start))
    }


def hits(log: Log, start: int = 0) -> dict[str, int]:
    """By request, how many tokens LMCache found when it looked."""
    return {_bare(request): int(hit) for request, _, hit in _LOOKED_UP.findall(log.text(start))}


def loaded(log: Log, answer: Answer, start: int, expected: int) -> Load:
    """What was loaded for this answer. Its line may come later than the answer; where nothing is
    `expected`, there may be none."""

    def told() -> bool:
        looked = hits(log, start).get(answer.request)
        return looked == 0 or answer.request in loads(log, start)

    if expected:
        wait_for(f"a word on {answer.request} in {log.path}", told)
    return loads(log, start).get(answer.request, Load(0, 0, 0.0))


def counted(url: str) -> int:
    """Prompt tokens that vLLM says it did not compute, since they came from the store."""
    with urllib.request.urlopen(url + "/metrics", timeout=PATIENCE) as answer:
        found = _COUNTER.findall(answer.read().decode())
    return round(sum(float(number) for number in found))


def median_and_p90(numbers: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(numbers)
    if not ordered:
        return float("nan"), float("nan")
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.9))]


def _bare(request: str) -> str:
    """The answer's id: engines append something of their own, and to a completion's an index."""
    ending = r"-[0-9a-f]+$" if request.startswith("chatcmpl-") else r"-\d+-[0-9a-f]+$"
    return re.sub(ending, "", request)
