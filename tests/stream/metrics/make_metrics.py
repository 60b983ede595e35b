"""Metrics of streams alone."""

from whoplays.stream.metrics.collectors import Metrics, Probes


def make_metrics() -> Metrics:
    """Metrics whose probes return 0."""
    return Metrics(Probes(lambda: 0, lambda: 0, lambda: (0, 0), lambda: 0))
