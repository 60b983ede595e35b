"""The metrics of streams: their names, and what they mean."""

from typing import Final, NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram

from whoplays.stream.audio.block import Cause
from whoplays.stream.pubsub.messages import State

CAUSES: Final[tuple[str, ...]] = get_args(Cause)
STATES: Final[tuple[str, ...]] = get_args(State)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
HOPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 4.0)


class Families(NamedTuple):
    """One of each; all but the inference carry the label `stream`."""

    windows: Counter
    sessions: Counter
    elapsed: Counter
    heard: Counter
    lost: Counter
    dropped_windows: Counter
    gaps: Counter
    gap_samples: Counter
    lag: Gauge
    drift: Gauge
    state: Enum
    end_to_end: Histogram
    inference: Histogram

    def forget(self, stream: str) -> None:
        """Remove all there is of a stream."""
        for family in self[:-1]:
            family.remove_by_labels({"stream": stream})


def make_families(registry: CollectorRegistry) -> Families:
    """The metrics of streams, of which there are none yet."""

    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"whoplays_{name}", text, ("stream", *labels), registry=registry)

    def gauge(name: str, text: str) -> Gauge:
        return Gauge(f"whoplays_{name}", text, ("stream",), registry=registry)

    return Families(
        windows=counter("windows", "Windows judged."),
        sessions=counter("source_restarts", "Sessions after the first: how often the source was lost and found again."),
        elapsed=counter("elapsed_samples", "Samples of 44100 Hz that went by, heard or lost."),
        heard=counter("heard_samples", "Samples that arrived and were not given up."),
        lost=counter("lost_samples", "Samples in gaps; where gaps overlap, counted once."),
        dropped_windows=counter("dropped_windows", "Windows given up because inference could not keep up."),
        gaps=counter("gaps", "Gaps, by their cause.", "cause"),
        gap_samples=counter("gap_samples", "Samples in gaps, by their cause.", "cause"),
        lag=gauge("lag_seconds", "From the close of the newest window to the end of its inference."),
        drift=gauge("clock_drift_ppm", "How much faster than nominal the source runs; NaN while that is not known."),
        state=Enum("whoplays_source_state", "The source's state.", ("stream",), states=STATES, registry=registry),
        end_to_end=Histogram(
            "whoplays_end_to_end_hops",
            "From the close of a window to the end of its inference, in hops: over 1, inference cannot keep up.",
            ("stream",),
            buckets=HOPS,
            registry=registry,
        ),
        inference=Histogram(
            "whoplays_inference_seconds",
            "Time in inference, as each window of a batch saw it.",
            buckets=SECONDS,
            registry=registry,
        ),
    )
