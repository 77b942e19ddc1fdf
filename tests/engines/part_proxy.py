"""kvstore-pd-proxy before a real pair: completions and chats, whole and as streams."""

from __future__ import annotations

from contextlib import ExitStack

import asking
import deployment
import part_pair
from asking import Form
from deployment import Store
from environment import Environment
from front import Proxy
from plain import Plain
from report import Section

_ANSWER = 16  # tokens
_TOKENS = (40, 300, 512, 777, 1024, 1900)
_FORMS = {
    "completion": Form(),
    "completion, stream": Form(stream=True),
    "chat": Form(chat=True),
    "chat, stream": Form(chat=True, stream=True),
}


def _prompts(at: int) -> list[str]:
    """No two forms share one: what is loaded was stored for that form."""
    return [asking.prompt(tokens, 40_000 + 100 * at + tokens) for tokens in _TOKENS]


def proxy(environment: Environment, plain: Plain) -> Section:
    """The forms by turns, one request after the other."""
    section = Section(
        "proxy",
        "Completions and chats, whole and as streams",
        "The guide's pair behind kvstore-pd-proxy, the four forms by turns; chats have a system "
        "and a user message. Events are those of a stream that bring tokens, of "
        f"{_ANSWER} tokens each.",
        ("form", "requests", "tokens to load", "loaded", "answers equal", "events"),
    )
    for chat in (False, True):
        texts = [
            text
            for at, form in enumerate(_FORMS.values())
            if form.chat == chat
            for text in _prompts(at)
        ]
        plain.learn(texts, _ANSWER, chat=chat)
    expected = {name: 0 for name in _FORMS}
    loaded, equal, events = dict(expected), dict(expected), dict(expected)
    with Store(environment, "kvstore"), ExitStack() as stack:
        pair = part_pair.start_pair(
            stack,
            environment,
            deployment.lmcache_worker,
            part_pair.configs_of(environment),
            [environment.store("kvstore")],
        )
        front = stack.enter_context(Proxy(environment, [8100], [8200]))
        log = pair.decoder.program
        for turn, tokens in enumerate(_TOKENS):
            for at, (name, form) in enumerate(_FORMS.items()):
                text = _prompts(at)[turn]
                start = log.size()
                answer = asking.ask(front.url, text, _ANSWER, form)
                wanted = asking.full_chunks(tokens, deployment.CHUNK)
                expected[name] += wanted
                loaded[name] += asking.loaded(log, answer, start, wanted).loaded
                equal[name] += answer.prompt_tokens == tokens and (
                    answer.tokens == plain.answer(text, _ANSWER, form.chat)
                )
                events[name] += answer.events
    for name, form in _FORMS.items():
        count = len(_TOKENS)
        shown = events[name] if form.stream else "-"
        section.row(name, count, expected[name], loaded[name], equal[name], shown)
        section.check(f"{name}: decode loaded all of it", loaded[name] == expected[name])
        section.check(f"{name}: tokens equal plain vLLM's", equal[name] == count)
        if form.stream:
            # Not held back and handed on as one.
            section.check(f"{name}: several events each", events[name] > 2 * count)
    return section
