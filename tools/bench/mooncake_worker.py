"""A Mooncake client that obeys the orders of tools/kvbench/rounds_worker.h, with the same answers.

usage: mooncake_worker.py MASTER METADATA LEND    (LEND bytes of memory; 0: none)
"""

import ctypes
import sys
import time

from mooncake.store import MooncakeDistributedStore

BUFFERS = 256 << 20
FILL_SIZE = 64
FILL_BATCH = 2000


def key(group, number):
    """74 bytes, as those of tools/kvbench/objects.h."""
    head = f"model@1@0@{group}/"
    return head + f"{number:0{74 - len(head)}x}"


class Worker:
    def __init__(self, master, metadata, lend):
        self.store = MooncakeDistributedStore()
        code = self.store.setup("127.0.0.1", metadata, lend, 512 << 20, "tcp", "", master)
        if code != 0:
            raise RuntimeError(f"setup answered {code}")
        self.memory = (ctypes.c_char * BUFFERS)()
        ctypes.memset(self.memory, 7, BUFFERS)
        self.base = ctypes.addressof(self.memory)
        if self.store.register_buffer(self.base, BUFFERS) != 0:
            raise RuntimeError("the buffer can't be registered")
        self.made = {}
        self.filled = 0
        self.next_asked = 0

    def put(self, keys, addresses, size):
        if len(keys) == 1:
            codes = [self.store.put_from(keys[0], addresses[0], size)]
        else:
            codes = self.store.batch_put_from(keys, addresses, [size] * len(keys))
        if any(codes):
            raise RuntimeError(f"a put answered {next(c for c in codes if c)}")

    def get(self, keys, addresses, size):
        if len(keys) == 1:
            sizes = [self.store.get_into(keys[0], addresses[0], size)]
        else:
            sizes = self.store.batch_get_into(keys, addresses, [size] * len(keys))
        if any(got != size for got in sizes):
            raise RuntimeError(f"a get answered {next(s for s in sizes if s != size)}")

    def remove(self, batches):
        """Of puts; what was put without being read is not leased."""
        for keys, _ in batches:
            self.store.batch_remove(keys)

    def batches(self, kind):
        """Keys and addresses of all batches of an order, made once."""
        if kind in self.made:
            return self.made[kind]
        verb, size, count, over = kind
        total = max(over // (size * count), 1)
        group = f"row{len(self.made)}"
        batches = []
        for b in range(total):
            numbers = range(b * count, (b + 1) * count)
            batches.append(([key(group, n) for n in numbers],
                            [self.base + n * size % BUFFERS for n in numbers]))
        self.made[kind] = {"batches": batches, "next": 0}
        for keys, addresses in batches:
            self.put(keys, addresses, size)
        if verb == "put":
            self.remove(batches)
        else:
            for keys, addresses in batches:
                self.get(keys, addresses, size)
        return self.made[kind]

    def move(self, kind, seconds):
        verb, size, count, _ = kind
        made = self.batches(kind)
        times = []
        until = time.perf_counter() + 2 * seconds
        while not times or (sum(times) < seconds and time.perf_counter() < until):
            if made["next"] == len(made["batches"]):
                made["next"] = 0
                if verb == "put":
                    self.remove(made["batches"])
            keys, addresses = made["batches"][made["next"]]
            made["next"] += 1
            began = time.perf_counter()
            (self.put if verb == "put" else self.get)(keys, addresses, size)
            times.append(time.perf_counter() - began)
        return times

    def ask(self, count, seconds):
        times = []
        while not times or sum(times) < seconds:
            if self.next_asked + count > self.filled:
                self.next_asked = 0
            keys = [key("filled", n) for n in range(self.next_asked, self.next_asked + count)]
            self.next_asked += count
            began = time.perf_counter()
            there = self.store.batch_is_exist(keys)
            times.append(time.perf_counter() - began)
            if any(one != 1 for one in there):
                raise RuntimeError("an object that was put is not there")
        return times

    def fill(self, objects):
        for first in range(0, objects, FILL_BATCH):
            keys = [key("filled", n) for n in range(first, min(first + FILL_BATCH, objects))]
            self.put(keys, [self.base] * len(keys), FILL_SIZE)
        self.filled = objects

    def obey(self, line):
        words = line.split()
        if words[0] == "fill":
            self.fill(int(words[1]))
            return f"done {self.filled} 0"
        size, count, over = (int(word) for word in words[1:4])
        seconds = int(words[4]) / 1000
        if words[0] == "exists":
            times = self.ask(count, seconds)
        else:
            times = self.move((words[0], size, count, over), seconds)
        return f"done {count * len(times) / sum(times)} {sorted(times)[len(times) // 2] * 1e6}"


def main():
    worker = Worker(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print("waits for orders", flush=True)
    for line in sys.stdin:
        try:
            print(worker.obey(line), flush=True)
        except RuntimeError as error:
            print(f"failed: {error}", flush=True)


main()
