"""What happens in the streams, as Prometheus metrics.

A metric of the streams is declared in `Metrics.__init__` and counted in the methods below it; one that is asked of
another part of the daemon at every scrape is a probe.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from whoplays.stream.common.clock import GapCause
from whoplays.stream.pubsub.messages import Alert, Gap, Message, State, Status, Window

CAUSES: Final[tuple[str, ...]] = get_args(GapCause)
STATES: Final[tuple[str, ...]] = get_args(State)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
HOPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 4.0)
STATUS_COUNTERS: Final = {
    "elapsed_samples": "Samples of 44100 Hz that went by, received or lost.",
    "heard_samples": "Samples that were received and not dropped.",
    "lost_samples": "Samples in gaps; where gaps overlap, counted once.",
    "dropped_windows": "Windows dropped because inference could not keep up.",
}
"""What a status counts under the same name, session by session."""

WATCHED: Final = ("clips", "history", "metrics", "reload")
"""The threads that are started again after an unexpected failure."""

M = TypeVar("M", bound=MetricWrapperBase)


class Probes(NamedTuple):
    """What is asked at every scrape, in a thread of the metrics server."""

    queue_depth: Callable[[], int]
    """Messages that wait to be published."""
    dropped_messages: Callable[[], int]
    """Messages dropped by the publisher."""
    handshakes: Callable[[], tuple[int, int]]
    """Subscribers admitted, and refused."""
    history_dropped: Callable[[], int]
    """Messages dropped by the history."""
    thread_failures: Callable[[], Mapping[str, int]] = dict
    """By the thread's name, how often it failed unexpectedly and was started again."""


class ProbeCollector(Collector):
    """Makes metrics of what the probes return."""

    def __init__(self, probes: Probes) -> None:
        self._probes: Final = probes

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        probes = self._probes
        yield GaugeMetricFamily(
            "whoplays_publisher_queue_messages", "Messages that wait to be published.", probes.queue_depth()
        )
        yield CounterMetricFamily(
            "whoplays_publisher_dropped_messages",
            "Messages dropped because the publisher could not keep up.",
            probes.dropped_messages(),
        )
        yield CounterMetricFamily(
            "whoplays_history_dropped_messages",
            "Messages dropped because the history's disk could not keep up.",
            probes.history_dropped(),
        )
        failures = CounterMetricFamily(
            "whoplays_thread_failures",
            "How often a thread of the daemon failed unexpectedly and was started again.",
            labels=("thread",),
        )
        for name in WATCHED:
            failures.add_metric((name,), probes.thread_failures().get(name, 0))
        yield failures
        handshakes = CounterMetricFamily(
            "whoplays_subscriber_handshakes", "Subscribers admitted and refused.", labels=("result",)
        )
        for result, count in zip(("succeeded", "failed"), probes.handshakes(), strict=True):
            handshakes.add_metric((result,), count)
        yield handshakes


@dataclass(slots=True)
class _Session:
    id: str
    hop_ns: int = 0
    clipped_samples: int = 0
    counted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUS_COUNTERS, 0))
    """The highest value of each counter so far."""


