"""Masters, nodes and workers are killed while requests go through the proxy."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import asking
import deployment
import part_pair
from deployment import Engine, Store
from environment import Environment
from front import Proxy, Traffic
from part_race import AWAIT
from plain import Plain
from report import Section
from running import Failure, say

_ANSWER = 8  # tokens
_SOON = 240.0  # seconds, for requests while an engine starts beside them
_PROMPTS = [(300 + 37 * at, 30_000 + at) for at in range(40)]
# Not in the store before they are asked for, to see whether it stores and loads again.
_NEW = [(600, 31_000 + at) for at in range(150)]
# Asked of prefill alone, before something is killed, so many each time; of one to four chunks.
_KEPT = [(256 * (1 + at % 4) + 40, 32_000 + at) for at in range(64)]
_AT_A_TIME = 6
_SECOND_DECODER = 8201
# Seconds after each request: engines that start need processors, too.
_PAUSE = 0.1
_PAUSE_OF_STARTS = 2.0


class Scene:
    """Two nodes that lend memory, a prefill worker and two decode workers that lend none, and the
    proxy. Confined to one thread."""

    def __init__(self, environment: Environment, plain: Plain, stack: ExitStack) -> None:
        self.environment = environment
        self.plain = plain
        self.stack = stack
        self.fresh = iter(_NEW)
        self.unkept = iter(_KEPT)
        self.store = stack.enter_context(Store(environment, "kvstore"))
        self.nodes = [self.store.start_node(name, 256 << 20) for name in ("shelf-1", "shelf-2")]
        changes = {"global_segment_size": "0"}
        self.configs = part_pair.configs_of(environment, changes)
        self.prefiller = self.worker("prefiller")
        self.decoders = [self.worker("decoder"), self.worker("decoder-2", _SECOND_DECODER)]
        for engine in (self.prefiller, *self.decoders):
            engine.wait()
        self.proxy = stack.enter_context(
            Proxy(environment, [deployment.PORTS["prefiller"]], [8200, _SECOND_DECODER])
        )

    def worker(self, name: str, port: int | None = None) -> Engine:
        role = name.partition("-")[0]
        engine = deployment.lmcache_worker(
            self.environment,
            role,
            self.configs[0 if role == "prefiller" else 1],
            [self.environment.store("kvstore")],
            AWAIT if role == "decoder" else {},
            name,
            port,
        )
        return self.stack.enter_context(engine)

    def hits(self, prompts: list[tuple[int, int]]) -> int:
        """How many of these, asked through the proxy, decode loads in full."""
        done = 0
        for tokens, seed in prompts:
            starts = [engine.program.size() for engine in self.decoders]
            answer = asking.ask(self.proxy.url, asking.prompt(tokens, seed), _ANSWER)
            expected = asking.full_chunks(tokens, deployment.CHUNK)
            for engine, start in zip(self.decoders, starts, strict=True):
                if answer.request in asking.hits(engine.program, start):
                    load = asking.loaded(engine.program, answer, start, expected)
                    done += load.loaded == expected
        return done

    def keep(self) -> list[tuple[int, int]]:
        """Prompts that nobody else asks for, and that are stored now: decode has loaded them."""
        kept: list[tuple[int, int]] = []
        for one in self.unkept:
            asking.ask(self.prefiller.url, asking.prompt(*one), 1)
            # Its lookups wait for this put, as long as they may; decode workers put nothing.
            full, _ = self.still([one], self.decoders[0])
            kept += [one] * full
            if len(kept) == _AT_A_TIME:
                return kept
        raise Failure("hardly anything that the prefill worker computes is stored")

    def still(self, kept: Sequence[tuple[int, int]], decoder: Engine) -> tuple[int, int]:
        """How many of these, asked of a decode worker itself, it loads in full, and how many it
        answers rightly."""
        full = right = 0
        for tokens, seed in kept:
            text, start = asking.prompt(tokens, seed), decoder.program.size()
            answer = asking.ask(decoder.url, text, _ANSWER)
            expected = asking.full_chunks(tokens, deployment.CHUNK)
            full += asking.loaded(decoder.program, answer, start, expected).loaded == expected
            right += answer.tokens == self.plain.answer(text, _ANSWER)
        return full, right

    def until_hits(self, count: int, seconds: float) -> float:
        """Asks new prompts until so many in a row were loaded in full; how long that took, or
        infinity."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            wanted = list(itertools.islice(self.fresh, count))
            if len(wanted) < count:
                return float("inf")
            if self.hits(wanted) == count:
                return time.monotonic() - began
        return float("inf")


