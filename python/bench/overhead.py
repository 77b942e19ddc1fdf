"""What a call costs from Python over the same call from C++, by turns on this machine.

python/bench/overhead is how to run it. Prints the table of docs/python.md: for each row the
quickest quarter's slowest round, what Python adds per call or, of a batch, per key, and C++'s time
by Python's.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import kvstore

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from pool import Pool  # noqa: E402

KEYS = 512
SMALL, LARGE = 4 << 10, 1 << 20
ROWS = {  # calls a round, keys a call
    "exists": (300, 1),
    "exists_batch": (20, KEYS),
    "get_into": (2000, 1),
    "get_into_batch": (20, KEYS),
    "put": (200, 1),
    "get_into_large": (100, 1),
    "put_large": (50, 1),
}


def calls_of(client: kvstore.Client) -> dict[str, Callable[[], object]]:
    memory = memoryview(bytearray(b"x" * (KEYS * SMALL)))
    keys = [f"small-{i}" for i in range(KEYS)]
    pieces = [memory[i * SMALL : (i + 1) * SMALL] for i in range(KEYS)]
    targets = list(zip(keys, pieces, strict=True))
    small, large = memory[:SMALL], memory[:LARGE]
    replace = kvstore.PutOptions(replace=True)
    client.put_batch(targets, replace)
    client.put("large", large, replace)
    return {
        "exists": lambda: client.exists(keys[0]),
        "exists_batch": lambda: client.exists_batch(keys),
        "get_into": lambda: client.get_into(keys[0], small),
        "get_into_batch": lambda: client.get_into_batch(targets),
        "put": lambda: client.put("put", small, replace),
        "get_into_large": lambda: client.get_into("large", large),
        "put_large": lambda: client.put("put-large", large, replace),
    }


def timed(call: Callable[[], object], calls: int) -> float:
    """Nanoseconds a call, on average."""
    began = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - began) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    with Pool(lend="256MiB") as pool, kvstore.Client(pool.address) as client:
        calls = calls_of(client)
        reference = subprocess.Popen(
            [given.reference, pool.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reference.stdin and reference.stdout
        print("| call | C++, us | Python, us | added, us a key | C++ / Python |")
        print("|---|---:|---:|---:|---:|")
        for row, (count, keys) in ROWS.items():
            native, python = [], []
            for _ in range(given.rounds):
                print(row, count, file=reference.stdin, flush=True)
                native.append(float(reference.stdout.readline()))
                python.append(timed(calls[row], count))
            # Of those that nothing else on the machine got in the way of.
            a, b = (statistics.quantiles(times, n=4)[0] / 1e3 for times in (native, python))
            named = f"{row}, {keys} keys" if keys > 1 else row
            print(
                f"| {named} | {a:.2f} | {b:.2f} | {(b - a) / keys:.3f} | {a / b:.2f} |", flush=True
            )
        reference.stdin.close()
        reference.wait()


if __name__ == "__main__":
    main()
