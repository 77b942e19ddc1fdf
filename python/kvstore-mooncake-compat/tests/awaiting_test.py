"""A decode worker's looks wait for what a prefill worker is just putting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from mooncake._store import patience
from mooncake.store import MooncakeDistributedStore
from pool import PATIENCE, Pool


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(metrics=True) as started:
        yield started


def store(pool: Pool, **more: str) -> MooncakeDistributedStore:
    made = MooncakeDistributedStore()
    config = {"local_hostname": "localhost", "metadata_server": "P2PHANDSHAKE"}
    assert made.setup({**config, "master_server_addr": pool.address, **more}) == 0
    return made


@pytest.mark.parametrize("batch", [False, True], ids=["one by one", "in a batch"])
def test_what_prefill_is_to_put_is_awaited(pool: Pool, batch: bool) -> None:
    keys = [f"{batch}-{i}" for i in range(3)]
    prefill = store(pool)
    decode = store(pool, await_puts_ms="60000")
    assert prefill.is_exist(keys[0]) == 0
    found: list[list[int]] = []

    def look() -> None:
        if batch:
            found.append(decode.batch_is_exist(keys))
        else:
            found.append([decode.is_exist(key) for key in keys])

    looking = threading.Thread(target=look)
    looking.start()
    pool.wait_for_a_wait()
    for key in keys:
        assert prefill.put(key, b"value") == 0
    looking.join(PATIENCE)
    assert found == [[1, 1, 1]]
    prefill.close()
    decode.close()


def test_what_nobody_is_to_put_is_not(pool: Pool) -> None:
    decode = store(pool, await_puts_ms="30000")
    began = time.monotonic()
    assert decode.is_exist("none") == 0
    assert decode.batch_is_exist(["none", "of these"]) == [0, 0]
    assert time.monotonic() - began < 20
    decode.close()


def test_of_a_master_that_is_silent_nothing_is_awaited(pool: Pool) -> None:
    prefill = store(pool)
    decode = store(pool, await_puts_ms="60000")
    assert prefill.is_exist("hung") == 0
    decode._patience._silent = True  # as after a look that has waited for a minute
    pool.master.hang()
    try:
        began = time.monotonic()
        assert decode.is_exist("hung") == 0
        assert decode.batch_is_exist(["hung"]) == [0]
        # 50 ms each; a master that hangs is given up after some 15 s.
        assert time.monotonic() - began < 10
    finally:
        pool.master.resume()
    prefill.close()
    decode.close()


def test_a_look_in_silence_announces_nothing(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decode worker is not to put what it looks for."""
    monkeypatch.setattr(patience, "_LOOK_IN_SILENCE", 20.0)
    first = store(pool, await_puts_ms="60000")
    second = store(pool, await_puts_ms="60000")
    for look in (first.is_exist, lambda key: first.batch_is_exist([key])[0]):
        first._patience._silent = True
        assert look("nobody's") == 0
    assert not first._patience.silent
    began = time.monotonic()
    assert second.is_exist("nobody's") == 0
    assert time.monotonic() - began < 20  # what is announced is, for 30 s
    first.close()
    second.close()


def test_the_environment_says_so_too(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    prefill = store(pool)
    monkeypatch.setenv("KVSTORE_AWAIT_PUTS_MS", "300")
    decode = store(pool)
    monkeypatch.undo()
    assert prefill.is_exist("never") == 0
    began = time.monotonic()
    assert decode.is_exist("never") == 0
    assert time.monotonic() - began >= 0.3
    prefill.close()
    decode.close()


@pytest.mark.parametrize("text", ["soon", "-1", "60001"])
def test_a_time_that_is_none_is_refused(
    pool: Pool, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = {"local_hostname": "localhost", "metadata_server": "P2PHANDSHAKE"}
    made = MooncakeDistributedStore()
    with caplog.at_level("ERROR"):
        assert made.setup({**config, "master_server_addr": pool.address, "await_puts_ms": text})
    assert "await_puts_ms" in caplog.text
