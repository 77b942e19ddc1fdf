"""Clients begin and end in any order, and leave nothing behind."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import textwrap
import weakref

import pytest
from pool import PATIENCE, Pool

import kvstore


def run(pool: Pool, script: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in an interpreter of its own; MASTER is the pool's address."""
    head = f"import kvstore, os, sys, threading\nMASTER = {pool.address!r}\n"
    return subprocess.run(
        [sys.executable, *flags, "-c", head + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )


def check_silent(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_closed_client_says_so(pool: Pool) -> None:
    with kvstore.Client(pool.address) as client:
        assert not client.closed
    assert client.closed
    client.close()
    for call in (lambda: client.get("k"), lambda: client.name, lambda: client.view_batch(["k"])):
        with pytest.raises(kvstore.FailedPrecondition, match="closed"):
            call()


def test_what_was_handed_out_outlives_a_close(pool: Pool, key: str) -> None:
    with kvstore.Client(pool.address) as client:
        client.put(key, b"0123456789")
        view = client.view(key)
        session = client.read_session([key])
        new = client.create(key + "x", 3)
    data = view.data
    view.close()
    assert data == b"0123456789"
    target = bytearray(10)
    assert session.read(0, target) == 10
    new.pieces[0][:] = b"abc"
    new.seal()
    with kvstore.Client(pool.address) as other:
        assert other.get(key + "x") == b"abc"


def test_a_dropped_client_leaves(pool: Pool) -> None:
    client = kvstore.Client(pool.address)
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "script",
    [
        "client = kvstore.Client(MASTER, lend_bytes=16 << 20); client.put(b'end', b'')",
        "cycle = [kvstore.Client(MASTER)]; cycle.append(cycle)",
        """
        client = kvstore.Client(MASTER)
        client.put("kept", b"x", kvstore.PutOptions(replace=True))
        view = client.view("kept"); data = view.data; new = client.create("never sealed", 9)
        more = new.data; session = client.read_session(["kept"])
        """,
        """
        client = kvstore.Client(MASTER)
        def wait():
            client.wait_exists("never", 1000)
        for _ in range(3):
            threading.Thread(target=wait, daemon=True).start()
        """,
        """
        client = kvstore.Client(MASTER)
        def work(key):
            while True:
                client.put(key, b"x" * 1000, kvstore.PutOptions(replace=True))
                client.get(key)
        for i in range(3):
            threading.Thread(target=work, args=(f"loop{i}",), daemon=True).start()
        import time; time.sleep(0.2)
        """,
        "client = kvstore.Client(MASTER); sys.exit(0)",
    ],
    ids=["open", "cycle", "handed-out", "waiting", "working", "exit"],
)
def test_the_interpreter_ends_cleanly(pool: Pool, script: str) -> None:
    check_silent(run(pool, script))


def test_ctrl_c_ends_a_wait(pool: Pool) -> None:
    done = run(
        pool,
        """
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
        client = kvstore.Client(MASTER)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            client.wait_exists("never", 1000)
        except KeyboardInterrupt:
            sys.exit(7)
        """,
    )
    assert (done.returncode, done.stderr) == (7, "")


def test_a_forked_child_is_refused_and_harms_nobody(pool: Pool) -> None:
    check_silent(
        run(
            pool,
            """
            client = kvstore.Client(MASTER)
            client.put("before", b"x", kvstore.PutOptions(replace=True))
            view, session = client.view("before"), client.read_session(["before"])
            child = os.fork()
            if child == 0:
                for call in (lambda: client.get("before"), lambda: kvstore.Client(MASTER)):
                    try:
                        call()
                        os._exit(1)
                    except kvstore.FailedPrecondition:
                        pass
                del view, session
                client.close()
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert view.data == client.get("before") == b"x"
            """,
        )
    )


def test_children_made_by_spawn_are_members_of_their_own(pool: Pool) -> None:
    check_silent(
        run(
            pool,
            """
            import multiprocessing
            client = kvstore.Client(MASTER)
            client.put("for children", b"x", kvstore.PutOptions(replace=True))
            with multiprocessing.get_context("spawn").Pool(1) as workers:
                code = f"import kvstore; value = kvstore.Client({MASTER!r}).get('for children')"
                assert workers.apply(exec, (code + "; assert value == b'x'",)) is None
            """,
        )
    )


ORDERS = [
    "torch, grpc, google.protobuf.descriptor_pool, kvstore",
    "kvstore, google.protobuf.descriptor_pool, grpc, torch",
    "grpc, kvstore, torch, google.protobuf.descriptor_pool",
    "torch, kvstore, google.protobuf.descriptor_pool, grpc",
]


@pytest.mark.parametrize("order", ORDERS)
def test_it_shares_a_process_with_other_users_of_grpc(pool: Pool, order: str) -> None:
    for module in ("torch", "grpc", "google.protobuf"):
        pytest.importorskip(module)
    check_silent(
        run(
            pool,
            f"""
            import {order}
            from google.protobuf import struct_pb2
            with kvstore.Client(MASTER) as client:
                client.put("tensor", torch.ones(100), kvstore.PutOptions(replace=True))
                channel = grpc.insecure_channel(MASTER)
                grpc.channel_ready_future(channel).result(60)
                message = struct_pb2.Struct()
                message.update({{"a": [1, 2]}})
                assert struct_pb2.Struct.FromString(message.SerializeToString()) == message
                assert client.get("tensor") == torch.ones(100).numpy().tobytes()
                torch.ones(64, 64) @ torch.ones(64, 64)
                channel.close()
            """,
            "-W",
            "ignore",
        )
    )


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def test_calls_leak_nothing(client: kvstore.Client, key: str) -> None:
    """10^5 calls of all kinds, failing ones among them, keep less than 16 bytes each."""
    target = bytearray(100)
    replace = kvstore.PutOptions(replace=True)

    def calls(rounds: int) -> None:
        for _ in range(rounds):
            client.put(key, target, replace)
            client.get(key)
            client.get_into(key, target)
            client.exists(key)
            client.get_batch([key, "nothing"])
            client.get_into_batch([(key, [target])])
            client.view(key).data[:1]
            client.exists_batch([key, "nothing"])
            with client.read_session([key]) as session:
                session.read(0, target)
            for wrong in (lambda: client.get("nothing"), lambda: client.put(key, b"x")):
                try:
                    wrong()
                except kvstore.Error:
                    pass
            try:
                client.put_batch([(key, target), (key, None)])
            except TypeError:
                pass

    calls(1000)
    gc.collect()
    before = resident()
    calls(8000)
    gc.collect()
    assert resident() - before < 16 * 100_000


def test_clients_leak_nothing(pool: Pool) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    kvstore.Client(pool.address).close()
    before = descriptors()
    for _ in range(20):
        kvstore.Client(pool.address, lend_bytes=16 << 20).close()
    assert descriptors() <= before + 4
