"""The guide's pair with LMCache, on kvstore and on Mooncake, and by vLLM's own connector."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asking
import deployment
from deployment import Engine, Store
from environment import Environment
from plain import Plain
from report import Section
from running import say

# Tokens and seed: around the bounds of chunks, and long ones that begin as shorter ones did.
PROMPTS = (
    *((40, 1), (255, 2), (256, 3), (257, 4), (300, 5), (511, 6), (512, 7), (600, 8), (777, 9)),
    *((1024, 10), (1279, 11), (1500, 8), (1900, 9)),
    # Again: the prefill worker finds these itself.
    *((600, 8), (1500, 8), (300, 5), (1900, 9), (1024, 10)),
)
# LMCache's prefill answers before its put has ended: what decode workers on kvstore are told to
# wait for, as long as it takes on a busy machine.
AWAIT = {"KVSTORE_AWAIT_PUTS_MS": "10000"}
# Mooncake's can't be told so. What is found after such a pause is reported, and not checked.
_PAUSE_FOR_MOONCAKE = 0.5  # seconds
Worker = Callable[[Environment, str, Path, Sequence[Path], Mapping[str, str]], Engine]
PREFILLER, DECODER = "mooncake-prefiller-config.yaml", "mooncake-decoder-config.yaml"
# What Mooncake's wheel knows the guide's keys by.
FOR_MOONCAKE = (
    'mooncake_master_server_addr: "127.0.0.1:50052"',
    'mooncake_rdma_devices: ""',
)


@dataclass(frozen=True)
class Asked:
    """One prompt that went through a pair."""

    tokens: int
    expected: int  # tokens that the store can hold of it
    loaded: int | None  # as LMCache's log says, where it does
    counted: int  # as vLLM's counter does
    milliseconds: float  # LMCache's own time for loading them
    equal: bool  # its answer, to plain vLLM's

    @property
    def countable(self) -> int:
        """vLLM computes the last token of a prompt in any case."""
        return min(self.expected, self.tokens - 1)

    @property
    def full(self) -> bool:
        return self.loaded in (None, self.expected) and self.counted == self.countable


class Pair:
    """A pair of workers that is ready. `stored` waits until so many chunks are stored, where decode
    does not wait for them itself. Confined to one thread."""

    def __init__(
        self,
        prefiller: Engine,
        decoder: Engine,
        stored: Callable[[int], object] = lambda chunks: None,
    ) -> None:
        self.prefiller = prefiller
        self.decoder = decoder
        self._stored = stored
        self._chunks: set[tuple[int, int]] = set()

    def prefill(self, tokens: int, seed: int, unit: int = deployment.CHUNK) -> None:
        asking.ask(self.prefiller.url, asking.prompt(tokens, seed), 1)
        # Prompts of a seed begin alike, and share their chunks.
        self._chunks |= {(seed, chunk) for chunk in range(tokens // unit)}
        self._stored(len(self._chunks))


def start_pair(
    stack: ExitStack,
    environment: Environment,
    worker: Worker,
    configs: tuple[Path, Path],
    packages: Sequence[Path],
    of_decoder: Mapping[str, str] = {},
    kind: str = "kvstore",
) -> Pair:
    """Both at once; the stack stops them."""
    began = time.monotonic()
    first = stack.enter_context(worker(environment, "prefiller", configs[0], packages, {}))
    awaits = AWAIT if kind == "kvstore" else {}
    variables = {**awaits, **of_decoder}
    second = stack.enter_context(worker(environment, "decoder", configs[1], packages, variables))
    first.wait()
    second.wait()
    say(f"the pair is up after {time.monotonic() - began:.0f} s")
    if kind == "kvstore":
        return Pair(first, second)
    return Pair(first, second, lambda chunks: time.sleep(_PAUSE_FOR_MOONCAKE))


def ask_pair(
    pair: Pair,
    plain: Plain,
    prompts: Sequence[tuple[int, int]],
    unit: int = deployment.CHUNK,
    by_log: bool = True,
) -> list[Asked]:
    """One by one, as the guide's proxy does: prefill, then decode. What was loaded is told by
    LMCache's log, where it is in the engine, and by vLLM's counter."""
    done = []
    for tokens, seed in prompts:
        text = asking.prompt(tokens, seed)
        expected = asking.full_chunks(tokens, unit)
        if unit == deployment.BLOCK:  # vLLM's own connector leaves the last token's block to vLLM
            expected = asking.full_chunks(tokens - 1, unit)
        pair.prefill(tokens, seed, unit)
        log, url = pair.decoder.program, pair.decoder.url
        before, start = asking.counted(url), log.size()
        answer = asking.ask(url, text)
        counted = asking.counted(url) - before
        load = asking.loaded(log, answer, start, expected) if by_log else None
        done.append(
            Asked(
                tokens,
                expected,
                load.loaded if load else None,
                counted,
                load.milliseconds if load else 0.0,
                answer.tokens == plain.answer(text),
            )
        )
    return done


def warm(pair: Pair) -> None:
    """The first requests of an engine take seconds more."""
    for seed in range(900, 904):
        pair.prefill(600, seed)
        asking.ask(pair.decoder.url, asking.prompt(600, seed))


def learn(plain: Plain) -> None:
    plain.learn([asking.prompt(tokens, seed) for tokens, seed in PROMPTS])


def summary(section: Section, name: str, asked: Sequence[Asked], checked: bool = True) -> None:
    """A row for these, and the checks."""
    by_log = all(one.loaded is not None for one in asked)
    times = [one.milliseconds for one in asked if one.loaded]
    median, p90 = asking.median_and_p90(times)
    section.row(
        name,
        len(asked),
        sum(one.expected for one in asked),
        sum(one.loaded or 0 for one in asked) if by_log else "-",
        sum(one.countable for one in asked),
        sum(one.counted for one in asked),
        sum(one.equal for one in asked),
        f"{median:.1f}" if times else "-",
        f"{p90:.1f}" if times else "-",
    )
    if not checked:
        return
    if by_log:
        section.check(
            f"{name}: decode loaded all that a store can hold of each prompt",
            all(one.loaded == one.expected for one in asked),
        )
    section.check(
        f"{name}: vLLM counts so many tokens of each prompt as come from the store",
        all(one.counted == one.countable for one in asked),
    )
    section.check(f"{name}: its tokens equal plain vLLM's", all(one.equal for one in asked))


COLUMNS = (
    *("store, settings", "prompts", "tokens to load", "loaded", "vLLM is to count", "counted"),
    *("answers equal", "load, median ms", "p90 ms"),
)


def guide(environment: Environment, plain: Plain) -> Section:
    """The guide's own files, word for word, and with the other form of chunks."""
    section = Section(
        "guide",
        "The guide's pair, with its own configuration, on kvstore",
        "LMCache by `mooncakestore://`; examples/engines/mooncake-*-config.yaml, smaller. Decode "
        "is asked as soon as prefill has answered, with KVSTORE_AWAIT_PUTS_MS. vLLM counts what it "
        "is spared, and computes the last token of a prompt in any case.",
        COLUMNS,
    )
    learn(plain)
    packages = [environment.store("kvstore")]
    for name, changes in (
        ("word for word", {}),
        ("save_chunk_meta: True", {"save_chunk_meta": "True"}),
    ):
        configs = configs_of(environment, changes)
        with Store(environment, "kvstore"), ExitStack() as stack:
            pair = start_pair(stack, environment, deployment.lmcache_worker, configs, packages)
            warm(pair)
            summary(section, name, ask_pair(pair, plain, PROMPTS))
    return section


