"""Prefill answers before its put has ended: what decode finds that asks at once."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import asking
import deployment
import part_pair
from deployment import Store
from environment import Environment
from front import Proxy
from plain import Plain
from report import Section
from running import wait_for

REQUESTS = 1000
_TO_SHOW_IT = 300
_AT_ONCE = 4
_ANSWER = 4  # tokens
_VARIABLE = "KVSTORE_AWAIT_PUTS_MS"
AWAIT = {_VARIABLE: "5000"}
# Else LMCache gives a put up that takes a second, as one may on a busy machine.
_LONG_PUTS = {"transfer_timeout": "10"}


@dataclass(frozen=True)
class _Ran:
    recomputed: int
    wrong: int  # answered otherwise than by a plain vLLM
    awaited: int | None  # keys; None: Mooncake does not


def prompts(count: int) -> list[tuple[int, int]]:
    """Tokens and seed: short ones, whose put is the whole of what takes long; none twice."""
    chance = random.Random(7)
    return [(chance.randrange(300, 600), 10_000 + at) for at in range(count)]


def race(environment: Environment, plain: Plain) -> Section:
    """Without any pause between prefill and decode."""
    section = Section(
        "race",
        "The race of prefill and decode",
        f"{_AT_ONCE} requests at a time through kvstore-pd-proxy: each one prefill and at once "
        "decode; prompts of 300 to 600 tokens, none twice. Recomputed are the requests of which "
        "decode did not load all full chunks. LMCache's lookups wait for puts that are announced "
        f"where {_VARIABLE} says so; the master counts the keys whose put it had them wait for.",
        (
            *("store, settings", "requests", "tokens to load", "loaded", "recomputed", "wrong"),
            *("keys awaited", "request, median ms", "p90 ms"),
        ),
    )
    asked = prompts(REQUESTS)
    plain.learn([asking.prompt(*one) for one in asked], _ANSWER, _AT_ONCE)
    for kind, name, variables, count in (
        ("mooncake", "mooncake", {}, _TO_SHOW_IT),
        ("kvstore", "kvstore, not waiting", {_VARIABLE: "0"}, _TO_SHOW_IT),
        ("kvstore", "kvstore, waiting", AWAIT, REQUESTS),
    ):
        ran = _run(environment, plain, section, kind, name, variables, asked[:count])
        if ran.awaited is None:
            continue
        section.check(f"{name}: no answer is wrong", ran.wrong == 0)
        if variables == AWAIT:
            section.check(f"{name}: it did wait", ran.awaited > 0)
            section.check(f"{name}: of {count} requests none was recomputed", ran.recomputed == 0)
        else:
            section.check(f"{name}: it did not wait", ran.awaited == 0)
    return section


def _run(
    environment: Environment,
    plain: Plain,
    section: Section,
    kind: str,
    name: str,
    variables: Mapping[str, str],
    asked: Sequence[tuple[int, int]],
) -> _Ran:
    added = part_pair.FOR_MOONCAKE if kind == "mooncake" else ()
    configs = part_pair.configs_of(environment, _LONG_PUTS, added)
    with Store(environment, kind) as store, ExitStack() as stack:
        packages = [environment.store(kind)]
        worker = deployment.lmcache_worker
        pair = part_pair.start_pair(stack, environment, worker, configs, packages, variables, kind)
        part_pair.warm(pair)
        start = pair.decoder.program.size()
        awaited_before = _awaited(store)
        proxy = stack.enter_context(Proxy(environment, [8100], [8200]))
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            texts = [asking.prompt(*one) for one in asked]
            answers = list(threads.map(lambda text: _timed(proxy, text), texts))
        wait_for(
            "a word on each request in the decoder's log",
            lambda: len(asking.hits(pair.decoder.program, start)) >= len(asked),
        )
        expected = [asking.full_chunks(tokens, deployment.CHUNK) for tokens, _ in asked]
        # A load is told after the lookup; those that found nothing load nothing.
        found = asking.hits(pair.decoder.program, start)
        ids = [answer.request for answer, _ in answers]
        wait_for(
            "a word on each load in the decoder's log",
            lambda: all(
                one in asking.loads(pair.decoder.program, start) for one in ids if found.get(one, 0)
            ),
        )
        loads = asking.loads(pair.decoder.program, start)
        awaited = _awaited(store) - awaited_before if kind == "kvstore" else None
    loaded = [loads[one].loaded if one in loads else 0 for one in ids]
    recomputed = sum(got < want for got, want in zip(loaded, expected, strict=True))
    wrong = sum(
        answer.tokens != plain.answer(asking.prompt(*one), _ANSWER)
        for (answer, _), one in zip(answers, asked, strict=True)
    )
    median, p90 = asking.median_and_p90([seconds * 1000 for _, seconds in answers])
    section.row(
        *(name, len(asked), sum(expected), sum(loaded), recomputed, wrong),
        *("-" if awaited is None else awaited, f"{median:.0f}", f"{p90:.0f}"),
    )
    return _Ran(recomputed, wrong, awaited)


def _awaited(store: Store) -> int:
    return store.metric("kvstore_awaited_puts_total") if store.kind == "kvstore" else 0


def _timed(proxy: Proxy, text: str) -> tuple[asking.Answer, float]:
    """The answer, and how long it took."""
    began = time.monotonic()
    answer = asking.ask(proxy.url, text, _ANSWER)
    return answer, time.monotonic() - began