def faults(environment: Environment, plain: Plain) -> Section:
    """One after the other, each under running requests."""
    section = Section(
        "faults",
        "Faults under running requests",
        "kvstore_node lends the memory, workers lend none; kvstore-pd-proxy before one prefill and "
        "two decode workers; two requests at a time all along. Killed means SIGKILL. New prompts "
        "hit again when three in a row were stored and loaded in full. Stored before are prompts "
        "that prefill alone was asked for, before it was killed or started; they are asked of a "
        "decode worker itself afterwards (the one that was started, where it was). There is one "
        "copy: what lay on a killed node is computed again.",
        (
            *("what", "requests meanwhile", "failed", "wrong", "stored before: loaded"),
            "new prompts hit again after",
        ),
    )
    plain.learn([asking.prompt(*one) for one in _PROMPTS + _NEW + _KEPT], _ANSWER, 4)
    with ExitStack() as stack:
        scene = Scene(environment, plain, stack)
        texts = [asking.prompt(*one) for one in _PROMPTS]
        with Traffic(scene.proxy.url, texts, _ANSWER) as traffic:
            for what, act in (
                ("nothing", lambda scene: None),
                ("master killed, and started again", _restart_master),
                ("a node killed", _kill_node),
                ("the node started again", _start_node),
                ("the prefill worker killed", lambda scene: scene.prefiller.kill()),
                ("the prefill worker started again", _start_prefiller),
                ("a decode worker killed", lambda scene: scene.decoders[1].kill()),
                ("the decode worker started again", _start_decoder),
            ):
                _stage(section, scene, traffic, what, act)
    return section


def _stage(
    section: Section,
    scene: Scene,
    traffic: Traffic,
    what: str,
    act: Callable[[Scene], object],
) -> None:
    say(what)
    traffic.more(5, _SOON)
    # Without a prefill worker nothing new is stored.
    kept = scene.keep() if what != "the prefill worker started again" else []
    first = traffic.count()
    traffic.pause = _PAUSE_OF_STARTS if what.endswith("worker started again") else _PAUSE
    act(scene)
    traffic.pause = _PAUSE
    traffic.more(20, _SOON)
    loaded, right = scene.still(kept, scene.decoders[1 if what.startswith("the decode") else 0])
    storing = what != "the prefill worker killed"
    seconds = scene.until_hits(3, 60) if storing else 0.0
    outcomes = traffic.since(first)
    failed = [one for one in outcomes if one.answer is None]
    wrong = [
        one
        for one in outcomes
        if one.answer and one.answer.tokens != scene.plain.answer(one.text, _ANSWER)
    ]
    again = "never" if seconds == float("inf") else f"{seconds:.1f} s"
    again = again if storing else "-"
    still = f"{loaded} of {len(kept)}" if kept else "-"
    section.row(what, len(outcomes), len(failed), len(wrong), still, again)
    section.check(f"{what}: no request failed{_first(failed)}", not failed)
    section.check(f"{what}: no answer is wrong", not wrong and right == len(kept))
    if kept and what != "a node killed":
        section.check(f"{what}: all that was stored before is loaded", loaded == len(kept))
    if storing:
        section.check(f"{what}: new prompts hit again within a minute", seconds < 60)


def _first(failed: list) -> str:
    return f" ({failed[0].error[:300]})" if failed else ""


def _restart_master(scene: Scene) -> None:
    scene.store.restart_master()


def _kill_node(scene: Scene) -> None:
    scene.nodes[0].kill()


def _start_node(scene: Scene) -> None:
    scene.nodes[0] = scene.store.start_node("shelf-1", 256 << 20)


def _start_prefiller(scene: Scene) -> None:
    scene.prefiller = scene.worker("prefiller").wait()


def _start_decoder(scene: Scene) -> None:
    scene.decoders[1] = scene.worker("decoder-2", _SECOND_DECODER).wait()
