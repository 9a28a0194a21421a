"""What a process that works tells Prometheus of its jobs."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800)


class RunOutcome(StrEnum):
    """What became of one run."""

    DONE = "done"  # it did something
    NOTHING = "nothing"  # nothing was left to do
    BUSY = "busy"  # another process runs the job
    FAILED = "failed"  # the next tick tries again
    STOPPED = "stopped"  # the process stops; another one goes on


class Figures:
    """The figures of one process's jobs, among the others of its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs = Counter(
            "laurel_job_runs", "Runs by job and outcome.", ("job", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "laurel_job_duration_seconds",
            "How long runs took.",
            ("job",),
            buckets=_BUCKETS_SECONDS,
            registry=registry,
        )
        self._lag = Gauge(
            "laurel_job_lag_seconds",
            "For how long the oldest thing that a job has to do has waited.",
            ("job",),
            registry=registry,
        )
        self._waiting = Gauge(
            "laurel_outbox_waiting", "Events that nobody has followed yet.", registry=registry
        )

    def ran(self, job: str, outcome: RunOutcome, *, seconds: float) -> None:
        """Count a run."""
        self._runs.labels(job, outcome.value).inc()
        if outcome is not RunOutcome.BUSY:
            self._seconds.labels(job).observe(seconds)

    def lags(self, job: str, lag_seconds: int) -> None:
        """Tell how far behind a job is."""
        self._lag.labels(job).set(lag_seconds)

    def waits(self, events: int) -> None:
        """Tell how many events wait in the outbox."""
        self._waiting.set(events)
