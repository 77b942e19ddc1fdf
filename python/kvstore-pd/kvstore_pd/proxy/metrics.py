"""What is counted, as Prometheus reads it (docs/engines.md lists it)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .workers import Fleet, Worker

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    def __init__(self, fleets: Iterable[Fleet]) -> None:
        self.registry = CollectorRegistry()
        name = "kvstore_pd_"
        self.requests = Counter(
            name + "requests", "Requests answered.", ["path", "code"], registry=self.registry
        )
        self.running = Gauge(
            name + "requests_running", "Requests being answered.", registry=self.registry
        )
        self.attempts = Counter(
            name + "attempts",
            "Requests to workers: ok, refused (4xx), or why not.",
            ["role", "worker", "outcome"],
            registry=self.registry,
        )
        self.skipped = Counter(
            name + "prefill_skipped",
            "Requests that went to decode without prefill, which then computes it.",
            ["why"],
            registry=self.registry,
        )
        self.cut = Counter(
            name + "streams_cut",
            "Streams that ended with an error.",
            ["why"],
            registry=self.registry,
        )
        self.client_gone = Counter(
            name + "clients_gone",
            "Requests whose client hung up before their end.",
            registry=self.registry,
        )
        self.prefill_seconds = Histogram(
            name + "prefill_seconds",
            "From the request's arrival to prefill's answer, all attempts.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.first_byte_seconds = Histogram(
            name + "first_byte_seconds",
            "From the request's arrival to the first byte that its client is sent.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            name + "request_seconds",
            "From the request's arrival to its end.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        up = Gauge(
            name + "worker_up", "1 where it is used.", ["role", "worker"], registry=self.registry
        )
        outstanding = Gauge(
            name + "worker_outstanding",
            "Requests it has been sent and has not answered.",
            ["role", "worker"],
            registry=self.registry,
        )
        for fleet in fleets:
            for worker in fleet.workers:
                labels = (fleet.role, worker.name)
                up.labels(*labels).set_function(partial(_up, worker))
                outstanding.labels(*labels).set_function(partial(_outstanding, worker))

    def text(self) -> bytes:
        return generate_latest(self.registry)


def _up(worker: Worker) -> float:
    return float(worker.up)


def _outstanding(worker: Worker) -> float:
    return float(worker.outstanding)
