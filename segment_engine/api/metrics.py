"""What Prometheus may ask: requests, their time, runs and the queue."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from segment_engine.store.measures import RunMeasures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_RUNS = {
    "published": ("segment_engine_runs_published", "Generations that were published."),
    "failing": ("segment_engine_runs_failing", "Organizations whose last run failed."),
    "audiences": ("segment_engine_run_audiences", "Audiences in the newest generations."),
    "failed": ("segment_engine_run_audiences_failed", "Those that could not be computed."),
    "seconds": ("segment_engine_run_seconds", "The time of the longest of the newest runs."),
    "age": ("segment_engine_run_age_seconds", "The age of the oldest of the newest generations."),
}
"""Name and meaning of each of `RunMeasures`."""
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
        self._deliveries = Gauge(
            "segment_engine_webhook_deliveries",
            "Deliveries to webhooks in the store by state.",
            ("state",),
            registry=self._registry,
        )
        self._runs = {
            one: Gauge(name, meaning, registry=self._registry)
            for one, (name, meaning) in _RUNS.items()
        }

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def exposition(
        self,
        jobs: Mapping[tuple[str, str], int],
        runs: RunMeasures,
        deliveries: Mapping[str, int],
    ) -> bytes:
        """All measures as text; `jobs` counts those of the store by kind and state, `deliveries`
        by state."""
        for one, gauge in self._runs.items():
            gauge.set(getattr(runs, one))
        self._jobs.clear()
        for (kind, state), count in jobs.items():
            self._jobs.labels(kind, state).set(count)
        self._deliveries.clear()
        for state, count in deliveries.items():
            self._deliveries.labels(state).set(count)
        return generate_latest(self._registry)
