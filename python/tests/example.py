"""What a typed program looks like; checked by `mypy --strict`, and run by typing_test.py."""

from __future__ import annotations

import asyncio
import mmap
import sys

import kvstore
from kvstore import aio


def use(master: str) -> None:
    with kvstore.Client(master, lend_bytes=16 << 20, ways=["local", "shm", "tcp"]) as client:
        client.put("typed", b"value", kvstore.PutOptions(replace=True, ttl=60.0))
        value: bytes = client.get("typed")
        failed: list[kvstore.Error | None] = client.put_batch(
            [("typed", value), (b"other", [bytearray(value), memoryview(value)])]
        )
        codes = [error.code for error in failed if error is not None]
        got: list[bytes | kvstore.Error] = client.get_batch(["typed", "none"])
        if isinstance(got[1], kvstore.NotFound):
            codes.append(got[1].code)
        size: int = client.get_into("typed", mmap.mmap(-1, 4096))
        with client.view("typed") as view:
            data: memoryview = view.data
        nodes: list[str] = [replica.node for replica in client.stat("typed").replicas]
        print(size, bytes(data), codes, len(nodes))
        client.remove_matching("")


async def use_asynchronously(master: str) -> None:
    async with aio.Client(master) as client:
        await client.put("typed", b"value")
        value: bytes = await client.get("typed", timeout=5.0)
        there: bool = await client.exists("typed")
        print(value, there)


if __name__ == "__main__":
    use(sys.argv[1])
    asyncio.run(use_asynchronously(sys.argv[1]))
