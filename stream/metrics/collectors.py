"""What happens in the streams, as Prometheus metrics."""

import math
from typing import Final

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from whoplays.stream.metrics.families import CAUSES, Families, make_families
from whoplays.stream.metrics.probes import ProbeCollector, Probes
from whoplays.stream.pubsub.messages import Gap, Message, Status, Window


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
