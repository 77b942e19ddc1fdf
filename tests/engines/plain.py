"""What a vLLM without any store answers: the measure of every other answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import deployment
from asking import Form, ask
from environment import HERE, Environment
from running import say


class Plain:
    """Answers of a plain vLLM, asked once and kept below ROOT. Thread-compatible."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._file = environment.root / "results" / "plain" / f"{self._made_of()}.json"
        self._known: dict[str, list[int]] = {}
        if self._file.exists():
            self._known = json.loads(self._file.read_text())

    def learn(
        self, prompts: Sequence[str], tokens: int = 16, at_once: int = 1, chat: bool = False
    ) -> None:
        """Asks what is not known yet, of an engine that is started for it."""
        unknown = [
            text for text in dict.fromkeys(prompts) if _key(text, tokens, chat) not in self._known
        ]
        if not unknown:
            return
        say(f"asking a plain vLLM for {len(unknown)} answers")
        with deployment.plain(self._environment) as engine, ThreadPoolExecutor(at_once) as threads:
            engine.wait()
            answers = threads.map(lambda text: ask(engine.url, text, tokens, Form(chat)), unknown)
            for text, answer in zip(unknown, answers, strict=True):
                self._known[_key(text, tokens, chat)] = list(answer.tokens)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self._known))

    def answer(self, text: str, tokens: int = 16, chat: bool = False) -> tuple[int, ...]:
        """Of what was learnt."""
        return tuple(self._known[_key(text, tokens, chat)])

    def _made_of(self) -> str:
        """Another model, or another vLLM, answers otherwise."""
        made = hashlib.sha256()
        model = sorted(self._environment.model.glob("*"))
        for file in (HERE / "pins.txt", HERE / "model.py", *model):
            made.update(file.read_bytes())
        return made.hexdigest()[:16]


def _key(text: str, tokens: int, chat: bool) -> str:
    return f"{'chat-' if chat else ''}{tokens}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
