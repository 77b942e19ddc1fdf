"""Workers die one after the other, and come back, under load."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from scripted import PATIENCE, Engine, Proxy, serving

ROUNDS = 6
CLIENTS = 8


def test_no_request_is_lost_while_one_of_each_is_there() -> None:
    """Answers that are no streams are all whole; a stream is whole, or ends with an error."""
    ps, ds = [Engine("p0"), Engine("p1")], [Engine("d0"), Engine("d1")]
    with serving(ps, ds) as proxy:
        over = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(ask_until, over, proxy, i % 2 == 0) for i in range(CLIENTS)]
            try:
                for i in range(ROUNDS):
                    die_and_come_back(proxy, ps[i % 2], ds[i % 2])
            finally:
                over.set()
            answered = sum(client.result(PATIENCE) for client in clients)
        assert answered > 10 * ROUNDS
        assert proxy.metric("kvstore_pd_requests_running") == 0


def die_and_come_back(proxy: Proxy, *engines: Engine) -> None:
    """In the midst of requests."""
    for engine in engines:
        engine.wait_asked(len(engine.seen) + 5)
        engine.stop()
    wait_for(lambda: not any(up(proxy, engine) for engine in engines))
    for engine in engines:
        engine.start()
    wait_for(lambda: all(up(proxy, engine) for engine in engines))


def ask_until(over: threading.Event, proxy: Proxy, stream: bool) -> int:
    """How many answers there were."""
    done = 0
    while not over.is_set():
        answer = proxy.post({"prompt": "hello", "stream": stream})
        body = answer.read().decode()
        assert answer.status == 200, body
        if stream:
            last = body.rstrip().rpartition("data: ")[2]
            assert last == "[DONE]" or "error" in json.loads(last), body
        else:
            assert json.loads(body)["choices"]
        done += 1
    return done


def up(proxy: Proxy, engine: Engine) -> bool:
    state = json.loads(proxy.get("/health").read())
    workers = [*state["prefill"], *state["decode"]]
    (mine,) = [each for each in workers if each["worker"].endswith(f":{engine.port}")]
    return bool(mine["up"])


def wait_for(what: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if what():
            return
        pause.wait(0.02)
    raise AssertionError("it never happened")
