"""What kvstore's plugins for engines have in common. The plugins themselves are tested where the
engines are (tests/engines/adapters)."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from pool import PATIENCE, Pool
from ports import free_port

import kvstore
from kvstore.plugins import complaints
from kvstore.plugins import link as link_module
from kvstore.plugins.complaints import Complaints
from kvstore.plugins.link import LOCATED_AT_ONCE, Link
from kvstore.plugins.settings import Settings, WrongSetting, bytes_of, settings_of

LOGGER = logging.getLogger("plugins_test")


def test_settings_are_read_from_json_yaml_and_texts() -> None:
    read = settings_of(
        {
            "master": "10.0.0.1:50051",
            "lend_bytes": "4GiB",
            "allow_remote": "true",
            "ways": "shm, tcp",
            "rdma_devices": ["mlx5_0"],
            "get_seconds": "2.5",
            "replicas": 2,
            "name": None,
        },
        "",
    )
    assert read == Settings(
        master="10.0.0.1:50051",
        lend_bytes=4 << 30,
        allow_remote=True,
        ways=("shm", "tcp"),
        rdma_devices=("mlx5_0",),
        get_seconds=2.5,
        replicas=2,
    )


@pytest.mark.parametrize(
    "text, size",
    [(7, 7), ("7", 7), ("7b", 7), ("1.5 KiB", 1536), ("2MB", 2 << 20), ("1t", 1 << 40)],
)
def test_sizes_may_have_units(text: object, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("mastre", "x", "did you mean where.master?"),
        ("colour", "x", "Settings are master, "),
        ("lend_bytes", "4 elephants", "lend_bytes is '4 elephants'"),
        ("lend_bytes", -1, "may not be negative"),
        ("lend_bytes", True, "may be a number of bytes"),
        ("allow_remote", "perhaps", "may be true or false"),
        ("master", 7, "must be a text"),
        ("ways", {"tcp": 1}, "may be a list"),
        ("ways", [1], "must be a text"),
        ("get_seconds", "soon", "get_seconds is 'soon'"),
        ("get_seconds", "nan", "may not be negative, nor endless"),
        ("get_seconds", "inf", "may not be negative, nor endless"),
        ("look_seconds", 0, "no call can be done in no time"),
        ("threads", 0, "may be 1 to 64"),
        ("await_puts_ms", 60001, "60000 is the most"),
        ("replicas", 9, "may be 1 to 8"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: object, said: str) -> None:
    with pytest.raises(WrongSetting) as raised:
        settings_of({name: value}, "where.")
    assert said in str(raised.value)
    assert f"where.{name}" in str(raised.value)


def test_the_same_complaint_is_said_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(complaints.time, "monotonic", lambda: now)
    said = Complaints(LOGGER)
    for _ in range(5):
        said.add("puts failed", "full", 2)
    said.add("gets failed", "late")
    assert [r.getMessage() for r in caplog.records] == [
        "kvstore: puts failed (2 of them): full",
        "kvstore: gets failed (1 of them): late",
    ]
    now += complaints.SECONDS_BETWEEN
    said.add("puts failed", "full", 2)
    assert caplog.records[-1].getMessage() == "kvstore: puts failed (10 of them): full"


def test_a_look_is_answered_for_any_number_of_keys(pool: Pool, client: kvstore.Client) -> None:
    link = Link(Settings(master=pool.address, look_seconds=20.0), LOGGER)
    try:
        keys = [f"look-{i}" for i in range(2 * LOCATED_AT_ONCE + 10)]
        there = [0, 1, LOCATED_AT_ONCE + 3]
        client.put_batch([(keys[i], b"x") for i in there])
        assert [i for i, found in enumerate(link.look(keys)) if found] == there
        assert link.look_prefix(keys) == 2
        client.put_batch([(key, b"x") for key in keys if key not in {keys[i] for i in there}])
        assert link.look_prefix(keys) == len(keys)
        assert link.look_prefix([]) == 0
    finally:
        client.remove_matching("look-")
        link.close()


def test_a_master_that_comes_later_is_joined() -> None:
    address = f"127.0.0.1:{free_port()}"
    joined: list[kvstore.Client] = []
    link = Link(
        Settings(master=address, connect_seconds=2.0, look_seconds=20.0), LOGGER, joined.append
    )
    try:
        assert link.client is None and not link.answers
        assert link.look(["a", "b"]) == [False, False]
        assert link.look_prefix(["a"]) == 0
        with Pool(address=address):
            until = time.monotonic() + PATIENCE
            while link.client is None:
                assert time.monotonic() < until
                time.sleep(0.01)
            assert joined == [link.client]
            link.client.put("a", b"x")
            assert link.look(["a", "b"]) == [True, False]
            assert link.answers
    finally:
        link.close()


def test_a_join_that_fails_is_tried_again() -> None:
    address = f"127.0.0.1:{free_port()}"
    joined: list[kvstore.Client] = []

    def fails_once(client: kvstore.Client) -> None:
        joined.append(client)
        if len(joined) == 1:
            raise RuntimeError("not yet")

    link = Link(Settings(master=address, connect_seconds=2.0), LOGGER, fails_once)
    try:
        with Pool(address=address):
            until = time.monotonic() + PATIENCE
            while link.client is None:
                assert time.monotonic() < until
                time.sleep(0.01)
            assert joined[1:] == [link.client]
            with pytest.raises(kvstore.FailedPrecondition):
                joined[0].exists("closed")
    finally:
        link.close()


def test_a_silent_master_is_waited_for_once(caplog: pytest.LogCaptureFixture) -> None:
    with Pool() as pool:
        link = Link(Settings(master=pool.address, look_seconds=3.0, put_seconds=20.0), LOGGER)
        try:
            assert link.look(["a"]) == [False]
            assert link.seconds_of(20.0) == 20.0
            pool.master.hang()
            assert link.look(["a"]) == [False]
            assert not link.answers
            assert link.seconds_of(20.0) < 2.0
            assert link.seconds_of_looks < 0.1
            pool.master.resume()
            until = time.monotonic() + PATIENCE
            while not link.answers:
                link.look(["a"])
                assert time.monotonic() < until
                time.sleep(0.01)
            assert link.seconds_of(20.0) == 20.0
            assert "looks were not answered" in caplog.text
        finally:
            link.close()


def test_a_master_that_answers_late_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later than looks in silence wait: an engine's own would never be answered."""
    monkeypatch.setattr(link_module, "_LOOK_IN_SILENCE", 1e-6)
    with Pool() as pool:
        link = Link(Settings(master=pool.address, look_seconds=3.0), LOGGER)
        try:
            pool.master.hang()
            assert link.look(["a"]) == [False]
            assert not link.answers
            pool.master.resume()
            until = time.monotonic() + PATIENCE
            while not link.answers:
                assert time.monotonic() < until
                time.sleep(0.01)
            assert link.seconds_of_looks == 3.0
            # And once more.
            pool.master.hang()
            link.look(["a"])
            assert not link.answers
            pool.master.resume()
            while not link.answers:
                assert time.monotonic() < until + PATIENCE
                time.sleep(0.01)
        finally:
            link.close()