class Metrics:
    """Counts the messages of all streams; the only labels are streams' names, and what has few fixed values."""

    def __init__(self, probes: Probes) -> None:
        self.registry: Final = CollectorRegistry()
        """All metrics, with those of the process, such as its memory and open files."""
        self._sessions: Final[dict[str, _Session]] = {}
        self._families: Final[list[MetricWrapperBase]] = []
        self._windows = self._add(Counter, "windows", "Windows recognised.")
        self._restarts = self._add(
            Counter, "source_restarts", "Sessions after the first: how often the source was lost and found again."
        )
        self._counters = {name: self._add(Counter, name, text) for name, text in STATUS_COUNTERS.items()}
        self._gaps = self._add(Counter, "gaps", "Gaps, by their cause.", "cause")
        self._gap_samples = self._add(Counter, "gap_samples", "Samples in gaps, by their cause.", "cause")
        self._lag = self._add(Gauge, "lag_seconds", "From the close of the newest window to the end of its inference.")
        self._drift = self._add(
            Gauge, "clock_drift_ppm", "How much faster than nominal the source runs; NaN while that is not known."
        )
        self._level = self._add(Gauge, "level_dbfs", "RMS of the last second; NaN while no audio comes.")
        self._peak = self._add(Gauge, "peak_dbfs", "The largest sample of the last second; NaN while no audio comes.")
        self._clipped = self._add(Counter, "clipped_samples", "Samples heard beyond full scale, and clipped.")
        self._alerts = self._add(Gauge, "alerts_firing", "Rules of alerts that say that something is wrong.")
        self._playing = self._add(
            Gauge, "playing", "Whether an instrument plays: 1 or 0; NaN while that is not known.", "label"
        )
        self._state = self._add(Enum, "source_state", "The source's state.", states=STATES)
        self._end_to_end = self._add(
            Histogram,
            "end_to_end_hops",
            "From the close of a window to the end of its inference, in hops: over 1, inference cannot keep up.",
            buckets=HOPS,
        )
        self._inference = Histogram(
            "whoplays_inference_seconds",
            "Time in inference, as each window of a batch saw it.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.registry.register(ProbeCollector(probes))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def handle(self, message: Message) -> None:
        """Count a message."""
        stream = message.stream
        session = self._sessions.get(stream)
        if session is None:
            self._show_zeros(stream)
        if session is None or session.id != message.session:
            self._restarts.labels(stream).inc(session is not None)
            session = self._sessions[stream] = _Session(message.session)
        match message:
            case Status():
                self._status(message, session)
            case Window():
                self._window(message, session)
            case Alert():
                # The next status has how many fire; until then it is one more, or one less.
                self._alerts.labels(stream).inc(-1 if message.recovered else 1)
            case Gap():
                self._gaps.labels(stream, message.cause).inc()
                self._gap_samples.labels(stream, message.cause).inc(message.end - message.start)

    def forget(self, stream: str) -> None:
        """Let a stream that was removed vanish; after its last message."""
        self._sessions.pop(stream, None)
        for family in self._families:
            family.remove_by_labels({"stream": stream})

    def _add(self, kind: type[M], name: str, text: str, *labels: str, **options: Any) -> M:
        family = kind(f"whoplays_{name}", text, ("stream", *labels), registry=self.registry, **options)
        self._families.append(family)
        return family

    def _show_zeros(self, stream: str) -> None:
        for family in self._families:
            if family in (self._gaps, self._gap_samples):
                for cause in CAUSES:
                    family.labels(stream, cause)
            elif family is not self._playing:
                family.labels(stream)

    def _status(self, status: Status, session: _Session) -> None:
        stream = status.stream
        session.hop_ns = status.hop_samples * 1_000_000_000 // status.sample_rate_hz
        self._state.labels(stream).state(status.state)
        self._lag.labels(stream).set(status.lag_ns / 1e9)
        self._drift.labels(stream).set(math.nan if status.drift_ppm is None else status.drift_ppm)
        level = status.level
        self._level.labels(stream).set(level.dbfs if level else math.nan)
        self._peak.labels(stream).set(level.peak_dbfs if level else math.nan)
        self._alerts.labels(stream).set(len(status.alerts))
        playing = None if status.playing is None else {each.label for each in status.playing}
        known = playing is not None and status.state in ("listening", "silent")
        for label in status.labels:
            self._playing.labels(stream, label).set(label in (playing or ()) if known else math.nan)
        self._clipped.labels(stream).inc(max(0, status.clipped_samples - session.clipped_samples))
        session.clipped_samples = status.clipped_samples
        for name, family in self._counters.items():
            count = getattr(status.counters, name)
            # A count falls when samples that were received turn out to be lost; a metric must not.
            if count > session.counted[name]:
                family.labels(stream).inc(count - session.counted[name])
                session.counted[name] = count

    def _window(self, window: Window, session: _Session) -> None:
        timing = window.timing
        self._windows.labels(window.stream).inc()
        self._lag.labels(window.stream).set(timing.infer_end_ns / 1e9)
        self._inference.observe((timing.infer_end_ns - timing.infer_start_ns) / 1e9)
        if session.hop_ns:
            self._end_to_end.labels(window.stream).observe(timing.infer_end_ns / session.hop_ns)
