"""Removal by patterns ends in its time, whatever they take."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from mooncake._store.matching import Matcher
from mooncake._store.patience import Deadline
from mooncake.store import MooncakeDistributedStore
from pool import PATIENCE, Pool

ENDLESS = "^(a+)+$"
SLOW_KEY = "a" * 200 + "!"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as started:
        yield started


def joined(pool: Pool, timeout: float) -> MooncakeDistributedStore:
    store = MooncakeDistributedStore()
    config = {"local_hostname": "localhost", "metadata_server": "none", "global_segment_size": "0"}
    assert (
        store.setup({**config, "master_server_addr": pool.address, "transfer_timeout": timeout})
        == 0
    )
    return store


def test_a_pattern_that_takes_for_ever(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    store = joined(pool, 10.0)
    assert store.put(SLOW_KEY, b"value") == 0
    counted = 0
    ended = threading.Event()

    def count() -> None:
        nonlocal counted
        while not ended.wait(0.01):
            counted += 1

    beside = threading.Thread(target=count)
    beside.start()
    began = time.monotonic()
    try:
        assert store.remove_by_regex(ENDLESS, True) == -901
    finally:
        ended.set()
        beside.join()
    assert 9.9 < time.monotonic() - began < PATIENCE
    assert counted > 10  # other threads ran meanwhile
    assert "takes too long" in caplog.text
    assert store.is_exist(SLOW_KEY) == 1
    patient = joined(pool, 600.0)
    assert patient.remove_by_regex("^a{200}!$", True) == 1
    patient.close()
    store.close()


def test_a_time_that_is_too_short_for_all_objects(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One time for all pages, not one for each."""
    monkeypatch.setattr("mooncake._store.removal._PAGE", 1)
    store = joined(pool, 600.0)
    keys = [f"short-{i}" for i in range(8)]
    assert store.put_batch(keys, [b"value"] * 8) == 0
    matching = Matcher.matching

    deadline = Deadline(PATIENCE)
    pages = 0

    def slow(self: Matcher, some: list[bytes]) -> list[bytes]:
        """The third page takes all the time that is left."""
        nonlocal pages
        pages += 1
        if pages == 3:
            deadline._until = time.monotonic()
        return matching(self, some)

    monkeypatch.setattr(Matcher, "matching", slow)
    # Another one would be as long.
    deadlines = iter([deadline])
    monkeypatch.setattr(store, "_deadline", lambda: next(deadlines, Deadline(PATIENCE)))
    assert store.remove_by_regex("^short-", True) in (-900, -901)
    monkeypatch.undo()
    assert 0 < sum(store.batch_is_exist(keys)) < 8
    assert store.remove_by_regex("^short-", True) > 0
    store.close()


def test_keys_of_any_bytes(pool: Pool) -> None:
    with Matcher("\u00e9|\udcff", Deadline(PATIENCE)) as matcher:
        keys = [b"", b"\xff", "\u00e9".encode(), b"e\n", b"\x00" * 1024]
        assert matcher.matching(keys) == [b"\xff", "\u00e9".encode()]
        assert matcher.matching([]) == []


def test_a_search_that_ends_or_can_not_be_begun(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = joined(pool, 600.0)
    assert store.put("kept", b"value") == 0
    monkeypatch.setattr(sys, "executable", "/bin/true")
    assert store.remove_by_regex("kept", True) == -1
    assert "has ended" in caplog.text
    monkeypatch.setattr(sys, "executable", "/none/python")
    assert store.remove_by_regex("kept", True) == -1
    monkeypatch.undo()
    assert store.is_exist("kept") == 1
    store.close()
