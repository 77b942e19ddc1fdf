"""Measures kvstore and its peers by turns. tools/bench/compare is how to run it."""

import argparse
import fnmatch
import json
import os
import statistics
import sys
from dataclasses import dataclass

from stores import Failed, Kvstore, Mooncake, Redis

KIB = 1 << 10
MIB = 1 << 20
LEND = 3 << 30


@dataclass
class Work:
    verb: str
    size: int
    count: int
    over: int = 0  # bytes to walk through; 0: one call's


@dataclass
class Row:
    name: str
    work: Work
    kvstore: str  # names in Stores
    mooncake: str
    target: float  # least ratio of keys a second; of calls' medians where `latency`
    latency: bool = False
    redis: bool = False


COLD = 256 * MIB
HOT = MIB
PUTS = 16 * MIB


def rows():
    one = Work
    yield Row("default-get-1MiB", one("get", MIB, 1, COLD), "default", "two", 5, redis=True)
    yield Row("default-get-16MiB", one("get", 16 * MIB, 1, COLD), "default", "two", 5)
    yield Row("default-put-1MiB", one("put", MIB, 1, COLD), "default", "two", 20, redis=True)
    yield Row("default-put-16MiB", one("put", 16 * MIB, 1, COLD), "default", "two", 20)
    yield Row("tcp-get-32x1MiB", one("get", MIB, 32, COLD), "tcp", "two", 1.3)
    yield Row("tcp-get-16MiB", one("get", 16 * MIB, 1, COLD), "tcp", "two", 1.3)
    yield Row("tcp-put-32x1MiB", one("put", MIB, 32, COLD), "tcp", "two", 5)
    yield Row("tcp-put-16MiB", one("put", 16 * MIB, 1, COLD), "tcp", "two", 5)
    yield Row("get-4KiB-hot", one("get", 4 * KIB, 1, HOT), "default", "two", 1, True, redis=True)
    yield Row("get-4KiB-hot-tcp", one("get", 4 * KIB, 1, HOT), "tcp", "two", 1, True)
    yield Row("get-32x4KiB-hot-shm", one("get", 4 * KIB, 32, HOT), "default", "two", 30, redis=True)
    yield Row("get-32x4KiB-hot-tcp", one("get", 4 * KIB, 32, HOT), "tcp", "two", 5)
    yield Row("get-32x4KiB-anew", one("get", 4 * KIB, 32, HOT), "forgetful", "two", 8)
    yield Row("put-4KiB-two-processes", one("put", 4 * KIB, 1, PUTS), "default", "two", 2, True,
              redis=True)
    yield Row("put-4KiB-one-process", one("put", 4 * KIB, 1, PUTS), "lending", "lending", 1 / 1.15,
              True)
    yield Row("put-32x4KiB-two-processes", one("put", 4 * KIB, 32, PUTS), "default", "two", 8,
              redis=True)
    yield Row("put-32x4KiB-one-process", one("put", 4 * KIB, 32, PUTS), "lending", "lending", 5)
    yield Row("exists-512", one("exists", 1, 512), "crowd", "crowd", 2)
    yield Row("exists-4096", one("exists", 1, 4096), "crowd", "crowd", 1.5)


class Stores:
    """Started when first asked for; all end together."""

    def __init__(self, options):
        self.options = options
        self.started = {}
        self.bytes_per_object = {}

    def get(self, store, kind):
        if (store, kind) not in self.started:
            self.started[store, kind] = self.start(store, kind)
        return self.started[store, kind]

    def start(self, store, kind):
        if store == "redis":
            return Redis()
        crowd = self.options.objects
        if store == "kvstore":
            made = Kvstore(self.options.bin,
                           ways="tcp" if kind == "tcp" else "all",
                           lend=LEND if kind == "lending" else 0,
                           forgetful=kind in ("forgetful", "crowd"),
                           drop_in=self.options.drop_in,
                           node=(crowd + 100_000) * 4 * KIB if kind == "crowd" else LEND)
        else:
            made = Mooncake(lend=max(LEND, crowd * 5 * KIB) if kind == "crowd" else
                            LEND if kind == "lending" else 0, holder=LEND)
        if kind == "crowd":
            self.bytes_per_object[store] = made.fill(crowd)
        return made

    def end(self):
        for store in self.started.values():
            store.end()


def measure(stores, row, options):
    """Rounds of each store by turns: (figure, ratio to kvstore's) of each round."""
    contestants = {"kvstore": stores.get("kvstore", row.kvstore),
                   "mooncake": stores.get("mooncake", row.mooncake)}
    if row.redis and not options.drop_in:
        contestants["redis"] = stores.get("redis", "")
    figures = {name: [] for name in contestants}
    for turn in range(options.rounds + 1):
        for name, store in contestants.items():
            keys, p50 = store.round(row.work, options.seconds)
            if turn > 0:  # the first makes ready
                figures[name].append(p50 if row.latency else keys)
    return figures


