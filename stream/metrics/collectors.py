"""What happens in the streams, as Prometheus metrics."""

import math
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from whoplays.stream.common.clock import GapCause
from whoplays.stream.pubsub.messages import Gap, Message, State, Status, Window

CAUSES: Final[tuple[str, ...]] = get_args(GapCause)
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


class Metrics:
    """Follows the messages of all streams; the only labels are streams' names, and what has few fixed values.

    Args:
        probes: where to ask for what no message says.
    """

    def __init__(self, probes: Probes) -> None:
        self.registry: Final = CollectorRegistry()
        """All metrics, with those of the process, such as its memory and open files."""
        self._families: Final = make_families(self.registry)
        self._streams: Final[dict[str, _Followed]] = {}
        self.registry.register(ProbeCollector(probes))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def follow(self, message: Message) -> None:
        """Count a message; one stream's messages come from one thread at a time."""
        followed = self._streams.get(message.stream)
        if followed is None:
            followed = self._streams[message.stream] = _Followed(self._families, message.stream)
        followed.follow(message)

    def forget(self, stream: str) -> None:
        """Let a stream vanish to which nobody listens any more; after its last message."""
        self._streams.pop(stream, None)
        self._families.forget(stream)


class _Rising:
    """A count of a session, made into one that goes on from session to session, and never falls."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._highest = 0

    def begin(self) -> None:
        self._highest = 0

    def rise(self, count: int) -> None:
        # What was heard becomes less when it turns out to be lost.
        if count > self._highest:
            self._counter.inc(count - self._highest)
            self._highest = count


class _Followed:
    """One stream's metrics: all of them are there, as zeros, from its first message on."""

    def __init__(self, families: Families, stream: str) -> None:
        self._session = ""
        self._hop_ns = 0
        self._windows = families.windows.labels(stream)
        self._restarts = families.sessions.labels(stream)
        self._lag = families.lag.labels(stream)
        self._drift = families.drift.labels(stream)
        self._state = families.state.labels(stream)
        self._end_to_end = families.end_to_end.labels(stream)
        self._inference = families.inference
        self._gaps = {cause: families.gaps.labels(stream, cause) for cause in CAUSES}
        self._gap_samples = {cause: families.gap_samples.labels(stream, cause) for cause in CAUSES}
        self._elapsed = _Rising(families.elapsed.labels(stream))
        self._heard = _Rising(families.heard.labels(stream))
        self._lost = _Rising(families.lost.labels(stream))
        self._dropped = _Rising(families.dropped_windows.labels(stream))

    def follow(self, message: Message) -> None:
        if message.session != self._session:
            self._begin(message.session)
        match message:
            case Status():
                self._status(message)
            case Window():
                self._window(message)
            case Gap():
                self._gaps[message.cause].inc()
                self._gap_samples[message.cause].inc(message.end - message.start)

    def _begin(self, session: str) -> None:
        if self._session:
            self._restarts.inc()
        self._session = session
        for count in (self._elapsed, self._heard, self._lost, self._dropped):
            count.begin()

    def _status(self, status: Status) -> None:
        counters = status.counters
        self._hop_ns = status.hop_samples * 1_000_000_000 // status.sample_rate_hz
        self._state.state(status.state)
        self._lag.set(status.lag_ns / 1e9)
        self._drift.set(math.nan if status.drift_ppm is None else status.drift_ppm)
        self._elapsed.rise(counters.elapsed_samples)
        self._heard.rise(counters.heard_samples)
        self._lost.rise(counters.lost_samples)
        self._dropped.rise(counters.dropped_windows)

    def _window(self, window: Window) -> None:
        timing = window.timing
        self._windows.inc()
        self._lag.set(timing.infer_end_ns / 1e9)
        self._inference.observe((timing.infer_end_ns - timing.infer_start_ns) / 1e9)
        if self._hop_ns:
            self._end_to_end.observe(timing.infer_end_ns / self._hop_ns)