def zeroed(environment: Environment, plain: Plain) -> Section:
    """What is loaded is zeroed before decode uses it."""
    section = Section(
        "zeroed",
        "Decode computes from what it loads",
        "The same pair; what decode loaded is overwritten with zeros before it is used.",
        ("prompt, tokens", "loaded", "answer"),
    )
    learn(plain)
    prompts = [(tokens, seed) for tokens, seed in PROMPTS[:13] if tokens >= deployment.CHUNK]
    with Store(environment, "kvstore"), ExitStack() as stack:
        pair = start_pair(
            stack,
            environment,
            deployment.lmcache_worker,
            configs_of(environment),
            [environment.store("kvstore")],
            of_decoder={"ENGINES_ZERO_LOADED": "1"},
        )
        for one in ask_pair(pair, plain, prompts):
            section.row(one.tokens, one.loaded, "equal" if one.equal else "differs")
            section.check(
                f"{one.tokens} tokens: loaded, and another answer than plain vLLM's",
                one.loaded == one.expected and not one.equal,
            )
    return section


def beside(environment: Environment, plain: Plain, rounds: int = 2) -> Section:
    """Both stores by turns."""
    section = Section(
        "beside",
        "kvstore beside Mooncake",
        f"The same pair and prompts, the stores by turns, {rounds} rounds each; new engines for "
        "each. The time is LMCache's own for loading what a request needs (`Retrieved ... cost`). "
        f"Mooncake gets the two keys more that it needs, and {_PAUSE_FOR_MOONCAKE} s after each "
        "prefill: its row is reported, and not checked.",
        COLUMNS,
    )
    learn(plain)
    found: dict[str, list[Asked]] = {"kvstore": [], "mooncake": []}
    for _ in range(rounds):
        for kind, asked in found.items():
            added = FOR_MOONCAKE if kind == "mooncake" else ()
            configs = configs_of(environment, added=added)
            with Store(environment, kind), ExitStack() as stack:
                packages = [environment.store(kind)]
                worker = deployment.lmcache_worker
                pair = start_pair(stack, environment, worker, configs, packages, kind=kind)
                warm(pair)
                asked += ask_pair(pair, plain, PROMPTS)
    for kind, asked in found.items():
        summary(section, kind, asked, checked=kind == "kvstore")
    return section