def ratios(row, figures, peer):
    """Larger is better for kvstore."""
    pairs = zip(figures["kvstore"], figures[peer])
    return [theirs / ours if row.latency else ours / theirs for ours, theirs in pairs]


def shown(row, figure):
    if row.latency:
        return f"{figure:.3g} us"
    if row.work.size >= 64 * KIB:
        return f"{figure * row.work.size / 1e9:.3g} GB/s"
    return f"{figure / 1000:.3g} K keys/s"


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def draw(done, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    names = [name for name, _ in done]
    medians = [statistics.median(values) for _, values in done]
    errors = [[m - min(v) for m, (_, v) in zip(medians, done)],
              [max(v) - m for m, (_, v) in zip(medians, done)]]
    figure, axes = pyplot.subplots(figsize=(9, 0.4 * len(done) + 1.5))
    axes.barh(names, medians, xerr=errors, color="#4477aa", ecolor="#555555")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("kvstore against the peer by turns, median and spread (right of 1: kvstore is faster)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def parse():
    parser = argparse.ArgumentParser(prog="compare", description=__doc__)
    parser.add_argument("--bin", required=True, help="the folder of kvstore's programs")
    parser.add_argument("--out", required=True, help="the folder to write to")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--objects", type=int, default=1_000_000, help="in the masters, for exists")
    parser.add_argument("--only", default="*", help="rows whose name fits")
    parser.add_argument("--drop-in", metavar="PYTHON", help="measure what mooncake.store is there, "
                        "in kvstore's place, by the very script that measures Mooncake's")
    parser.add_argument("--quick", action="store_true", help="shows that it works")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds, options.objects = 0.02, 1, 10_000
    return options


def main():
    options = parse()
    os.makedirs(options.out, exist_ok=True)
    stores = Stores(options)
    lines, drawn, rows_json, failed = [], [], [], False
    peers = "Mooncake" if options.drop_in else "peer"
    markdown = [f"| row | here | {peers} | ratio (spread) |", "|---|---:|---:|---:|"]

    def say(line):
        print(line, flush=True)
        lines.append(line)

    say(f"load average before: {os.getloadavg()[0]:.2f}")
    if options.drop_in:
        say("kvstore by mooncake.store, as Mooncake is; without targets, which its own API has")
    say(f"{'row':26} {'kvstore':>14} {'peer':9} {'its':>14}  {'ratio (spread)':22} target")
    try:
        for row in rows():
            if not fnmatch.fnmatch(row.name, options.only):
                continue
            if options.drop_in and row.kvstore in ("tcp", "forgetful"):
                continue  # what its callers can't ask for
            try:
                figures = measure(stores, row, options)
            except Failed as error:
                say(f"{row.name:26} FAILED: {error}")
                failed = True
                continue
            for peer in list(figures)[1:]:
                values = ratios(row, figures, peer)
                target = row.target if peer == "mooncake" and not options.drop_in else None
                verdict = "" if target is None else \
                    f"{target:.2f} {'met' if statistics.median(values) >= target else 'missed'}"
                say(f"{row.name:26} {shown(row, statistics.median(figures['kvstore'])):>14} "
                    f"{peer:9} {shown(row, statistics.median(figures[peer])):>14}  "
                    f"{spread(values):22} {verdict}")
                who = "" if options.drop_in else f"{peer}: "
                markdown.append(f"| {row.name} | {shown(row, statistics.median(figures['kvstore']))} "
                                f"| {who}{shown(row, statistics.median(figures[peer]))} "
                                f"| {spread(values)} |")
                drawn.append((f"{row.name} / {peer}", values))
                rows_json.append({"row": row.name, "peer": peer, "ratio": statistics.median(values),
                                  "least": min(values), "most": max(values), "target": target})
        for store, each in stores.bytes_per_object.items():
            say(f"bytes per object in the master of {store}: {each:.0f}")
    finally:
        stores.end()
    with open(f"{options.out}/table.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    with open(f"{options.out}/table.md", "w", encoding="utf-8") as file:
        file.write("\n".join(markdown) + "\n")
    with open(f"{options.out}/compare.json", "w", encoding="utf-8") as file:
        json.dump(rows_json, file, indent=1)
    if drawn:
        draw(drawn, f"{options.out}/compare.png")
    return 1 if failed else 0


sys.exit(main())
