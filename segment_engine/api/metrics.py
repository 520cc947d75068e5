"""What Prometheus may ask: requests, their time, runs and the queue."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The measures of one process, under a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        named = ("method", "route", "status")
        self._requests = Counter(
            "segment_engine_requests", "Requests answered.", named, registry=self._registry
        )
        self._seconds = Histogram(
            "segment_engine_request_seconds",
            "The time to answer.",
            ("method", "route"),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._jobs = Gauge(
            "segment_engine_jobs",
            "Jobs in the store by kind and state.",
            ("kind", "state"),
            registry=self._registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def exposition(self, jobs: Mapping[tuple[str, str], int]) -> bytes:
        """All measures as text; `jobs` counts those of the store by kind and state."""
        self._jobs.clear()
        for (kind, state), count in jobs.items():
            self._jobs.labels(kind, state).set(count)
        return generate_latest(self._registry)
