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

from deployment import Engine
from running import PATIENCE, Failure, wait_for

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
class Answer:
    """What an engine said: `request` is the name it goes by in its log."""

    request: str
    tokens: tuple[int, ...]
    prompt_tokens: int


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


def ask(url: str, text: str, tokens: int = 16) -> Answer:
    """Raises Failure where the answer is not a good one."""
    body = {
        "model": "tiny",
        "prompt": text,
        "max_tokens": tokens,
        "temperature": 0,
        "seed": 0,
        "ignore_eos": True,
        "return_token_ids": True,
    }
    request = urllib.request.Request(
        url + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failure(f"{url} answered {error.code}: {error.read()[:300]!r}") from error
    except OSError as error:
        raise Failure(f"{url}: {error}") from error
    choice = said["choices"][0]
    return Answer(said["id"], tuple(choice["token_ids"]), said["usage"]["prompt_tokens"])


def full_chunks(tokens: int, chunk: int) -> int:
    """How many tokens of a prompt the store can hold."""
    return tokens // chunk * chunk


def loads(decoder: Engine, start: int = 0) -> dict[str, Load]:
    """By request, what LMCache loaded since its log was `start` long."""
    return loads_in(decoder.program.text(start))


def loads_in(log: str) -> dict[str, Load]:
    return {
        _bare(request): Load(int(loaded), int(wanted), float(cost))
        for request, loaded, wanted, cost in _RETRIEVED.findall(log)
    }


def hits(decoder: Engine, start: int = 0) -> dict[str, int]:
    """By request, how many tokens LMCache found when it looked."""
    return {
        _bare(request): int(hit)
        for request, _, hit in _LOOKED_UP.findall(decoder.program.text(start))
    }


def loaded(decoder: Engine, answer: Answer, start: int, expected: int) -> Load:
    """What was loaded for this answer. Its line may come later than the answer; where nothing is
    `expected`, there may be none."""

    def told() -> bool:
        looked = hits(decoder, start).get(answer.request)
        return looked == 0 or answer.request in loads(decoder, start)

    if expected:
        wait_for(f"a word on {answer.request} in {decoder.program.log}", told)
    return loads(decoder, start).get(answer.request, Load(0, 0, 0.0))


def counted(decoder: Engine) -> int:
    """Prompt tokens that vLLM says it did not compute, since they came from the store."""
    with urllib.request.urlopen(decoder.url + "/metrics", timeout=PATIENCE) as answer:
        found = _COUNTER.findall(answer.read().decode())
    return round(sum(float(number) for number in found))


def median_and_p90(numbers: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(numbers)
    if not ordered:
        return float("nan"), float("nan")
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.9))]


def _bare(request: str) -> str:
    """The answer's id: engines append an index, and something of their own."""
    return re.sub(r"-\d+-[0-9a-f]+$", "", request)