def test_settings_that_can_never_do_are_raised(pool: Pool) -> None:
    with pytest.raises(kvstore.InvalidArgument):
        Link(Settings(master=pool.address, ways=("carrier-pigeon",)), LOGGER)


def test_a_look_waits_for_a_put_that_is_announced(pool: Pool) -> None:
    """As decode workers look: a prefill worker has asked for the keys in vain, and puts them."""
    prefill = Link(Settings(master=pool.address, look_seconds=20.0), LOGGER)
    patient = Settings(master=pool.address, look_seconds=20.0, await_puts_ms=60_000)
    decode = Link(patient, LOGGER)
    try:
        keys = [f"awaited-{i}" for i in range(3)]
        assert prefill.look_prefix(keys) == 0
        found: list[int] = []
        looking = threading.Thread(target=lambda: found.append(decode.look_prefix(keys)))
        looking.start()
        pool.wait_for_a_wait()
        assert prefill.client
        assert prefill.client.put_batch([(key, b"x") for key in keys]) == [None] * 3
        looking.join(PATIENCE)
        assert found == [3]
        # What nobody announced is not waited for, and a decode worker announces nothing.
        began = time.monotonic()
        assert decode.look(["nobody's"]) == [False]
        assert decode.look_again(["nobody's", "awaited-0"]) == [False, True]
        other = Link(patient, LOGGER)
        assert other.look(["nobody's"]) == [False]
        other.close()
        assert time.monotonic() - began < 60
    finally:
        prefill.close()
        decode.close()


def test_the_environment_says_how_long_looks_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVSTORE_AWAIT_PUTS_MS", "1500")
    assert settings_of({}, "").await_puts_ms == 1500
    assert settings_of({"await_puts_ms": 0}, "").await_puts_ms == 0
    monkeypatch.setenv("KVSTORE_AWAIT_PUTS_MS", "soon")
    with pytest.raises(WrongSetting):
        settings_of({}, "")
