"""The stores that compare.py measures: each starts its processes and answers rounds of work."""

import csv
import math
import os
import re
import select
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(f"{HERE}/../../python/tests")

from ports import free_port  # noqa: E402

PATIENCE = 120  # seconds
LEAST_REQUESTS = 200


class Failed(Exception):
    pass


class Process:
    """A program that ends with this one, and what it says line by line."""

    def __init__(self, words, env=None, quiet=True):
        self.words = words
        self.program = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None, env=env, text=False)
        self.rest = b""

    def line(self, seconds=PATIENCE):
        until = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = until - time.monotonic()
            ready, _, _ = select.select([self.program.stdout], [], [], max(left, 0))
            if not ready:
                raise Failed(f"{self.words[0]} says nothing")
            read = os.read(self.program.stdout.fileno(), 65536)
            if not read:
                raise Failed(f"{self.words[0]} has ended with {self.program.wait()}")
            self.rest += read
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace")

    def await_line(self, text):
        while True:
            line = self.line()
            if text in line:
                return line

    def tell(self, line):
        self.program.stdin.write(line.encode() + b"\n")
        self.program.stdin.flush()

    def rss(self):
        with open(f"/proc/{self.program.pid}/status", encoding="ascii") as status:
            return next(int(l.split()[1]) * 1024 for l in status if l.startswith("VmRSS"))

    def end(self):
        self.program.kill()
        self.program.wait()


class Orders:
    """A process that obeys the orders of tools/kvbench/rounds_worker.h."""

    def __init__(self, process):
        self.process = process
        process.await_line("waits for orders")

    def round(self, work, seconds):
        """Keys a second, and the median call in microseconds."""
        over = work.over or work.size * work.count
        order = f"{work.verb} {work.size} {work.count} {over} {int(seconds * 1000)}"
        return self.obey(order)

    def obey(self, order):
        self.process.tell(order)
        line = self.process.line()
        match = re.match(r"done (\S+) (\S+)", line)
        if not match:
            raise Failed(line)
        return float(match[1]), float(match[2])


class Store:
    def __init__(self):
        self.processes = []
        self.orders = None
        self.master = None

    def start(self, *words, **options):
        self.processes.append(Process(list(words), **options))
        return self.processes[-1]

    def round(self, work, seconds):
        return self.orders.round(work, seconds)

    def fill(self, objects):
        """Bytes that each object adds to the master."""
        before = self.master.rss()
        self.orders.obey(f"fill {objects}")
        return (self.master.rss() - before) / objects

    def end(self):
        for process in reversed(self.processes):
            process.end()


class Kvstore(Store):
    """`ways` and `lend` are the worker's; when it lends, there is no node. `drop_in`: a Python with
    the drop-in for mooncake.store, by which the worker is Mooncake's, and finds its ways itself."""

    def __init__(self, folder, ways="all", lend=0, forgetful=False, node=2 << 30, drop_in=None):
        super().__init__()
        self.master = self.start(f"{folder}/kvstore_master", "--port=0", "--metrics_port=0",
                                 "--state_file=none", "--log_level=error")
        address = re.search(r"ready on ([0-9.:]+)", self.master.await_line("ready on"))[1]
        if not lend:
            self.start(f"{folder}/kvstore_node", f"--master={address}",
                       f"--lend={node}").await_line("ready")
        if drop_in:
            worker = [drop_in, f"{HERE}/mooncake_worker.py", address, "P2PHANDSHAKE", str(lend)]
            self.orders = Orders(self.start(*worker))
            return
        words = [f"{folder}/kvbench", "worker", "rounds", f"--master={address}", f"--ways={ways}"]
        words += [f"--lend={lend}"] if lend else []
        words += ["--forgetful"] if forgetful else []
        self.orders = Orders(self.start(*words))


class Mooncake(Store):
    """`lend` is the worker's own memory; when it lends, there is no other holder."""

    def __init__(self, lend=0, holder=2 << 30):
        super().__init__()
        port, metadata_port, metrics_port = free_port(), free_port(), free_port()
        env = dict(os.environ, GLOG_minloglevel="3", MC_TCP_BIND_ADDRESS="127.0.0.1")
        bin_folder = os.path.dirname(sys.executable)
        self.master = self.start(
            f"{bin_folder}/mooncake_master", "-rpc_address", "127.0.0.1", "-port", str(port),
            "-max_threads", "64", "-metrics_host", "127.0.0.1", "-metrics_port", str(metrics_port),
            "--enable_http_metadata_server=true", f"--http_metadata_server_port={metadata_port}",
            "--http_metadata_server_host=127.0.0.1", env=env)
        self.await_port(port)
        self.await_port(metadata_port)
        address = f"127.0.0.1:{port}"
        metadata = f"http://127.0.0.1:{metadata_port}/metadata"
        worker = [sys.executable, f"{HERE}/mooncake_worker.py", address, metadata]
        if not lend:
            # A worker that nobody gives an order.
            Orders(self.start(*worker, str(holder), env=env))
        self.orders = Orders(self.start(*worker, str(lend), env=env))

    @staticmethod
    def await_port(port):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError as error:
                if time.monotonic() > until:
                    raise Failed(f"nobody listens on port {port}") from error
                time.sleep(0.05)


class Redis(Store):
    """Driven by its own redis-benchmark: one client, batches pipelined."""

    VERBS = {"put": "set", "get": "get"}

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.start("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no")
        Mooncake.await_port(self.port)
        self.rates = {}

    def round(self, work, seconds):
        kind = (work.verb, work.size, work.count)
        # As many as take about so long, by what the last round has shown. Too few and it finds that
        # they took no time at all.
        requests = max(int(self.rates.get(kind, 100) * seconds), LEAST_REQUESTS * work.count)
        out = subprocess.run(
            ["redis-benchmark", "-p", str(self.port), "-n", str(requests), "-c", "1", "-P",
             str(work.count), "-d", str(work.size), "-t", "set," + self.VERBS[work.verb], "--csv"],
            stdout=subprocess.PIPE, check=True, text=True).stdout
        rows = {row["test"]: row for row in csv.DictReader(out.splitlines())}
        row = rows[self.VERBS[work.verb].upper()]
        if not math.isfinite(float(row["rps"])):
            raise Failed("redis-benchmark measured nothing")
        self.rates[kind] = float(row["rps"])
        return float(row["rps"]), float(row["p50_latency_ms"]) * 1000