def plugin(environment: Environment, plain: Plain) -> Section:
    """kvstore's own plugin in place of the drop-in."""
    section = Section(
        "plugin",
        "The pair with kvstore's own plugin for LMCache",
        "examples/engines/lmcache-plugin.yaml, smaller; both forms of chunks, and nothing that is "
        "named mooncake.",
        COLUMNS,
    )
    learn(plain)
    for form in ("False", "True"):
        changes = {
            "kvstore.master": f'"127.0.0.1:{deployment.MASTER_PORT}"',
            "kvstore.lend_bytes": str(256 << 20),
            "save_chunk_meta": form,
        }
        config = deployment.example(environment, "lmcache-plugin.yaml", changes)
        with Store(environment, "kvstore"), ExitStack() as stack:
            packages = [environment.store("kvstore")]
            worker = deployment.lmcache_worker
            pair = start_pair(stack, environment, worker, (config, config), packages)
            warm(pair)
            summary(section, f"save_chunk_meta: {form}", ask_pair(pair, plain, PROMPTS))
    return section


def vllm_connector(environment: Environment, plain: Plain) -> Section:
    """vLLM's own MooncakeStoreConnector, as it is."""
    section = Section(
        "vllm",
        "vLLM's own MooncakeStoreConnector",
        "examples/engines/vllm-mooncake-store.json; no LMCache, and no module of ours. What was "
        "loaded is what vLLM counted. On kvstore decode waits for puts that are announced; after "
        f"prefill on Mooncake is a pause of {_PAUSE_FOR_MOONCAKE} s, and its row is not checked.",
        COLUMNS,
    )
    learn(plain)
    config = deployment.example(environment, "vllm-mooncake-store.json")
    for kind in ("kvstore", "mooncake"):
        with Store(environment, kind), ExitStack() as stack:
            pair = start_pair(
                stack,
                environment,
                deployment.mooncake_store_worker,
                (config, config),
                [environment.store(kind)],
                kind=kind,
            )
            warm(pair)
            asked = ask_pair(pair, plain, PROMPTS, deployment.BLOCK, False)
            summary(section, kind, asked, checked=kind == "kvstore")
    return section


def mistaken(environment: Environment, plain: Plain) -> Section:
    """A wrong master and a key that nobody knows are named."""
    section = Section(
        "mistaken",
        "What is wrong in a configuration is named",
        "The line of the worker's log, for each mistake, and of `kvctl explain` for a hash seed. "
        "The workers answer all the same.",
        ("mistake", "line"),
    )
    packages = [environment.store("kvstore")]
    text = asking.prompt(300, 5)
    learn(plain)
    for mistake, changes, added, wanted in (
        ("no master there", {"master_server_address": '"127.0.0.1:50059"'}, (), "127.0.0.1:50059"),
        ("a key with a slip", {}, ("mooncake_rdma_device: mlx5_0",), "rdma_device"),
    ):
        config = deployment.example(environment, PREFILLER, changes, added)
        with Store(environment, "kvstore"):
            engine = deployment.lmcache_worker(environment, "prefiller", config, packages)
            with engine:
                engine.wait()
                answer = asking.ask(engine.url, text)
                lines = [
                    line
                    for line in engine.program.text().splitlines()
                    if "store" in line and wanted in line and "LMCache INFO" not in line
                ]
        section.row(mistake, lines[0][-300:] if lines else "none")
        section.check(f"{mistake}: named in the log, once", len(lines) == 1)
        section.check(f"{mistake}: the answer is right", answer.tokens == plain.answer(text))
    _other_seed(environment, plain, section)
    return section


def _other_seed(environment: Environment, plain: Plain, section: Section) -> None:
    """Workers that hash tokens otherwise never find what the other has put."""
    with Store(environment, "kvstore") as store, ExitStack() as stack:
        pair = start_pair(
            stack,
            environment,
            deployment.lmcache_worker,
            configs_of(environment),
            [environment.store("kvstore")],
            of_decoder={"PYTHONHASHSEED": "7"},
        )
        asked = ask_pair(pair, plain, PROMPTS[4:10])
        said = store.kvctl("explain")
    named = [line.strip() for line in said.splitlines() if "PYTHONHASHSEED" in line]
    section.row("another PYTHONHASHSEED", named[0] if named else "none")
    nothing = all(one.loaded == 0 and one.equal for one in asked)
    section.check("another PYTHONHASHSEED: nothing is loaded, answers are right", nothing)
    section.check("another PYTHONHASHSEED: kvctl explain names it", named)


def configs_of(
    environment: Environment, changes: Mapping[str, str] = {}, added: Sequence[str] = ()
) -> tuple[Path, Path]:
    return (
        deployment.example(environment, PREFILLER, changes, added),
        deployment.example(environment, DECODER, changes, added),
    )
