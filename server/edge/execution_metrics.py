"""How operations are run, told to Prometheus: compiled, from memory, or why not."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.edge.executing import Operations


class ExecutionMetrics(Collector):
    """The figures of one app's operations, read when they are asked for: counting them costs a
    request no more than an addition."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now."""
        executed = CounterMetricFamily(
            "laurel_operations_executed",
            "Operations that were run: `compiled`, or by graphql-core and why.",
            labels=("by",),
        )
        for by, count in sorted(self._operations.compiler.counts.items()):
            executed.add_metric((by,), count)
        memory = self._operations.memory
        recalls = CounterMetricFamily(
            "laurel_answers_recalled",
            "Requests by what memory had to say: `hit` was answered from it.",
            labels=("recall",),
        )
        for recall, count in memory.counts.items():
            recalls.add_metric((recall.value,), count)
        yield executed
        yield recalls
        yield GaugeMetricFamily(
            "laurel_compiled_operations",
            "Operations that are kept compiled.",
            value=len(self._operations.compiler),
        )
        yield GaugeMetricFamily(
            "laurel_answers_kept", "Answers that are kept in memory.", value=len(memory)
        )
        yield GaugeMetricFamily(
            "laurel_answers_kept_bytes",
            "The size of the answers that are kept in memory.",
            value=memory.size_bytes,
        )
