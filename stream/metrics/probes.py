"""Counts that others keep, asked for when somebody scrapes."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Probes(NamedTuple):
    """Where to ask; each is called from a thread of the metrics server, at every scrape."""

    queue_depth: Callable[[], int]
    """Messages that wait to be published."""
    dropped_messages: Callable[[], int]
    """Messages given up by the publisher."""
    handshakes: Callable[[], tuple[int, int]]
    """Subscribers admitted, and refused."""
    history_dropped: Callable[[], int]
    """Messages given up by the history."""


class ProbeCollector(Collector):
    """Turns what the probes say into metrics."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        probes = self._probes
        yield GaugeMetricFamily(
            "whoplays_publisher_queue_messages", "Messages that wait to be published.", probes.queue_depth()
        )
        yield CounterMetricFamily(
            "whoplays_publisher_dropped_messages",
            "Messages given up because the publisher could not keep up.",
            probes.dropped_messages(),
        )
        yield CounterMetricFamily(
            "whoplays_history_dropped_messages",
            "Messages given up because the history's disk could not keep up.",
            probes.history_dropped(),
        )
        handshakes = CounterMetricFamily(
            "whoplays_subscriber_handshakes", "Subscribers admitted and refused.", labels=("result",)
        )
        for result, count in zip(("succeeded", "failed"), probes.handshakes(), strict=True):
            handshakes.add_metric((result,), count)
        yield handshakes
