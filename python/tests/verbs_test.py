"""Each verb does what it says, for one object and for many."""

from __future__ import annotations

import math
import threading
import time

import pytest
from pool import PATIENCE, Pool

import kvstore


def test_what_was_put_is_got(client: kvstore.Client, key: str) -> None:
    client.put(key, b"some bytes")
    assert client.get(key) == b"some bytes"
    assert client.get(key.encode()) == b"some bytes"


@pytest.mark.parametrize("size", [0, 1, 16 << 10, (16 << 10) + 1, 3 << 20])
def test_objects_of_any_size(pool: Pool, client: kvstore.Client, key: str, size: int) -> None:
    value = bytes(i % 251 for i in range(size))
    client.put(key, value)
    with kvstore.Client(pool.address) as other:  # to which it is new
        assert other.get(key) == value
        assert other.get(key) == value
        assert other.get_batch([key] * 20) == [value] * 20
    assert client.get(key) == value


def test_keys_are_bytes(client: kvstore.Client, key: str) -> None:
    odd = b"\xff\x00" + key.encode()
    client.put(odd, b"1")
    assert client.exists(odd)
    assert client.get(odd) == b"1"
    with pytest.raises(TypeError):
        client.exists("\ud800")


def test_a_taken_key_is_refused_or_replaced(client: kvstore.Client, key: str) -> None:
    client.put(key, b"old")
    with pytest.raises(kvstore.AlreadyExists) as caught:
        client.put(key, b"new")
    assert caught.value.code is kvstore.Code.ALREADY_EXISTS
    assert caught.value.message
    assert client.get(key) == b"old"
    client.put(key, b"new", kvstore.PutOptions(replace=True))
    assert client.get(key) == b"new"


def test_batches_answer_per_item(client: kvstore.Client, key: str) -> None:
    keys = [f"{key}-{i}" for i in range(40)]
    assert client.put_batch((k, k.encode() * 100) for k in keys[:20]) == [None] * 20
    put = client.put_batch([(keys[0], b"again"), (keys[20], b"")], positions=[0, 7])
    assert isinstance(put[0], kvstore.AlreadyExists)
    assert put[1] is None
    assert client.stat(keys[20]).position == 7
    got = client.get_batch(keys)
    assert got[:20] == [k.encode() * 100 for k in keys[:20]]
    assert got[20] == b""
    assert all(isinstance(error, kvstore.NotFound) for error in got[21:])
    assert client.exists_batch(keys) == [True] * 21 + [False] * 19
    removed = client.remove_batch(keys)
    assert removed[:21] == [None] * 21
    assert all(isinstance(error, kvstore.NotFound) for error in removed[21:])
    assert client.exists_batch([]) == client.get_batch([]) == client.put_batch([]) == []


def test_an_item_named_twice_is_served_twice(client: kvstore.Client, key: str) -> None:
    client.put(key, b"x")
    assert client.get_batch([key, "nothing", key])[::2] == [b"x", b"x"]


def test_parts(client: kvstore.Client, key: str) -> None:
    client.put(key, b"0123456789")
    target = bytearray(4)
    assert client.get_into(key, target, offset=3, length=4) == 4
    assert target == b"3456"
    assert client.get_into(key, target, offset=8) == 2
    assert target[:2] == b"89"
    parts = [bytearray(2), bytearray(3), bytearray(1)]
    sizes = client.get_into_batch(
        [(key, p) for p in parts], offsets=[0, 7, 10], lengths=[2, None, 1]
    )
    assert sizes[:2] == [2, 3]
    assert isinstance(sizes[2], kvstore.InvalidArgument)
    assert parts[:2] == [b"01", b"789"]


def test_stat_tells_what_the_master_knows(client: kvstore.Client, key: str) -> None:
    options = kvstore.PutOptions(
        durable=True, hard_pin=True, ttl=3600, group=key, preferred_nodes=["shelf-0", "nobody"]
    )
    client.put(key, b"12345", options, position=3)
    stat = client.stat(key)
    assert stat.size == 5
    assert stat.durable and stat.hard_pin
    assert 3000 < stat.ttl <= 3600
    assert stat.group == key.encode()
    assert stat.position == 3
    assert 0 <= stat.age < 3600
    assert [replica.node for replica in stat.replicas] == ["shelf-0"]
    assert stat.replicas[0].reserved_bytes >= 5
    client.pin(key)
    assert not client.stat(key).hard_pin
    client.pin(key, soft=100)
    assert 0 < client.stat(key).soft_pin <= 100
    assert isinstance(client.pin_batch([key, "nothing"], hard=True)[1], kvstore.NotFound)
    with pytest.raises(kvstore.NotFound):
        client.stat("nothing")


def test_remove_matching_removes_by_prefix(client: kvstore.Client, key: str) -> None:
    client.put_batch([(f"{key}/{i}", b"x") for i in range(5)])
    client.put(key, b"x")
    assert client.remove_matching(f"{key}/") == 5
    assert client.exists(key)
    client.remove(key)
    with pytest.raises(kvstore.NotFound):
        client.remove(key)


