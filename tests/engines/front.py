"""kvstore-pd-proxy before a pair, and requests that go through it all the time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

import asking
from environment import Environment
from running import Failure, Program, wait_for

PORT = 9000


class Proxy(AbstractContextManager["Proxy"]):
    """Ready when it is made. Confined to one thread."""

    def __init__(
        self, environment: Environment, prefillers: Sequence[int], decoders: Sequence[int]
    ) -> None:
        self.url = f"http://127.0.0.1:{PORT}"
        packages = environment.store("kvstore")
        self._program = Program(
            environment.root,
            "proxy",
            [
                *(environment.python, packages / "bin" / "kvstore-pd-proxy"),
                *("--host", "127.0.0.1", "--port", str(PORT)),
                *("--prefiller-port", ",".join(map(str, prefillers))),
                *("--decoder-port", ",".join(map(str, decoders))),
            ],
            environment.variables([packages]),
        )
        self._program.wait_healthy(self.url + "/health")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._program.stop()


@dataclass(frozen=True)
class Outcome:
    """Of one request: the prompt, and its answer or what went wrong."""

    text: str
    answer: asking.Answer | None
    error: str


class Traffic(AbstractContextManager["Traffic"]):
    """Some requests at a time, of these prompts in turn until it is left, with a pause after each.
    Thread-safe."""

    def __init__(self, url: str, prompts: Sequence[str], tokens: int, at_once: int = 2) -> None:
        self._url = url
        self._tokens = tokens
        self.pause = 0.1  # seconds
        self._mutex = threading.Lock()
        self._next = itertools.cycle(prompts)  # guarded by _mutex
        self._outcomes: list[Outcome] = []  # guarded by _mutex
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._go_on) for _ in range(at_once)]
        for thread in self._threads:
            thread.start()

    def count(self) -> int:
        """How many have ended."""
        with self._mutex:
            return len(self._outcomes)

    def more(self, count: int, seconds: float) -> None:
        """Waits for so many more to end. Raises Failure when that takes longer."""
        wanted = self.count() + count
        wait_for(f"{count} more requests", lambda: self.count() >= wanted, seconds)

    def since(self, first: int) -> list[Outcome]:
        with self._mutex:
            return self._outcomes[first:]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _go_on(self) -> None:
        while not self._ending.wait(self.pause):
            with self._mutex:
                text = next(self._next)
            try:
                outcome = Outcome(text, asking.ask(self._url, text, self._tokens), "")
            except Failure as failure:
                outcome = Outcome(text, None, str(failure))
            with self._mutex:
                self._outcomes.append(outcome)