def test_wait_exists_is_told_by_the_commit(client: kvstore.Client, key: str) -> None:
    found: list[list[kvstore.Error | None]] = []
    wait = threading.Thread(
        target=lambda: found.append(client.wait_exists_batch([key, key + "x"], PATIENCE))
    )
    wait.start()
    client.put(key, b"")
    client.put(key + "x", b"")
    wait.join(PATIENCE)
    assert found == [[None, None]]
    with pytest.raises(kvstore.DeadlineExceeded) as caught:
        client.wait_exists("never", 0.05)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(client.wait_exists_batch([key, "never"], 1.2)[1], kvstore.DeadlineExceeded)


def test_what_another_is_to_put_is_awaited(client: kvstore.Client, pool: Pool, key: str) -> None:
    keys = [f"{key}/{i}" for i in range(3)]
    with kvstore.Client(pool.address) as reader:
        began = time.monotonic()  # nobody is to put it: at once
        assert reader.exists_batch(keys, await_puts=25) == [False] * 3
        assert time.monotonic() - began < 20
        assert not client.exists(keys[0])
        found: list[list[bool | kvstore.Error]] = []
        wait = threading.Thread(
            target=lambda: found.append(reader.exists_batch(keys, await_puts=PATIENCE))
        )
        wait.start()
        pool.wait_for_a_wait()
        for one in keys:
            client.put(one, b"value")
        wait.join(PATIENCE)
        assert found == [[True] * 3]
        client.put(key, b"value")
        began = time.monotonic()
        assert not reader.exists(f"{key}/next", await_puts=0.2, after=key)
        assert time.monotonic() - began >= 0.2
        assert not reader.exists(f"{key}/next", await_puts=25, after=key)
        assert time.monotonic() - began < 20
        with pytest.raises(kvstore.InvalidArgument):
            reader.exists(key, await_puts=-1.0)


def test_objects_are_read_in_place(client: kvstore.Client, key: str) -> None:
    client.put(key, b"in place")
    with client.view(key) as view:
        view.verify()
        assert view.size == 8
        assert view.checksum == client.stat(key).checksum
        data = view.data
    assert data.readonly
    client.remove(key)
    client.put_batch([(f"{key}-{i}", bytes(1 << 20)) for i in range(80)])  # pushes what may go
    assert bytes(data) == b"in place"  # the memoryview alone keeps it
    with pytest.raises(kvstore.FailedPrecondition):
        view.verify()
    assert isinstance(client.view_batch([key])[0], kvstore.NotFound)
    client.remove_matching(key)


def test_objects_are_filled_in_place(client: kvstore.Client, key: str) -> None:
    new = client.create(key, 5)
    data = new.data
    data[:] = b"abcde"
    assert not client.exists(key)
    with pytest.raises(kvstore.FailedPrecondition, match="1 buffers"):
        new.seal()  # data could be written once it is sealed
    data.release()
    new.seal()
    assert client.get(key) == b"abcde"
    with pytest.raises(kvstore.FailedPrecondition):
        new.seal()
    with client.create(key + "x", 5) as given_up:
        assert 0 < given_up.seconds_left <= 30
    client.put(key + "x", b"free again")
    made = client.create_batch([(key, 1), (key + "y", 0)])
    assert isinstance(made[0], kvstore.AlreadyExists)
    assert isinstance(made[1], kvstore.NewObject)
    assert made[1].pieces == []
    made[1].seal()
    assert client.get(key + "y") == b""


def test_read_sessions_read_part_by_part(client: kvstore.Client, key: str) -> None:
    client.put(key, b"layer0layer1")
    with client.read_session([key, "nothing"]) as session:
        assert session.sizes[0] == 12
        assert isinstance(session.sizes[1], kvstore.NotFound)
        target = bytearray(6)
        assert session.read(0, target, offset=6) == 6
        assert target == b"layer1"
        with pytest.raises(kvstore.NotFound):
            session.read(1, target)
        with pytest.raises(kvstore.InvalidArgument):
            session.read(7, target)
        client.remove(key)
        client.put(key, b"another one!")
        with pytest.raises(kvstore.Aborted):
            session.read(0, target, length=6)
    with pytest.raises(kvstore.FailedPrecondition):
        session.read(0, target)


def test_lending_and_counters(key: str) -> None:
    with (
        Pool(nodes=0) as pool,
        kvstore.Client(pool.address, name="lender", lend_bytes=16 << 20) as lender,
    ):
        assert lender.name == "lender"
        assert len(lender.incarnation) == 32
        assert lender.lending.bytes == 16 << 20
        assert lender.lending.tcp.startswith("127.0.0.1:")
        lender.put(key, bytes(1000))
        assert lender.stat(key).replicas[0].node == "lender"
        lender.get(key)
        assert lender.counters.puts_ok == 1
        assert lender.counters.bytes_got == 1000
        assert lender.way_counters["local"].bytes_written >= 1000
        lender.lend(32 << 20)
        assert lender.lending.wanted_bytes == 32 << 20
        assert not lender.wait_drained(0.01)


def test_timeouts_may_be_infinite(client: kvstore.Client, key: str) -> None:
    client.put(key, b"x", timeout=math.inf)
    assert client.get(key, timeout=math.inf) == b"x"
    client.wait_exists(key, math.inf)
    for timeout in (0.0, -1.0, math.nan, -math.inf):
        with pytest.raises(kvstore.InvalidArgument):
            client.get(key, timeout=timeout)
        with pytest.raises(kvstore.InvalidArgument):
            client.wait_exists(key, timeout)
